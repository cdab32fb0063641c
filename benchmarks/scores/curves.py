"""Plots what every pass of training brought on dev: docs/benchmarks/dev.svg.

python benchmarks/scores/curves.py [RESULTS] [PLOT]

See docs/benchmarks.md.
"""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

sys.path.append(str(Path(__file__).resolve().parents[2]))

from matplotlib import pyplot
from matplotlib.ticker import FuncFormatter, MaxNLocator

from benchmarks.datasets import DATASETS, RESULTS, ROOT
from benchmarks.plots import BLUE, GRAY, STYLE, save
from benchmarks.scores.groups import ENCODERS, curves_of
from benchmarks.scores.rows import read_results

PLOT = ROOT / "docs" / "benchmarks" / "dev.svg"
# The models of a panel, and how each is drawn.
COLORS = {"linear": GRAY, "dual": BLUE}
TITLES = {"linear": "linear head", "dual": "dual encoder"}
LINES = ("-", "--", ":", "-.")


def plot(recorded: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Plot the curves of every dataset.

    recorded (Dict[str, List[Dict[str, Any]]]): The recorded runs of each dataset.
    path (Path): Where the plot is written.
    """
    figure, panels = pyplot.subplots(2, 2, figsize=(7.5, 5.6), layout="constrained")
    shown: dict[str, Any] = {}
    for axes, (dataset, rows) in zip(panels.flat, recorded.items()):
        curves = curves_of(rows)
        encoders = list(dict.fromkeys(encoder for encoder, *_ in curves))
        for encoder, model, points in curves:
            x, y = zip(*points)
            style = LINES[encoders.index(encoder)]
            (line,) = axes.plot(x, y, style, marker=".", color=COLORS[model], lw=1.2)
            shown[f"{TITLES[model]}, {ENCODERS.get(encoder, encoder)}"] = line
        own = DATASETS[dataset]
        axes.set(title=own.title, xlabel="steps", ylabel=f"dev {own.measure} F1")
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    figure.legend(
        shown.values(), shown, frameon=False, loc="outside lower center", ncols=2
    )
    save(figure, path)


# fmt: off
def main(
    results: Annotated[Path, typer.Argument(help="What runs.py recorded")] = RESULTS,
    output: Annotated[Path, typer.Argument(help="The plot")] = PLOT,
) -> None:
    """Plot the dev scores of the trainings that the summary compares."""
    # fmt: on
    with pyplot.rc_context(STYLE):
        plot({dataset: read_results(dataset, results) for dataset in DATASETS}, output)


if __name__ == "__main__":
    typer.run(main)
