"""The page of relations in a real browser."""

import json

import pytest
from browser import Browser, find_browser
from render_examples import make_company, make_doc, make_examples
from test_render import HOSTILE, make_hostile

from spacy_dualre.output.explanation import Explanation, Opinion
from spacy_dualre.output.rendering import render

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not find_browser(), reason="there is no Chromium"),
]
N_RELATIONS = 50
N_DOCUMENTS = 7
# Where an arc has to run through a mark, from another within it.
NESTED = ("company-1", "overlap-5")
# Where names are longer than there is room, so that some lie over other arcs.
CROWDED = ("short-3", "overlap-5")
LOOKS = [(width, scheme) for width in (1200, 700, 400) for scheme in ("light", "dark")]

# What there is to see of each document: boxes of labels and marks, and points along
# arcs, all relative to the window.
SEEN = """[...root.querySelectorAll(".document")].map((section) => {
    const box = (element) => element.getBoundingClientRect().toJSON();
    const origin = section.querySelector("svg").getBoundingClientRect();
    return {
        name: section.querySelector("h2").textContent,
        box: box(section),
        labels: [...section.querySelectorAll(".labels button:not([hidden])")].map(
            (label) => ({ relation: label.dataset.relation, ...box(label) })
        ),
        marks: [...section.querySelectorAll("mark")].map((mark) => ({
            span: Number(mark.dataset.span),
            boxes: [...mark.getClientRects()].map((rect) => rect.toJSON()),
        })),
        arcs: [...section.querySelectorAll(".arc")].map((arc) => {
            const path = arc.querySelector(".line");
            const length = path.getTotalLength();
            const n = Math.ceil(length / 3);
            return {
                relation: arc.dataset.relation,
                points: [...Array(n + 1).keys()]
                    .map((i) => path.getPointAtLength((i / n) * length))
                    .map(({ x, y }) => [x + origin.left, y + origin.top]),
            };
        }),
    };
})"""
COUNT = 'root.querySelector(".count").textContent'
LIT = """[...root.querySelectorAll("%s.lit")].map(
    (element) => element.dataset.relation ?? element.dataset.span)"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def page(folder):
    path = folder / "examples.html"
    path.write_text(render(make_examples(), spans_key="entities"), "ascii")
    return path


def set_value(browser, selector, value):
    element = f"root.querySelector({json.dumps(selector)})"
    event = f"{element}.dispatchEvent(new Event('input'))"
    browser.run(f"({element}.value = {json.dumps(value)}, {event})")
    browser.settle()


def has_point(box, point, margin=0):
    (x, y) = point
    return (
        box["left"] + margin < x < box["right"] - margin
        and box["top"] + margin < y < box["bottom"] - margin
    )


def is_apart(a, b):
    """Whether two boxes do not overlap."""
    sides = ("left", "right"), ("top", "bottom")
    return any(a[high] <= b[low] or b[high] <= a[low] for low, high in sides)


def is_end_of(marks, span, point):
    """Whether a point is right above one of the boxes of a span."""
    return any(
        box["left"] <= point[0] <= box["right"] and 0 < box["top"] - point[1] < 9
        for mark in marks
        if mark["span"] == span
        for box in mark["boxes"]
    )


@pytest.mark.parametrize("width, scheme", LOOKS)
def test_everything_can_be_read(browser, page, width, scheme):
    browser.open(page, width, 7000, prefers_color_scheme=scheme)
    assert browser.run("document.documentElement.scrollWidth") == width
    data = json.loads(
        browser.run(
            "root.host.querySelector('[type=\"application/json\"]').textContent"
        )
    )
    documents = browser.run(SEEN)
    assert sum(len(document["arcs"]) for document in documents) == N_RELATIONS
    assert not [e for e in browser.events if e["method"].endswith("exceptionThrown")]
    n_behind = 0
    for document, described in zip(documents, data["documents"]):
        labels = document["labels"]
        assert len(labels) == len(document["arcs"]) == len(described["relations"])
        for i, label in enumerate(labels):
            assert label["left"] >= 0 and label["right"] <= width
            assert document["box"]["top"] < label["top"]
            for other in labels[i + 1 :]:
                assert is_apart(label, other), (label, other)
        boxes = [box for mark in document["marks"] for box in mark["boxes"]]
        for arc in document["arcs"]:
            relation = described["relations"][int(arc["relation"])]
            start, *_, end = arc["points"]
            assert is_end_of(document["marks"], relation["subject"], start)
            assert is_end_of(document["marks"], relation["object"], end)
            assert all(0 <= x <= width for x, _ in arc["points"])
            if document["name"] not in NESTED:
                assert not any(
                    has_point(box, point, 1) for box in boxes for point in arc["points"]
                )
            for label in labels:
                if document["name"] in CROWDED or label["relation"] == arc["relation"]:
                    continue
                n_behind += any(has_point(label, point) for point in arc["points"])
    # How often there is no other way depends on the fonts.
    assert n_behind <= 6


# Colours as the browser mixes them, from a canvas of one pixel.
CONTRASTS = """(() => {
    const context = document.createElement("canvas").getContext("2d", {
        willReadFrequently: true,
    });
    const luminance = (colour) => {
        context.fillStyle = colour;
        context.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map((value) => {
            const part = value / 255;
            return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = (a, b) => {
        const [low, high] = [luminance(a), luminance(b)].sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
    };
    const style = (selector) =>
        [...root.querySelectorAll(selector)].map((element) => [
            getComputedStyle(element),
            getComputedStyle(element.parentElement),
        ]);
    const paper = getComputedStyle(root.querySelector(".page")).backgroundColor;
    return {
        text: [
            ...style("mark > small").map(([own, mark]) =>
                contrast(own.color, mark.backgroundColor)),
            ...style("mark").map(([own]) => contrast(own.color, own.backgroundColor)),
            ...style(".labels small").map(([own, label]) =>
                contrast(own.color, label.backgroundColor)),
            ...style("h2, th, .count, summary span").map(([own]) =>
                contrast(own.color, paper)),
        ],
        lines: [
            ...style(".line").map(([own]) => contrast(own.stroke, paper)),
            ...style(".labels button").map(([own]) => contrast(own.borderColor, paper)),
        ],
    };
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_is_enough(browser, page, scheme):
    browser.open(page, 1200, 7000, prefers_color_scheme=scheme)
    contrasts = browser.run(CONTRASTS)
    assert min(contrasts["text"]) >= 4.5
    assert min(contrasts["lines"]) >= 3


def test_right_to_left(browser, page):
    browser.open(page, 1200, 7000)
    (arabic,) = [d for d in browser.run(SEEN) if d["name"] == "arabic-4"]
    first, second = (mark["boxes"][0] for mark in arabic["marks"][:2])
    assert second["right"] < first["left"]
    assert browser.run("root.querySelectorAll('.document')[3].scrollWidth") <= 1200


def test_the_slider_leaves_out_what_is_less_likely(browser, page):
    browser.open(page, height=7000)
    assert browser.run(COUNT) == f"{N_RELATIONS} relations in {N_DOCUMENTS} documents"
    set_value(browser, "input[type=range]", 0.7)
    n = sum(r.score >= 0.7 for doc in make_examples() for r in doc._.relations)
    for things in (".arc", "tr[data-relation]:not([hidden])"):
        assert browser.run(f"root.querySelectorAll('{things}').length") == n
    expected = f"{n} of {N_RELATIONS} relations in {N_DOCUMENTS} documents"
    assert browser.run(COUNT) == expected
    assert browser.run("root.querySelector('output').textContent") == "0.70"
    # With the keyboard.
    browser.run("root.querySelector('input[type=range]').focus()")
    browser.press("End", 35)
    assert browser.run("root.querySelectorAll('.arc').length") == 0


def test_filters_by_predicate_and_by_type(browser, page):
    browser.open(page, height=7000)
    browser.click(".predicates summary")
    browser.click(".predicates p button:nth-child(2)")
    assert browser.run("root.querySelectorAll('.arc').length") == 0
    name = "[...root.querySelectorAll('.predicates label')].findIndex(" + (
        "(label) => label.querySelector('bdi').textContent === 'founded') + 2"
    )
    browser.click(f".predicates label:nth-child({browser.run(name)}) input")
    assert browser.run("root.querySelectorAll('.arc').length") == 4
    assert browser.run("root.querySelector('.predicates span').textContent") == "1/28"
    browser.click(".only input")
    assert browser.run(COUNT) == "4 of 50 relations in 3 of 7 documents"
    browser.click(".types summary")
    assert not browser.run("root.querySelector('.predicates').open")
    set_all = ".types p button:nth-child({})"
    browser.click(set_all.format(2))
    assert browser.run("root.querySelectorAll('mark:not(.plain)').length") == 0
    assert browser.run(COUNT) == "0 of 50 relations in 0 of 7 documents"
    browser.click(set_all.format(1))
    assert browser.run(COUNT) == "4 of 50 relations in 3 of 7 documents"


def test_search(browser, page):
    browser.open(page)
    browser.run("root.querySelector('input[type=search]').focus()")
    browser.write("MOSS")
    assert browser.run(COUNT) == "12 of 50 relations in 1 of 7 documents"
    found = "[...CSS.highlights.get('relations-search')].map((range) => `${range}`)"
    assert browser.run(found) == ["Moss", "Moss", "Moss"]
    set_value(browser, "input[type=search]", "moss and")
    assert browser.run(found) == ["Moss", " and"]
    set_value(browser, "input[type=search]", "trial-2")
    assert browser.run(COUNT) == "12 of 50 relations in 1 of 7 documents"
    set_value(browser, "input[type=search]", "(")
    assert browser.run(COUNT) == "0 of 50 relations in 0 of 7 documents"
    set_value(browser, "input[type=search]", "")
    assert browser.run(COUNT) == "50 relations in 7 documents"
    assert browser.run(found) == []


def test_what_belongs_together_lights_up(browser, page):
    browser.open(page)
    browser.hover("[aria-label='company-1'] .labels [data-relation='0']")
    assert browser.run(LIT % ".arc") == ["0"]
    assert browser.run(LIT % "tr") == ["0"]
    assert sorted(browser.run(LIT % "mark")) == ["0", "2"]
    # An entity, and all relations that it has a part in.
    browser.hover("[aria-label='company-1'] mark[data-span='1']")
    assert sorted(browser.run(LIT % ".arc")) == ["4", "5"]
    assert sorted(browser.run(LIT % "mark")) == ["1", "2", "5"]
    browser.hover("h1")
    assert browser.run(LIT % "*") == []


def test_the_table_pins_a_relation(browser, page):
    browser.open(page, 400, 700)
    row = "[aria-label='trial-2'] tr[data-relation='0']"
    browser.click(row)
    label = "[aria-label='trial-2'] .labels [data-relation='0']"
    top = browser.run(f'root.querySelector("{label}").getBoundingClientRect().top')
    assert 0 < top < 700
    browser.hover("h1")
    assert browser.run(LIT % ".arc") == ["0"]
    assert browser.run(f'root.querySelector("{row}").ariaCurrent') == "true"
    # It stays lit when the arcs are drawn anew, and goes when it is left out.
    set_value(browser, "input[type=range]", 0.9)
    assert browser.run(LIT % ".arc") == ["0"]
    set_value(browser, "input[type=range]", 1)
    assert browser.run(LIT % "*") == []
    set_value(browser, "input[type=range]", 0)
    browser.click(row)
    browser.press("Escape", 27)
    browser.hover("h1")
    assert browser.run(LIT % "*") == []


def test_how_a_relation_was_scored_stands_under_its_row(browser, folder):
    doc = make_company()
    subject, object_, label, score = doc._.relations[0]
    read = "<S:PERSON> ada moss </S:PERSON> founded <O:ORG> quillon optics </O:ORG>"
    opinions = (
        Opinion(label, (read,), (0.83,), score, 2.5, 0.91, None),
        Opinion("no_relation", (HOSTILE[0],), (0.1,), 0.03, 0.2, None, None),
        Opinion("<b>", (), (), 0.0, None, None, "pruned"),
        Opinion("other", (), (), 0.0, None, None, "signature"),
    )
    explanation = Explanation(
        subject, object_, text=read, shortened=("context",), opinions=opinions
    )
    path = folder / "explained.html"
    path.write_text(render(doc, explanations=[explanation]), "ascii")
    for width in (1200, 400):
        browser.open(path, width)
        pane = "root.querySelector('.explanation')"
        assert browser.run(pane) is None
        browser.click("tr[data-relation='0']")
        text = browser.run(f"{pane}.innerText")
        for part in (
            read,
            "0.83",
            "0.91",
            HOSTILE[0],
            "<b>",
            "around the pair",
            "1 pred",
        ):
            assert part in text
        assert "Head" in text
        browser.click(".explanation .read")
        assert browser.run(pane) is not None  # its text can be selected
        assert browser.run("document.documentElement.scrollWidth") == width
        wide = "[...root.querySelectorAll('.triples')].some((x) => x.scrollWidth > {})"
        assert not browser.run(wide.format("x.clientWidth"))
        browser.click("tr[data-relation='1']")  # of which nothing is told
        assert browser.run(pane) is None
        browser.click("tr[data-relation='0']")
        browser.press("Escape", 27)
        assert browser.run(pane) is None


def test_relations_can_be_reached_by_keyboard(browser, page):
    browser.open(page)
    browser.run("root.querySelector('.only input').focus()")
    browser.press("Tab", 9)
    active = "root.activeElement.getAttribute('aria-label')"
    first = "Ada Moss (PERSON), founded, Quillon Optics (ORG); score 0.97"
    assert browser.run(active) == first
    assert browser.run(LIT % ".arc") == ["0"]
    browser.press("Tab", 9)
    assert browser.run(LIT % ".arc") == ["1"]
    browser.run("root.activeElement.click()")
    assert browser.run("root.activeElement.ariaPressed") == "true"


def test_another_width_is_laid_out_anew(browser, page):
    browser.open(page, 1200, 7000)
    wide = browser.run(SEEN)
    browser.resize(500, 9000)
    browser.settle()
    narrow = browser.run(SEEN)
    assert narrow != wide
    for document in narrow:
        assert all(label["right"] <= 500 for label in document["labels"])
    browser.resize(1200, 7000)
    browser.settle()
    assert browser.run(SEEN) == wide


def test_hundreds_of_documents_are_laid_out_when_they_are_near(browser, folder):
    path = folder / "many.html"
    path.write_text(render(make_examples() * 72, spans_key="entities"), "ascii")
    browser.open(path)
    n_arcs = "root.querySelectorAll('.arc').length"
    assert 0 < browser.run(n_arcs) < 150
    browser.run("root.querySelector('.document:nth-child(300)').scrollIntoView()")
    browser.settle()
    there = "root.querySelectorAll('.document:nth-child(303) .arc').length"
    assert browser.run(there) > 0
    assert browser.run(n_arcs) < 500


def test_paper_has_all_arcs_at_its_own_width(browser, folder):
    path = folder / "print.html"
    path.write_text(render(make_examples() * 4, spans_key="entities"), "ascii")
    browser.open(path, 1200, 700, prefers_color_scheme="dark")
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert browser.run("root.querySelectorAll('.arc').length") == 4 * N_RELATIONS
    for document in browser.run(SEEN):
        assert all(label["right"] <= 680 for label in document["labels"])
    browser.run("dispatchEvent(new Event('afterprint'))")
    assert browser.run("root.querySelector('.document').clientWidth") == 1200
    assert browser.call("Page.printToPDF")["data"]


def test_hostile_text_stays_text(browser, folder):
    path = folder / "hostile.html"
    path.write_text(render(map(make_hostile, HOSTILE), title=HOSTILE[0]), "ascii")
    browser.open(path, height=4000)
    assert browser.run("document.title") == HOSTILE[0]
    assert browser.run("root.querySelector('h1').textContent") == HOSTILE[0]
    headings = "[...root.querySelectorAll('h2')].map((h) => h.textContent)"
    assert browser.run(headings) == HOSTILE
    spans = "[...root.querySelectorAll('.labels button span')]"
    assert browser.run(f"{spans}.map((span) => span.textContent)") == HOSTILE
    assert browser.run("root.querySelectorAll('img, script').length") == 0
    assert browser.run("document.scripts.length") == 2


def test_nothing_is_asked_of_the_network(browser, page):
    browser.open(page)
    requests = [
        event["params"]["request"]["url"]
        for event in browser.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert requests == [page.as_uri()]


def test_fragments_do_not_clash(browser, folder):
    path = folder / "notebook.html"
    fragments = [render(doc, page=False) for doc in make_examples()[:2]]
    style = "<style>h1 { color: rgb(255, 0, 0) } div { letter-spacing: 9px }</style>"
    path.write_text(f"<!DOCTYPE html>{style}<h1>Notebook</h1>{''.join(fragments)}")
    browser.open(path, height=2000)
    counts = "[...document.querySelectorAll('body > div')].map((host) =>"
    n_arcs = f"{counts} host.shadowRoot.querySelectorAll('.arc').length)"
    assert browser.run(n_arcs) == [12, 12]
    colours = f"{counts} getComputedStyle(host.shadowRoot.querySelector('h1')).color)"
    assert "rgb(255, 0, 0)" not in browser.run(colours)
    outside = "getComputedStyle(document.querySelector('h1')).fontSize"
    assert browser.run(outside) == "32px"
    set_value(browser, "input[type=range]", 0.95)
    assert browser.run(n_arcs) == [2, 12]


def test_a_fragment_can_be_put_in_later(browser, folder):
    """As notebooks do, which make elements of the HTML before they show them."""
    path = folder / "empty.html"
    path.write_text("<!DOCTYPE html>")
    browser.open(path)
    fragment = render(make_examples()[0], page=False)
    put = """((html) => {
        const output = document.createElement("div");
        output.innerHTML = html;
        for (const old of output.querySelectorAll("script")) {
            const script = document.createElement("script");
            for (const { name, value } of old.attributes) {
                script.setAttribute(name, value);
            }
            script.textContent = old.textContent;
            old.replaceWith(script);
        }
        document.body.append(output.firstElementChild);
    })"""
    browser.run(f"{put}({json.dumps(fragment)})")
    browser.settle()
    assert browser.run("root.querySelectorAll('.arc').length") == 12


def test_certain_relations_show_no_scores(browser, folder):
    path = folder / "gold.html"
    relations = [("Ada", "saw", "Bo", 1.0)]
    doc = make_doc("gold", "Ada saw Bo", {"Ada": "A", "Bo": "A"}, relations)
    path.write_text(render(doc), "ascii")
    browser.open(path)
    assert browser.run("root.querySelector('.page').innerText").count("1.00") == 0
