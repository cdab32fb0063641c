"""The page of an evaluation: how well one or two pipelines do, and where they err."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from spacy.tokens import Span

from ..evaluation import (
    DISTANCES,
    KINDS,
    Case,
    Counts,
    Evaluation,
    candidate_recall,
    count_all,
    count_cases,
    count_confusions,
    count_labels,
    distance_of,
    is_across,
)
from ..pairs.candidates import sentence_ids
from ..training.report import count_by_reason
from ..tuning import Point, choose_point
from .pages import Html, make, make_page, read, to_ascii

# Characters of the text that are shown around each span, and points of a curve.
AROUND = 240
N_POINTS = 300
# The curve's size, and the room for its axes.
WIDTH, HEIGHT, LEFT, BOTTOM = 520, 340, 44, 40
NONE = "no relation"

Named = Sequence[tuple[str, Evaluation]]


def render_evaluation(evaluations: Named, title: str = "Evaluation") -> str:
    """Show evaluations of one or two pipelines on the same data.

    evaluations (Sequence[Tuple[str, Evaluation]]): Each with the pipeline's name.
    title (str): The heading.
    RETURNS (str): An HTML page in ASCII, which needs nothing but a browser.
    """
    script = read("evaluation.js")
    content = [
        _head(title, evaluations),
        _section("Scores", _summary(evaluations), _candidates(evaluations)),
        _section("Precision and recall", _curve(evaluations), _legend(evaluations)),
        _section("Predicates", _label_table(evaluations)),
        _section("Sentences and distance", _place_table(evaluations)),
        *(
            _section(f"Confusion{_letter(i, evaluations)}", _confusion(evaluation))
            for i, (_, evaluation) in enumerate(evaluations)
        ),
        _errors(evaluations),
    ]
    style = Html(f"<style>{read('base.css')}{read('evaluation.css')}</style>")
    body = style + make("div", *content, class_="page")
    page = to_ascii(body) + f"<script>{script}</script>"
    return make_page(title, page, script)


# --- Tables


def _head(title: str, evaluations: Named) -> Html:
    names = [
        make("li", _swatch(i), make("b", "AB"[i]), f" {name}")
        if len(evaluations) > 1
        else make("li", name)
        for i, (name, _) in enumerate(evaluations)
    ]
    return make("header", make("h1", title, dir="auto"), make("ul", *names))


def _section(heading: str, *content: Html) -> Html:
    return make("section", make("h2", heading), *content)


def _letter(i: int, evaluations: Named) -> str:
    """What is put behind a name, to say which pipeline it is of."""
    return "" if len(evaluations) == 1 else f" {'AB'[i]}"


def _swatch(i: int) -> Html:
    return make("i", style=f"--colour: var(--model-{i})")


def _table(
    head: Sequence[str], rows: Iterable[Sequence[str]], **attributes: str
) -> Html:
    """A table whose first column has names and whose others have numbers."""
    cells = [make("th", name, scope="col", class_="number") for name in head[1:]]
    first = make("th", head[0], scope="col")
    body = (
        make(
            "tr",
            make("th", row[0], scope="row", dir="auto"),
            *(
                cell if isinstance(cell, Html) else make("td", cell, class_="number")
                for cell in row[1:]
            ),
        )
        for row in rows
    )
    return make(
        "div",
        make(
            "table",
            make("thead", make("tr", first, *cells)),
            make("tbody", *body),
            **attributes,
        ),
        class_="wide",
    )


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _bar(value: float | None, i: int) -> Html:
    """An F1 with a bar under it, as long as it is high."""
    colour = f"--colour: var(--model-{i}); --value: {100 * (value or 0):.1f}%"
    return make("td", _percent(value), class_="number bar", style=colour)


def _change(values: Sequence[float | None]) -> list[str]:
    if len(values) != 2 or None in values:
        return [""] * (len(values) - 1)
    before, after = values
    assert before is not None and after is not None
    return [f"{100 * (after - before):+.1f}"]


def _scores_head(first: Sequence[str], evaluations: Named) -> list[str]:
    head = list(first)
    for i in range(len(evaluations)):
        letter = _letter(i, evaluations)
        head += [f"P{letter}", f"R{letter}", f"F1{letter}"]
    return head + ["B - A"] * (len(evaluations) - 1)


def _score_cells(prfs: Sequence[tuple[float | None, ...]]) -> list[str]:
    cells: list[str] = []
    for i, (p, r, f) in enumerate(prfs):
        cells += [_percent(p), _percent(r), _bar(f, i)]
    return cells + _change([f for *_, f in prfs])


def _summary(evaluations: Named) -> Html:
    all_scores = [evaluation.scores for _, evaluation in evaluations]
    names = {
        "rel_micro": "micro",
        "rel_boundary": "micro, without entity types",
        "rel_macro": "macro, mean of the predicates",
        "rel_candidate": "micro, of candidates only",
    }
    rows = []
    if evaluations[0][1].are_concepts:
        prfs = [count_all(evaluation.cases).prf for _, evaluation in evaluations]
        rows.append(["concepts, micro", *_score_cells(prfs)])
        names = {key: f"mention pairs, {name}" for key, name in names.items()}
    rows += [
        [name, *_score_cells([_prf(scores, key) for scores in all_scores])]
        for key, name in names.items()
        if all_scores[0].get(f"{key}_f") is not None
    ]
    return _table(_scores_head([""], evaluations), rows)


def _prf(scores: Mapping[str, Any], key: str) -> tuple[float | None, ...]:
    return tuple(scores.get(f"{key}_{part}") for part in "prf")


def _candidates(evaluations: Named) -> Html:
    items = []
    for i, (_, evaluation) in enumerate(evaluations):
        recall, rules = candidate_recall(evaluation.cases)
        lost = f" (lost: {count_by_reason(rules)})" if rules else ""
        text = (
            f"{_percent(recall)} % of the gold relations are between candidates{lost}. "
            f"{evaluation.scores['speed']:,.0f} words per second."
        )
        items.append(make("li", *([_swatch(i)] if len(evaluations) > 1 else []), text))
    return make("ul", *items)


def _label_table(evaluations: Named) -> Html:
    counts = [count_labels(evaluation.cases) for _, evaluation in evaluations]
    labels = sorted({label for own in counts for label in own})
    return _counts_table("predicate", labels, counts, evaluations)


def _place_table(evaluations: Named) -> Html:
    last = [*(f"to {n - 1} tokens between" for n in DISTANCES[1:]), "tokens and more"]
    names = {first: f"{first} {rest}" for first, rest in zip(DISTANCES, last)}

    def sentences(case: Case) -> str:
        return "across sentences" if is_across(case) else "inside a sentence"

    def distance(case: Case) -> str:
        return names[distance_of(case)]

    counts = [
        {
            **count_cases(evaluation.cases, sentences),
            **count_cases(evaluation.cases, distance),
        }
        for _, evaluation in evaluations
    ]
    rows = ["inside a sentence", "across sentences", *names.values()]
    used = [row for row in rows if any(row in own for own in counts)]
    return _counts_table("", used, counts, evaluations)


def _counts_table(
    heading: str,
    names: Iterable[str],
    counts: Sequence[Mapping[str, Counts]],
    evaluations: Named,
) -> Html:
    rows = []
    for name in names:
        given = [own.get(name, Counts()) for own in counts]
        n_gold = max(own.gold for own in given)
        n_found = [f"{own.found:,}" for own in given]
        prfs = [own.prf for own in given]
        rows.append([name, f"{n_gold:,}", *n_found, *_score_cells(prfs)])
    found = [f"found{_letter(i, evaluations)}" for i in range(len(counts))]
    return _table(_scores_head([heading, "gold", *found], evaluations), rows)


def _confusion(evaluation: Evaluation) -> Html:
    confusions = count_confusions(evaluation.cases)
    used = {label for pair in confusions for label in pair if label is not None}
    labels: list[str | None] = [*sorted(used), None]
    rows = []
    for gold in labels:
        total = sum(confusions[gold, found] for found in labels) or 1
        cells = [
            make(
                "td",
                f"{n:,}" if n else "",
                class_="number right" if gold == found else "number",
                style=f"--value: {70 * n / total:.0f}%" if n else None,
            )
            for found in labels
            for n in [confusions[gold, found]]
        ]
        rows.append([gold or NONE, *cells])
    head = ["gold, down; found, across", *(label or NONE for label in labels)]
    return _table(head, rows, class_="confusion")


# --- The curve


def _curve(evaluations: Named) -> Html:
    shapes = []
    for tick in range(0, 11, 2):
        x, y = _at(Point(None, tick / 10, tick / 10))
        label = f"{10 * tick}"
        top, end = _at(Point(None, 1.0, 1.0))[1], _at(Point(None, 0.0, 1.0))[0]
        shapes += [
            make("path", d=f"M{x:.1f} {top}V{HEIGHT - BOTTOM}", class_="grid"),
            make("path", d=f"M{LEFT} {y:.1f}H{end:.1f}", class_="grid"),
            make("text", label, x=f"{x:.1f}", y=HEIGHT - BOTTOM + 16, class_="x"),
            make("text", label, x=LEFT - 8, y=f"{y + 4:.1f}", class_="y"),
        ]
    shapes += [
        make("text", "recall", x=LEFT + 220, y=HEIGHT - 6, class_="x"),
        make("text", "precision", x=LEFT, y=12),
    ]
    for i, (_, evaluation) in enumerate(evaluations):
        points = evaluation.points
        if not points:
            continue
        step = max(len(points) // N_POINTS, 1)
        places = [_at(point) for point in [*points[::step], points[-1]]]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        best = _at(choose_point(points, None))
        now = _at(_now(evaluation))
        shapes += [
            make("path", d=f"M{path}", class_="curve", style=_colour(i)),
            _circle(best, 6, "best", i),
            _circle(now, 4, "now", i),
        ]
    return make(
        "svg",
        *shapes,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label="Precision and recall with every threshold",
    )


def _circle(place: tuple[float, float], r: int, name: str, i: int) -> Html:
    x, y = place
    return make(
        "circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=r, class_=name, style=_colour(i)
    )


def _colour(i: int) -> str:
    return f"--colour: var(--model-{i})"


def _at(point: Point) -> tuple[float, float]:
    width, height = WIDTH - LEFT - 12, HEIGHT - BOTTOM - 20
    return LEFT + point.recall * width, 20 + (1 - point.precision) * height


def _now(evaluation: Evaluation) -> Point:
    """What the pipeline's own threshold leads to."""
    p, r, _ = count_all(evaluation.cases).prf
    return Point(None, 1.0 if p is None else p, r or 0.0)


def _legend(evaluations: Named) -> Html:
    rows = []
    for i, (_, evaluation) in enumerate(evaluations):
        chosen = [("as it is set", _now(evaluation))]
        if evaluation.points:
            best = choose_point(evaluation.points, None)
            chosen.append((f"best threshold here, {best.threshold:.4g}", best))
        for what, point in chosen:
            scores = [_percent(point.precision), _percent(point.recall)]
            name = what if len(evaluations) == 1 else f"{'AB'[i]}, {what}"
            rows.append([name, *scores, _bar(point.f, i)])
    return _table(["", "P", "R", "F1"], rows)


# --- Errors


def _errors(evaluations: Named) -> Html:
    by_place: dict[Any, list[list[Case]]] = defaultdict(
        lambda: [[] for _ in evaluations]
    )
    for i, (_, evaluation) in enumerate(evaluations):
        for case in evaluation.cases:
            by_place[case.doc, case.ends][i].append(case)
    wrong = {
        place: cases
        for place, cases in by_place.items()
        if any(case.kind != "right" for own in cases for case in own)
    }
    items = [_error(wrong[place], evaluations) for place in sorted(wrong, key=_order)]
    kinds = Counter(
        kind
        for cases in wrong.values()
        for kind in {case.kind for own in cases for case in own} - {"right"}
    )
    labels = sorted({label for cases in wrong.values() for label in _labels(cases)})
    menus = [
        _menu(
            "kinds", "All errors", {k: f"{k} ({kinds[k]})" for k in KINDS if kinds[k]}
        ),
        _menu("labels", "All predicates", {label: label for label in labels}),
    ]
    if len(evaluations) > 1:
        menus.append(
            _menu("models", "A or B", {"A": "A only", "B": "B only", "AB": "both"})
        )
    count = make("span", f"{len(items):,}", class_="count", role="status")
    return make(
        "section",
        make("h2", "Errors"),
        make("p", *menus, count, class_="controls"),
        make("ol", *items, class_="errors"),
    )


def _order(place: tuple) -> tuple:
    return place[0], str(place[1])


def _labels(cases: Iterable[Iterable[Case]]) -> set[str]:
    found = {x for own in cases for case in own for x in (case.gold, case.found)}
    return {label for label in found if label is not None}


def _menu(name: str, first: str, choices: Mapping[str, str]) -> Html:
    options = [make("option", text, value=value) for value, text in choices.items()]
    everything = make("option", first, value="")
    return make("select", everything, *options, data_filter=name, aria_label=first)


def _error(cases: Sequence[Sequence[Case]], evaluations: Named) -> Html:
    every = [case for own in cases for case in own]
    shown = next((case for case in every if case.gold is not None), every[0])
    kinds = [[case.kind for case in own if case.kind != "right"] for own in cases]
    wrong = "".join(name for name, own in zip("AB", kinds) if own)
    doc_id = shown.doc_id or f"Document {shown.doc + 1}"
    gold = " ".join(dict.fromkeys(case.gold for case in every if case.gold))
    verdicts = [make("span", make("b", "gold "), gold or NONE, dir="auto")]
    for i, own in enumerate(cases):
        swatch = [_swatch(i)] if len(evaluations) > 1 else []
        verdicts += [make("span", *swatch, *_verdict(case), dir="auto") for case in own]
        if not own:
            verdicts.append(make("span", *swatch, make("b", "right "), NONE))
    return make(
        "li",
        make("p", *_excerpt(shown), class_="excerpt", dir="auto"),
        make("p", *verdicts, make("small", str(doc_id)), class_="verdict"),
        data_kinds=json.dumps(sorted({kind for own in kinds for kind in own})),
        data_labels=json.dumps(sorted(_labels(cases))),
        data_models=json.dumps([wrong]),
    )


def _verdict(case: Case) -> Iterator[str]:
    yield make("b", f"{case.kind} ")
    if case.found is not None:
        yield f"{case.found} {case.score:.2f}"
    if case.reason is not None:
        yield make("em", case.reason)


def _excerpt(case: Case) -> Iterator[str]:
    """The text around both spans, which are marked."""
    doc = case.subject.doc
    spans = {"subject": case.subject, "object": case.object}
    windows = sorted(_window(span) for span in spans.values())
    (start, end), (next_start, next_end) = windows
    if next_start <= end + 1:
        windows = [(start, max(end, next_end))]
    text = doc.text
    for n, (start, end) in enumerate(windows):
        if n or start:
            yield " … "
        cuts = {
            min(max(place, start), end)
            for span in spans.values()
            for place in (span.start_char, span.end_char)
        }
        places = sorted({start, end, *cuts})
        for a, b in zip(places, places[1:]):
            roles = [
                role
                for role, span in spans.items()
                if span.start_char <= a and b <= span.end_char
            ]
            if not roles:
                yield text[a:b]
                continue
            names = [
                f"{role} {spans[role].label_}".strip()
                for role in roles
                if spans[role].end_char == b
            ]
            small = [make("small", name) for name in names]
            yield make("mark", text[a:b], *small, class_=" ".join(roles))
    if windows[-1][1] < len(text):
        yield " … "


def _window(span: Span) -> tuple[int, int]:
    """Where the sentences of a span begin and end, or what is near to it in them."""
    doc = span.doc
    sentences = sentence_ids(doc)
    of_span = sentences[span.start : span.end]
    inside = [i for i, own in enumerate(sentences.tolist()) if own in of_span]
    first, last = doc[inside[0]], doc[inside[-1]]
    start = max(first.idx, span.start_char - AROUND)
    return start, min(last.idx + len(last), span.end_char + AROUND)
