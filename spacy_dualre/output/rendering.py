"""Relations as arcs over the text: one HTML page that needs nothing but a browser."""

import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import accumulate
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from spacy.tokens import Doc, Span
from spacy.util import is_in_jupyter

from ..relations import DEFAULT_KEY, get_relations
from ..spans import get_spans
from .pages import fill, make_page, read

if TYPE_CHECKING:
    from .explanation import Explanation

# Where a subject starts and ends, and an object: tokens.
Ends = tuple[int, int, int, int]
# How many predicates the page is told of in an explanation, the most probable ones.
N_OPINIONS = 6
# What could end the script element that the JSON stands in, or start a comment in it.
ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&"}


def render(
    docs: Doc | Iterable[Doc],
    *,
    relations_key: str = DEFAULT_KEY,
    spans_key: str | None = None,
    page: bool = True,
    title: str = "Relations",
    explanations: Iterable["Explanation"] = (),
    jupyter: bool | None = None,
) -> str | None:
    """Draw the relations of some Docs as arcs over their text.

    docs (Union[Doc, Iterable[Doc]]): A Doc or Docs. `doc.user_data["doc_id"]`, where
        there is one, is the heading of the Doc.
    relations_key (str): Where the relations are.
    spans_key (Optional[str]): The span group that holds the entities, or None for
        `doc.ents`. The spans of relations are marked in any case.
    page (bool): Make a page. Otherwise a fragment to embed in one, which neither takes
        on its style nor changes it.
    title (str): The heading.
    explanations (Iterable[Explanation]): What `explain` says of pairs that have a
        relation: it is shown when the relation is clicked on.
    jupyter (Optional[bool]): Display a fragment in the notebook, instead of returning
        it. By default, if there is a notebook.
    RETURNS (Optional[str]): HTML in ASCII, so that it is read right whatever encoding
        it is written in. None if it was displayed.
    """
    docs = [docs] if isinstance(docs, Doc) else docs
    in_notebook = is_in_jupyter() if jupyter is None else jupyter
    # Several fragments can stand on one page; a page is to be the same each time.
    is_page = page and not in_notebook
    root_id = "relations" if is_page else f"relations-{uuid.uuid4().hex}"
    explained: dict[int, dict[Ends, Explanation]] = defaultdict(dict)
    for explanation in explanations:
        ends = _ends(explanation.subject, explanation.object)
        explained[id(explanation.subject.doc)][ends] = explanation
    data = {
        "title": title,
        "documents": [
            describe(doc, relations_key, spans_key, explained.get(id(doc), {}))
            for doc in docs
        ],
    }
    functions = read("arcs.js") + read("relations.js")
    script = f'(() => {{\n"use strict";\n{functions}\ndraw("{root_id}");\n}})();'
    drawing = fill(
        "fragment.html",
        id=root_id,
        style=read("base.css") + read("relations.css"),
        data=json.dumps(data).translate(ESCAPES),
        script=script,
    )
    if is_page:
        return make_page(title, drawing, script)
    if in_notebook:
        from IPython.display import HTML, display

        display(HTML(drawing))
        return None
    return drawing


def describe(
    doc: Doc,
    relations_key: str = DEFAULT_KEY,
    spans_key: str | None = None,
    explained: Mapping[Ends, "Explanation"] = MappingProxyType({}),
) -> dict[str, Any]:
    """What the page is told about a Doc. More keys in it or in its relations do no
    harm: the page reads those it knows.

    doc (Doc): The Doc.
    relations_key (str): Where the relations are.
    spans_key (Optional[str]): Where the entities are, as in `render`.
    explained (Mapping[Ends, Explanation]): Explanations by where subject and object
        start and end.
    RETURNS (Dict[str, Any]): The Doc's "id" (None without one), "language" and "text";
        its "spans", with "start" and "end" in the text (as JavaScript counts) and
        "type"; and its "relations", with "subject" and "object" (indices into the
        spans), "predicate", "score" and, where there is one, "explanation".
    """
    # JavaScript counts a character beyond the basic multilingual plane twice.
    offsets = list(accumulate((1 + (c > "\uffff") for c in doc.text), initial=0))
    spans: dict[tuple[int, int, str], int] = {}
    first_at: dict[tuple[int, int], int] = {}

    def add(span: Span) -> int:
        """The index of a span: one for all that have its place and type, and that of
        the entity in its place if it has no type."""
        place = offsets[span.start_char], offsets[span.end_char]
        first = first_at.setdefault(place, len(spans))
        if first < len(spans) and not span.label_:
            return first
        return spans.setdefault((*place, span.label_), len(spans))

    for entity in get_spans(doc, spans_key):
        add(entity)
    relations = [
        {
            "subject": add(relation.subject),
            "object": add(relation.object),
            "predicate": relation.label,
            "score": relation.score,
            **_explain(explained.get(_ends(relation.subject, relation.object))),
        }
        for relation in get_relations(doc, relations_key)
    ]
    doc_id = doc.user_data.get("doc_id")
    return {
        "id": None if doc_id is None else str(doc_id),
        "language": doc.lang_,
        "text": doc.text,
        "spans": [
            {"start": start, "end": end, "type": type_} for start, end, type_ in spans
        ],
        "relations": relations,
    }


def _ends(subject: Span, object_: Span) -> Ends:
    return subject.start, subject.end, object_.start, object_.end


def _explain(explanation: "Explanation | None") -> dict[str, Any]:
    """The part of a relation that says how all predicates were scored."""
    if explanation is None:
        return {}
    from .explanation import SHORTENED  # here, because it imports the models

    asked = [x for x in explanation.opinions if x.skipped in (None, "pruned")]
    told = [
        {
            "predicate": opinion.label,
            "score": round(opinion.probability, 4),
            "cosine": round(max(opinion.cosines), 4) if opinion.cosines else None,
            "head": _rounded(opinion.head_probability),
            "descriptions": list(opinion.descriptions),
            "pruned": opinion.skipped == "pruned",
        }
        for opinion in asked[:N_OPINIONS]
    ]
    return {
        "explanation": {
            "text": explanation.text,
            "shortened": [SHORTENED[name] for name in explanation.shortened],
            "opinions": told,
            "n_others": len(explanation.opinions) - len(told),
        }
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
