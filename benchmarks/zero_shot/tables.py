"""The recorded measurements as tables."""

from collections.abc import Callable
from statistics import mean, stdev
from typing import Any

import numpy

from benchmarks.pages import folded, make_table
from benchmarks.zero_shot.corpora import CORPORA
from benchmarks.zero_shot.few import FEW_CORPORA, SYSTEMS
from benchmarks.zero_shot.measures import prf

# Labels of the written dev and test that FewRel and Re-DocRED have in other words.
RELATED = {
    *("sibling_of", "died_in", "composed", "headquartered_in", "twinned_with"),
    *("plays_for", "member_of", "claimed_by", "seceded_from", "distributes"),
    *("administered_by", "plays_home_at", "stored_in"),
}
# What the page shows, if there is any; the rest is folded.
SHOWN = {"model": "general", "join": "max", "hub": "none"}
FOLDED = "Other choices, and the models before"


def make_tables(rows: list[dict[str, Any]]) -> str:
    """RETURNS (str): The recorded rows as tables, in Markdown."""
    modes: dict[str, list] = {"fewrel": [], "negatives": [], "few": []}
    for row in rows:
        modes[row["is"]["mode"]].append(row)
    lines = []
    if modes["fewrel"]:
        lines += ["### N-way FewRel", "", *fewrel_table(modes["fewrel"]), ""]
    corpora = {row["is"]["corpus"] for row in modes["negatives"]}
    for corpus in (own for own in CORPORA if own in corpora):
        own = [row for row in modes["negatives"] if row["is"]["corpus"] == corpus]
        shown = [row for row in own if SHOWN.items() <= row["is"].items()] or own
        lines += [f"### {corpus}", "", *fold(own, shown, negatives_table)]
    for corpus in FEW_CORPORA:
        own = [row for row in modes["few"] if row["is"]["corpus"] == corpus]
        if own:
            shown = [row for row in own if not is_of_another_model(row)] or own
            title = f"### {corpus}, few sentences"
            lines += [title, "", *fold(own, shown, few_table)]
    return "\n".join(lines)


def fold(
    rows: list[dict[str, Any]],
    shown: list[dict[str, Any]],
    make: Callable[[list[dict[str, Any]]], list[str]],
) -> list[str]:
    """Make a table of some rows, and a folded one of the others.

    rows (List[Dict]): The rows.
    shown (List[Dict]): Those in the first table.
    make (Callable): Makes the lines of a table.
    RETURNS (List[str]): The lines.
    """
    rest = [row for row in rows if row not in shown]
    return [*make(shown), "", *(folded(FOLDED, [*make(rest), ""]) if rest else [])]


def is_of_another_model(row: dict[str, Any]) -> bool:
    """RETURNS (bool): Whether a training started from another than the general model
    that is shown.
    """
    return row["is"]["system"] == "general" and row["is"]["model"] != SHOWN["model"]


def fewrel_table(rows: list[dict[str, Any]]) -> list[str]:
    """RETURNS (List[str]): A line for each model, split and way to score."""
    sizes = sorted({row["is"]["n"] for row in rows})
    lines: dict[tuple[str, ...], dict[int, str]] = {}
    for row in rows:
        own = row["is"]
        names = ("model", "split", "per_relation", "join", "hub")
        key = (*(str(own[name]) for name in names), ", ".join(row["seen"]) or "-")
        lines.setdefault(key, {})[own["n"]] = percent(row["f"])
    header = ["model", "split", "sentences of each", "descriptions", "hubs", "seen"]
    return make_table(
        [*header, *(f"F1, N = {n}" for n in sizes)],
        [[*key, *(own.get(n, "-") for n in sizes)] for key, own in lines.items()],
    )


def negatives_table(rows: list[dict[str, Any]]) -> list[str]:
    """RETURNS (List[str]): A line for each row."""
    numbers = ("micro_p", "micro_r", "micro_f", "macro_p", "macro_r", "macro_f")
    header = ["model", "Docs", "signatures", "descriptions", "hubs", "decision"]
    header += [name.replace("_", " ").replace(" f", " F1") for name in numbers]
    header += ["unrelated found", "micro F1 without relatives"]
    body = []
    for row in rows:
        own = row["is"]
        counts = [c for label, c in row["counts"].items() if label not in RELATED]
        without = prf(*numpy.sum(counts, axis=0))[2] if counts else 0.0
        body.append(
            [
                *(own["model"], str(own["limit"] or "all")),
                "with" if own["signatures"] else "without",
                *(own["join"], own["hub"], own["decision"]),
                *(percent(row[name]) for name in numbers),
                percent(row["unrelated_found"]),
                percent(without) if own["corpus"].startswith("written") else "-",
            ]
        )
    return make_table(header, body)


def few_table(rows: list[dict[str, Any]]) -> list[str]:
    """RETURNS (List[str]): A line for each system, a column for each size."""
    lines = group_few(rows)
    found = {size for line in lines.values() for size in line}
    sizes = sorted(found, key=lambda size: size or numpy.inf)
    header = ["trained", "from", "Docs", "threshold"]
    header += [str(size or "all") for size in sizes]
    body = []
    for key, values in lines.items():
        cells = []
        for size in sizes:
            own = values.get(size, [])
            spread = f" ± {100 * stdev(own):.1f}" if len(own) > 1 else ""
            cells.append(percent(mean(own)) + spread if own else "-")
        body.append([*key, *cells])
    return make_table(header, body)


def group_few(
    rows: list[dict[str, Any]],
) -> dict[tuple[str, str, str, str], dict[int | None, list[float]]]:
    """Group trainings with few sentences that differ in their number and the draw.

    rows (List[Dict]): The recorded trainings on a corpus.
    RETURNS (Dict): System, model, Docs and threshold; for each the F1 of the corpus of
        all draws, by the number of sentences. In the order of `SYSTEMS`.
    """
    lines: dict[tuple[str, str, str, str], dict[int | None, list[float]]] = {}
    order = list(SYSTEMS)
    for row in sorted(rows, key=lambda row: order.index(row["is"]["system"])):
        own = row["is"]
        measure = FEW_CORPORA[own["corpus"]]
        names = own["system"], own["model"], str(own["limit"] or "all")
        decided = [("default", row)]
        if "threshold" in row:
            decided.append((str(row["threshold"]["at"]), row["threshold"]))
        for threshold, scores in decided:
            line = lines.setdefault((*names, threshold), {})
            line.setdefault(own["size"], []).append(scores[f"{measure}_f"])
    return lines


def percent(value: float) -> str:
    """RETURNS (str): A share in percent."""
    return f"{100 * value:.1f}"
