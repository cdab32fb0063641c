"""Groups of recorded runs that differ in nothing but the seed."""

import sys
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.datasets import DATASETS
from benchmarks.scores.rows import Run
from benchmarks.scores.variants import VARIANTS, is_linear, linear_of

# Those that the page misses where they were not run.
ENCODERS = {"all-MiniLM-L6-v2": "MiniLM-L6", "all-mpnet-base-v2": "MPNet-base"}
# The runs that differ in nothing but the seed, which is 0 in the key; the encoder there
# is the last part of its name, as a path is the same encoder.
Groups = dict[Run, list[dict[str, Any]]]


def group_runs(rows: list[dict[str, Any]]) -> Groups:
    """Group the runs that differ in nothing but the seed.

    rows (List[Dict[str, Any]]): The recorded runs of a dataset.
    RETURNS (Groups): The runs of each group, by seed; those of whole trainings first.
    """
    groups: Groups = {}
    for row in sorted(rows, key=lambda row: row["seed"]):
        encoder = Path(row["encoder"]).name
        group = replace(Run.of(row), seed=0, encoder=encoder)
        groups.setdefault(group, []).append(row)
    encoders = list(dict.fromkeys([*ENCODERS, *(group.encoder for group in groups)]))
    order = list(dict.fromkeys([*VARIANTS, *(group.variant for group in groups)]))

    def place(group: Run) -> tuple:
        return (
            encoders.index(group.encoder),
            group.train_docs or 0,
            group.passes or 0,
            group.steps or 0,
            order.index(group.variant),
            group.changes,
        )

    return {group: groups[group] for group in sorted(groups, key=place)}


def best_duals(groups: Groups) -> dict[str, Run]:
    """Find the dual encoder of each encoder whose training on all documents was best on
    dev.

    groups (Groups): The runs of a dataset.
    RETURNS (Dict[str, Run]): Its group, by the encoder's name.
    """
    return {
        encoder: group
        for (encoder, train_docs), group in _best_duals(groups).items()
        if train_docs is None
    }


def duals_by_documents(groups: Groups) -> dict[str, list[Run]]:
    """Find the dual encoder whose training was best on dev for each number of training
    documents, of the encoders that were trained on fewer than all.

    groups (Groups): The runs of a dataset.
    RETURNS (Dict[str, List[Run]]): The groups, by the encoder's name; all documents
        come last.
    """
    best = _best_duals(groups)
    return {
        encoder: [group for (own, _), group in best.items() if own == encoder]
        for encoder, train_docs in best
        if train_docs
    }


def _best_duals(groups: Groups) -> dict[tuple[str, int | None], Run]:
    """The dual encoders whose training was best on dev, by encoder and number of
    training documents, None for all, which come last. Only those whose best model is
    scored and that have a linear head to compare with; the mean of both decides.
    """

    def dev_score(group: Run) -> float:
        linear = groups[linear_group(group)]
        return _dev_score(groups[group], "dual") + _dev_score(linear, "head")

    compared = [
        group
        for group in groups
        if group.scored == "best"
        and not is_linear(group.variant)
        and linear_group(group) in groups
        and is_scored(groups[group] + groups[linear_group(group)], "test")
    ]
    best: dict[tuple[str, int | None], Run] = {}
    for group in sorted(compared, key=lambda group: group.train_docs or sys.maxsize):
        key = group.encoder, group.train_docs
        best[key] = max(best.get(key, group), group, key=dev_score)
    return best


def linear_group(group: Run) -> Run:
    """RETURNS (Run): The group of the linear heads that a group is compared with."""
    return replace(group, variant=linear_of(group.variant))


def is_scored(rows: list[dict[str, Any]], split: str) -> bool:
    """RETURNS (bool): Whether all of some runs were scored on a split."""
    return all(split in row["scores"] for row in rows)


def _dev_score(rows: list[dict[str, Any]], way: str) -> float:
    name = f"rel_{DATASETS[rows[0]['dataset']].measure}_f"
    return mean(row["scores"]["dev"][way][name] for row in rows)


def longest_of(rows: list[dict[str, Any]]) -> int:
    """RETURNS (int): The most steps that one of some runs was trained for."""
    return max(map(count_steps, rows))


def count_steps(row: dict[str, Any]) -> int:
    """RETURNS (int): How many steps a run was trained for."""
    if row.get("dev_curve"):
        return int(row["dev_curve"][-1][0])
    return (
        row["steps"] or DATASETS[row["dataset"]].make_config()["training"]["max_steps"]
    )


def curves_of(rows: list[dict[str, Any]]) -> list[tuple[str, str, list[list[float]]]]:
    """Find the curves that the summary's trainings have.

    rows (List[Dict[str, Any]]): The recorded runs of a dataset.
    RETURNS (List[Tuple[str, str, List[List[float]]]]): Encoder, model ("linear" or
        "dual") and the points, step and F1 in percent, of every run that has them.
    """
    groups = group_runs(rows)
    found = []
    for encoder, group in best_duals(groups).items():
        for model, own in (("linear", linear_group(group)), ("dual", group)):
            for row in groups[own]:
                # Before the first step there is nothing to see.
                points = [[x, 100 * y] for x, y in row.get("dev_curve") or () if x]
                found += [(encoder, model, points)] if points else []
    return found
