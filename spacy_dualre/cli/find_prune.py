"""`spacy-dualre find-prune`: how far a trained pipeline can be pruned."""

from pathlib import Path
from typing import Annotated, Any

import srsly
import typer
from spacy.cli._util import setup_gpu
from spacy.language import Language
from tqdm import tqdm
from wasabi import msg

from ..pipelines import get_extractor, load_pipeline
from ..pruning import choose_measure, choose_prune, measure_pruning
from ..training.corpus import build_corpus
from ..training.gold import complete, gold_relations
from ._util import Component, GpuId, app, fail_on_error

# From 0.5 on, one predicate at most is likely, so that the head alone decides.
VALUES = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)


@app.command("find-prune")
def find_prune_cli(
    model: Annotated[Path, typer.Argument(help="Trained pipeline", exists=True)],
    data: Annotated[
        Path,
        typer.Argument(help="Gold .spacy file, the development split", exists=True),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="JSON file for the rows")
    ] = None,
    max_loss: Annotated[
        float, typer.Option(help="How much F1 may be lost, of 1", min=0)
    ] = 0.005,
    apply: Annotated[
        bool, typer.Option("--apply", help="Set prune in the pipeline's config")
    ] = False,
    component: Component = "dual_relation_extractor",
    gpu_id: GpuId = -1,
) -> None:
    """Find the largest value of the model's setting prune that costs little F1, on gold
    entities. The data is scored once; what each value leads to follows from that.
    """
    with fail_on_error():
        setup_gpu(gpu_id)
        nlp = load_pipeline(str(model), None, component)
        rows = find_prune(nlp, component, data)
        measure = choose_measure(
            nlp.config["training"]["score_weights"], rows[0]["scores"]
        )
        best = choose_prune(rows, measure, max_loss)
        if output is not None:
            output.parent.mkdir(parents=True, exist_ok=True)
            srsly.write_json(output, rows)
        if apply:
            # The weights stay as they are; a pipeline's settings are in its config.
            nlp.get_pipe_config(component)["model"]["prune"] = best["prune"]
            nlp.config.to_disk(model / "config.cfg")
    exact = rows[0]["scores"][measure]
    names = [measure.removesuffix("f") + part for part in "prf"]
    msg.table(
        [
            (
                f"{row['prune']:g}",
                f"{row['descriptions']:.2f}",
                _percent(row["without"]),
                *(_percent(row["scores"].get(name)) for name in names),
                _change(row["scores"][measure] - exact),
            )
            for row in rows
        ],
        header=("prune", "descriptions", "% without", "P", "R", "F1", "change"),
        aligns=["r"] * 7,
        divider=True,
    )
    msg.text(
        "descriptions: how many a pair is scored against (mean); % without: pairs that "
        f"are scored against none; F1: {measure}"
    )
    change = _change(best["scores"][measure] - exact)
    msg.good(
        f"{best['prune']:g} is the largest prune that loses no more than "
        f"{100 * max_loss:g}: F1 changes by {change}"
    )
    if apply:
        msg.good(f"It is set in {model / 'config.cfg'}")


def find_prune(nlp: Language, component: str, data: Path) -> list[dict[str, Any]]:
    """Score a pipeline's relation extractor with several values of `prune`.

    nlp (Language): The pipeline.
    component (str): The name of the relation extractor.
    data (Path): A `.spacy` file.
    RETURNS (List[Dict[str, Any]]): The rows of `measure_pruning`, one for each of
        `VALUES`.
    RAISES (ValueError): If the component is none that can be pruned, or the data has no
        gold relations.
    """
    extractor = get_extractor(nlp, component)
    key = extractor.relations_key
    examples = [
        complete(example, extractor.spans_key)
        for example in build_corpus(str(data))(nlp)
    ]
    if not any(gold_relations(example, key) for example in examples):
        raise ValueError(
            f"{data} has no gold relations in doc.spans['{key}'], so F1 can't be "
            "measured."
        )
    progress = tqdm(examples, desc="Scoring", unit="doc", disable=None)
    return measure_pruning(extractor, progress, VALUES)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"


def _change(value: float) -> str:
    return f"{100 * value:+.2f}"
