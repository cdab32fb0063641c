"""Plots what every pass of training brought, and more documents: docs/benchmarks/*.svg.

python benchmarks/scores/curves.py [RESULTS] [FOLDER]

See docs/benchmarks.md.
"""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

sys.path.append(str(Path(__file__).resolve().parents[2]))

from matplotlib import pyplot
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, ScalarFormatter

from benchmarks.datasets import DATASETS, RESULTS, ROOT
from benchmarks.plots import BLUE, GRAY, POINTS, STYLE, mean_and_reach, save
from benchmarks.scores.groups import (
    ENCODERS,
    curves_of,
    duals_by_documents,
    group_runs,
    linear_group,
)
from benchmarks.scores.rows import read_results
from spacy_dualre.corpora import CORPORA

FOLDER = ROOT / "docs" / "benchmarks"
# The models of a panel, and how each is drawn.
COLORS = {"linear": GRAY, "dual": BLUE}
TITLES = {"linear": "linear head", "dual": "dual encoder"}
LINES = ("-", "--", ":", "-.")


def plot_steps(recorded: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Plot F1 on dev against the steps of training, for each dataset.

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


def plot_documents(recorded: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Plot F1 on test against the number of training documents, for each dataset that
    was trained on fewer than all.

    recorded (Dict[str, List[Dict[str, Any]]]): The recorded runs of each dataset.
    path (Path): Where the plot is written.
    """
    groups = {dataset: group_runs(rows) for dataset, rows in recorded.items()}
    found = {dataset: duals_by_documents(own) for dataset, own in groups.items()}
    found = {dataset: own for dataset, own in found.items() if own}
    if not found:
        return
    figure, panels = pyplot.subplots(
        1, len(found), figsize=(7.5, 3.4), layout="constrained", squeeze=False
    )
    shown: dict[str, Any] = {}
    for axes, (dataset, by_encoder) in zip(panels.flat, found.items()):
        own = DATASETS[dataset]
        n_all = CORPORA[dataset].counts["train"]["documents"]
        for style, (encoder, duals) in zip(LINES, by_encoder.items()):
            shares = [100 * (group.train_docs or n_all) / n_all for group in duals]
            for model, way, trained in (
                ("linear", "head", map(linear_group, duals)),
                ("dual", "dual", duals),
            ):
                means, reach = mean_and_reach(
                    [
                        row["scores"]["test"][way][f"rel_{own.measure}_f"]
                        for row in groups[dataset][group]
                    ]
                    for group in trained
                )
                shown[f"{TITLES[model]}, {ENCODERS.get(encoder, encoder)}"] = (
                    axes.errorbar(
                        shares, means, reach, ls=style, color=COLORS[model], **POINTS
                    )
                )
        axes.set(title=own.title, ylabel=f"test {own.measure} F1", xscale="log")
        axes.set_xlabel("training documents, in % of all")
        axes.set_xticks([5, 10, 25, 50, 100])
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
    figure.legend(
        shown.values(), shown, frameon=False, loc="outside lower center", ncols=2
    )
    save(figure, path)


def main(
    results: Annotated[
        Path, typer.Argument(help="What runs.py recorded", exists=True)
    ] = RESULTS,
    output: Annotated[Path, typer.Argument(help="The folder of the plots")] = FOLDER,
) -> None:
    """Plot F1 on dev by steps, and F1 on test by the number of training documents."""
    recorded = {dataset: read_results(dataset, results) for dataset in DATASETS}
    with pyplot.rc_context(STYLE):
        plot_steps(recorded, output / "dev.svg")
        plot_documents(recorded, output / "documents.svg")


if __name__ == "__main__":
    typer.run(main)
