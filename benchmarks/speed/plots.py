"""Plots what benchmarks/speed/speed.py measured, and writes it into docs/speed.md.

python benchmarks/speed/plots.py FILE [FILE ...] docs/speed
"""

import json
import sys
from itertools import cycle
from pathlib import Path
from typing import Annotated, Any

import typer

sys.path.append(str(Path(__file__).resolve().parents[2]))

from matplotlib import pyplot
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from benchmarks.pages import make_table, replace_generated
from benchmarks.plots import BLUE, GRAY, STYLE, save
from benchmarks.speed.rows import HEADER, cells, remarks, title

MARKERS = "osDv^<>P*XphdH"


def plot_sweep(rows: list[dict[str, Any]], sweep: str, path: Path) -> None:
    """Plot seconds against the swept number, and a straight line for comparison.

    rows (List[Dict[str, Any]]): Rows of this sweep.
    sweep (str): Its name.
    path (Path): Where the plot is written.
    """
    x = [row["value"] for row in rows]
    y = [row["seconds"] for row in rows]
    figure, axes = pyplot.subplots(figsize=(4.5, 3.2), layout="constrained")
    linear = [y[-1] * value / x[-1] for value in x]
    axes.plot(x, linear, "--", color=GRAY, label="proportional")
    axes.plot(x, y, "o-", color=BLUE, label="exact mode")
    axes.set(xscale="log", yscale="log", xlabel=sweep, ylabel="seconds")
    axes.legend(frameon=False)
    save(figure, path)


def plot_tradeoff(rows: list[dict[str, Any]], path: Path) -> None:
    """Plot F1 against speed, every mode on it. Speed is a ratio, so that modes of
    different runs can stand beside each other.

    rows (List[Dict[str, Any]]): Rows with F1.
    path (Path): Where the plot is written.
    """
    figure, axes = pyplot.subplots(figsize=(7.5, 4), layout="constrained")
    # Too close together to be labelled where they are.
    for marker, row in zip(cycle(MARKERS), sorted(rows, key=lambda row: -row["f1"])):
        speed = row["ratio_to_naive"]
        axes.plot(speed, 100 * row["f1"], marker, label=title(row), ms=7)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.set(xscale="log", xlabel="times the published procedure", ylabel="F1")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.1, y=0.1)
    save(figure, path)


def plot_modes(rows: list[dict[str, Any]], path: Path) -> None:
    """Plot the ratio of each mode to the published procedure.

    rows (List[Dict[str, Any]]): Rows with a ratio.
    path (Path): Where the plot is written.
    """
    rows = rows[::-1]
    size = (6, 1 + 0.25 * len(rows))
    figure, axes = pyplot.subplots(figsize=size, layout="constrained")
    bars = axes.barh(
        [title(row) for row in rows],
        [row["ratio_to_naive"] for row in rows],
        color=[GRAY if row["mode"].endswith("naive") else BLUE for row in rows],
    )
    axes.bar_label(bars, [f"{row['pairs_per_s']:,.0f} pairs/s" for row in rows])
    axes.set(xlabel="times the published procedure")
    axes.margins(x=0.2)
    save(figure, path)


def make_tables(rows: list[dict[str, Any]]) -> str:
    """Write the rows as tables.

    rows (List[Dict[str, Any]]): The rows.
    RETURNS (str): Markdown, with the machine of each workload.
    """
    lines: list[str] = []
    for workload, machine in dict.fromkeys(map(_run, rows)):
        chosen = [row for row in rows if _run(row) == (workload, machine)]
        if f"### {workload}" not in lines:
            lines += [f"### {workload}", ""]
        lines += [f"{machine}.", ""]
        lines += [*make_table(HEADER, [cells(row) for row in chosen]), ""]
        said = [f"- {title(row)}: {remarks(row)}" for row in chosen if remarks(row)]
        lines += [*said, ""] if said else []
    return "\n".join(lines)


def _run(row: dict[str, Any]) -> tuple[str, str]:
    return row["workload"], row["machine"]


def main(
    # fmt: off
    files: Annotated[
        list[Path], typer.Argument(help="What speed.py wrote with --json", exists=True)
    ],  # noqa: E501
    output: Annotated[
        Path, typer.Argument(help="Directory for the plots; the page is beside it")
    ],  # noqa: E501
    # fmt: on
) -> None:
    """Plot what speed.py measured, and write it into the page."""
    rows = [
        json.loads(line)
        for file in files
        for line in file.read_text(encoding="utf8").splitlines()
    ]
    page = output.with_suffix(".md")
    text = replace_generated(page.read_text("utf8"), make_tables(rows))
    page.write_text(text, encoding="utf8")
    with pyplot.rc_context(STYLE):
        for sweep in dict.fromkeys(row["sweep"] for row in rows if "sweep" in row):
            points = [row for row in rows if row.get("sweep") == sweep]
            plot_sweep(points, sweep, output / f"{sweep.replace(' ', '-')}.svg")
        measured = [row for row in rows if row["ratio_to_naive"] and "sweep" not in row]
        for workload in dict.fromkeys(row["workload"] for row in measured):
            own = [row for row in measured if row["workload"] == workload]
            # Of a mode that was measured on several machines the last file's is shown.
            modes = list({title(row): row for row in own}.values())
            plot_modes(modes, output / f"{workload}-modes.svg")
            scored = [row for row in modes if row.get("f1") is not None]
            if scored:
                plot_tradeoff(scored, output / f"{workload}-f1.svg")


if __name__ == "__main__":
    typer.run(main)
