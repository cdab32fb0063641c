"""What all plots have in common."""

from collections.abc import Iterable
from pathlib import Path
from statistics import mean
from typing import Any

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot
from wasabi import msg

STYLE: dict[Any, Any] = {
    "svg.hashsalt": "plots",  # the same file for the same numbers
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
BLUE, GRAY, ORANGE = "#1b6ca8", "#999999", "#c1752b"
# A bar reaches from the lowest to the highest draw, seed or split.
POINTS: dict[str, Any] = {"marker": ".", "capsize": 2, "lw": 1.2}


def mean_and_reach(
    values: Iterable[list[float]],
) -> tuple[list[float], list[list[float]]]:
    """RETURNS (Tuple[List[float], List[List[float]]]): In percent the mean at each
    point, and how far below and above it values reach, as `errorbar` takes them.
    """
    points = [[100 * f for f in own] for own in values]
    means = [mean(own) for own in points]
    below = [m - min(own) for m, own in zip(means, points)]
    return means, [below, [max(own) - m for m, own in zip(means, points)]]


def save(figure: Any, path: Path) -> None:
    """Write a figure, without its date.

    figure (Figure): The figure. It is closed.
    path (Path): Where it is written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    msg.good(f"Wrote {path}")
