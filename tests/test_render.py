"""What the page of relations is told, and that nothing in it is taken for HTML."""

import json
import re
import sys
from html import unescape
from types import ModuleType

import pytest
import spacy
from render_examples import make_company, make_doc, make_examples
from spacy.tokens import Span

from spacy_dualre.output.rendering import describe, render
from spacy_dualre.relations import set_relations

HOSTILE = [
    "</script><script>attack()</script>",
    '"onmouseover="attack()',
    "<img src=x onerror=attack()>",
    "<!--<script>",
    "${attack()} $title $$ \\",
    "&lt;b&gt;",
    "a\u2028b\u2029c",
]


def read_data(page):
    """The JSON in a page."""
    (data,) = re.findall(r'<script type="application/json">(.*?)</script>', page)
    return json.loads(data)


def make_hostile(text):
    doc = spacy.blank("en")(f"{text} and {text}")
    doc.user_data["doc_id"] = text
    first, last = Span(doc, 0, 1, label=text), Span(doc, 1, len(doc), label="B")
    doc.ents = [first, last]
    set_relations(doc, [(first, last, text, 0.5)])
    return doc


def test_a_doc_is_described_by_spans_and_relations_between_them():
    doc = make_doc(
        "one",
        "Ada Moss founded Quillon.",
        {"Ada Moss": "PERSON", "Quillon": "ORG"},
        [("Ada Moss", "founded", "Quillon", 0.75)],
    )
    assert describe(doc) == {
        "id": "one",
        "language": "en",
        "text": "Ada Moss founded Quillon.",
        "spans": [
            {"start": 0, "end": 8, "type": "PERSON"},
            {"start": 17, "end": 24, "type": "ORG"},
        ],
        "relations": [
            {"subject": 0, "object": 1, "predicate": "founded", "score": 0.75}
        ],
    }


def test_offsets_count_as_javascript_counts():
    text = "🦢🦢 Ada met 🦢 Bo"
    spans = describe(make_doc(None, text, {"Ada": "PERSON", "Bo": "PERSON"}, []))
    encoded = text.encode("utf-16-le")
    assert [
        encoded[2 * span["start"] : 2 * span["end"]].decode("utf-16-le")
        for span in spans["spans"]
    ] == ["Ada", "Bo"]


def test_spans_of_relations_that_are_no_entities_are_marked():
    doc = make_doc(None, "Ada walked", {}, [("Ada", "does", "walked", 0.5)])
    assert [span["type"] for span in describe(doc)["spans"]] == ["", ""]


def test_a_span_without_type_is_the_entity_in_its_place():
    doc = make_doc(None, "Ada walked", {"Ada": "PERSON"}, [])
    set_relations(doc, [(doc[:1], doc[1:], "does")])
    description = describe(doc)
    assert [span["type"] for span in description["spans"]] == ["PERSON", ""]
    assert description["relations"][0]["subject"] == 0


def test_spans_of_one_place_and_two_types_are_two():
    doc = make_doc(None, "Ada walked", {"Ada": "PERSON"}, [])
    set_relations(doc, [(Span(doc, 0, 1, "CAT"), Span(doc, 0, 1, "PERSON"), "is")])
    description = describe(doc)
    assert [span["type"] for span in description["spans"]] == ["PERSON", "CAT"]
    assert description["relations"][0]["subject"] == 1


def test_other_keys():
    doc = make_company()
    assert len(describe(doc, relations_key="others")["spans"]) == 12
    assert len(describe(doc, "others", spans_key="entities")["spans"]) == 13
    assert describe(doc, relations_key="others")["relations"] == []
    assert not describe(doc, "others", spans_key="missing")["spans"]


def test_a_page_holds_the_docs_in_their_order():
    docs = make_examples()
    data = read_data(render(iter(docs), title="Examples"))
    assert data["title"] == "Examples"
    assert data["documents"] == [describe(doc) for doc in docs]
    assert read_data(render(docs[0]))["documents"] == [describe(docs[0])]
    assert read_data(render([]))["documents"] == []


def test_a_page_is_ascii_and_the_same_each_time():
    page = render(make_examples(), title="Beziehungen für alle")
    assert page.isascii()
    assert page == render(make_examples(), title="Beziehungen für alle")
    (title,) = re.findall("<title>(.*)</title>", page)
    assert unescape(title) == "Beziehungen für alle"


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("page", [True, False])
def test_nothing_is_taken_for_html(text, page):
    harmless = render(make_hostile("word"), page=page, title="word")
    hostile = render(make_hostile(text), page=page, title=text)
    tags = r"<[!/a-z]"
    assert len(re.findall(tags, hostile)) == len(re.findall(tags, harmless))
    data = read_data(hostile)
    assert data["title"] == text
    (description,) = data["documents"]
    assert description["id"] == description["spans"][0]["type"] == text
    assert description["relations"][0]["predicate"] == text
    assert text in description["text"]


def test_nothing_is_loaded_from_elsewhere():
    page = render(make_examples())
    assert re.findall(r"\w+://[^\"')\s]+", page) == ["http://www.w3.org/2000/svg"]
    assert not re.findall(r"<(?:link|img|iframe)|\bsrc=|@import|url\(", page)
    assert "default-src 'none'" in page


def test_fragments_have_ids_of_their_own():
    first, second = (render(make_company(), page=False) for _ in range(2))
    first_id, second_id = (re.search('id="(.*)"', x)[1] for x in (first, second))
    assert first_id != second_id
    assert first.replace(first_id, second_id) == second
    assert "<html" not in first


def test_a_notebook_displays_a_fragment(monkeypatch):
    displayed = []
    ipython = ModuleType("IPython.display")
    ipython.HTML = str
    ipython.display = displayed.append
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", ipython)
    assert render(make_company(), jupyter=True) is None
    (fragment,) = displayed
    assert fragment.startswith("<div")
    assert read_data(fragment)["documents"] == [describe(make_company())]
