"""Groups of recorded runs that differ in nothing but the seed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.datasets import DATASETS
from benchmarks.scores.rows import Run
from benchmarks.scores.variants import VARIANTS

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


def longest_duals(groups: Groups) -> dict[str, Run]:
    """Find the dual encoder of each encoder that was trained longest, of those that
    have a linear head to compare with.

    groups (Groups): The runs of a dataset.
    RETURNS (Dict[str, Run]): Its group, by the encoder's name.
    """
    duals: dict[str, Run] = {}
    for group, rows in groups.items():
        if group.variant == "dual" and replace(group, variant="linear") in groups:
            best = duals.get(group.encoder)
            if best is None or longest_of(rows) > longest_of(groups[best]):
                duals[group.encoder] = group
    return duals


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
    RETURNS (List[Tuple[str, str, List[List[float]]]]): Encoder, variant and the points,
        step and F1 in percent, of every run that has them.
    """
    groups = group_runs(rows)
    found = []
    for encoder, group in longest_duals(groups).items():
        for variant in ("linear", "dual"):
            for row in groups[replace(group, variant=variant)]:
                # Before the first step there is nothing to see.
                points = [[x, 100 * y] for x, y in row.get("dev_curve") or () if x]
                found += [(encoder, variant, points)] if points else []
    return found
