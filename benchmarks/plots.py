"""What all plots have in common."""

from pathlib import Path
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


def save(figure: Any, path: Path) -> None:
    """Write a figure, without its date.

    figure (Figure): The figure. It is closed.
    path (Path): Where it is written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    msg.good(f"Wrote {path}")
