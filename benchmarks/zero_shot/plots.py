"""Plots what was measured without examples and with few: docs/zero-shot/*.svg.

python benchmarks/zero_shot/plots.py [RESULTS] [FOLDER]

See docs/zero-shot.md.
"""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

sys.path.append(str(Path(__file__).resolve().parents[2]))

from matplotlib import pyplot
from matplotlib.ticker import NullFormatter, ScalarFormatter

from benchmarks.datasets import DATASETS, ROOT
from benchmarks.plots import BLUE, GRAY, ORANGE, POINTS, STYLE, mean_and_reach, save
from benchmarks.zero_shot.few import FEW_CORPORA
from benchmarks.zero_shot.rows import RESULTS, read_rows
from benchmarks.zero_shot.tables import SHOWN, group_few, is_of_another_model

FOLDER = ROOT / "docs" / "zero-shot"
SYSTEMS = {
    "linear": ("linear head, from the encoder", GRAY),
    "dual": ("dual encoder, from the encoder", ORANGE),
    "general": ("dual encoder, from the general model", BLUE),
}
WAYS_TO_CORRECT = {
    "none": "as scored",
    "bank64-spread": "less what other pairs score",
    "own-spread": "less what these pairs score",
}


def plot_few(rows: list[dict[str, Any]], path: Path) -> None:
    """Plot F1 against the number of annotated sentences, for each corpus.

    rows (List[Dict]): All that is recorded.
    path (Path): Where the plot is written.
    """
    figure, panels = pyplot.subplots(1, 2, figsize=(7.5, 3.8), layout="constrained")
    shown: dict[str, Any] = {}
    for axes, (corpus, measure) in zip(panels, FEW_CORPORA.items()):
        own = [row for row in rows if row["is"].get("corpus") == corpus]
        few = [row for row in own if row["is"]["mode"] == "few"]
        few = [row for row in few if not is_of_another_model(row)]
        for (system, *_, threshold), line in group_few(few).items():
            sizes = sorted(size for size in line if size is not None)
            means, reach = mean_and_reach(line[size] for size in sizes)
            name, color = SYSTEMS[system]
            if threshold == "default":
                drawn = axes.errorbar(sizes, means, reach, color=color, **POINTS)
                shown[name] = drawn
            else:
                (drawn,) = axes.plot(sizes, means, ":", color=color, lw=1.2)
                shown[f"{name}, threshold {threshold}"] = drawn
        unseen = [
            100 * row[f"{measure}_f"]
            for row in own
            if {**SHOWN, "signatures": True, "decision": "default"}.items()
            <= row["is"].items()
        ]
        if unseen:
            color = SYSTEMS["general"][1]
            line = axes.axhline(unseen[0], ls="--", lw=0.8, color=color)
            shown["general model, no sentences"] = line
        title = DATASETS[corpus].title
        axes.set(title=title, xlabel="annotated sentences", ylabel=f"{measure} F1")
        axes.set(xscale="log", ylim=(0, None))
        axes.set_xticks([5, 10, 20, 50, 100, 300])
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
    figure.legend(shown.values(), shown, frameon=False, loc="outside lower center")
    save(figure, path)


def plot_n_way(rows: list[dict[str, Any]], path: Path) -> None:
    """Plot F1 against the number of unseen FewRel properties to choose among.

    rows (List[Dict]): All that is recorded.
    path (Path): Where the plot is written.
    """
    figure, axes = pyplot.subplots(figsize=(4.5, 3.8), layout="constrained")
    own = [row for row in rows if row["is"]["mode"] == "fewrel"]
    shown: dict[str, Any] = {}
    for hub, name in WAYS_TO_CORRECT.items():
        line: dict[int, list[float]] = {}
        for row in own:
            if row["is"]["hub"] == hub:
                line.setdefault(row["is"]["n"], []).append(row["f"])
        means, reach = mean_and_reach(line.values())
        shown[name] = axes.errorbar(list(line), means, reach, **POINTS)
    axes.set_xticks(list(line))
    axes.set(xlabel="properties to choose among", ylabel="macro F1")
    figure.legend(shown.values(), shown, frameon=False, loc="outside lower center")
    save(figure, path)


def main(
    results: Annotated[
        Path, typer.Argument(help="What zero_shot.py recorded", exists=True)
    ] = RESULTS,
    output: Annotated[Path, typer.Argument(help="The folder of the plots")] = FOLDER,
) -> None:
    """Plot what was measured."""
    rows = read_rows(results)
    modes = {row["is"]["mode"] for row in rows}
    with pyplot.rc_context(STYLE):
        if "few" in modes:
            plot_few(rows, output / "few.svg")
        if "fewrel" in modes:
            plot_n_way(rows, output / "n-way.svg")


if __name__ == "__main__":
    typer.run(main)
