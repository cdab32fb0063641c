"""`spacy-dualre shrink`: save a trained pipeline as a difference to its encoder."""

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from ..model.low_rank import save_difference
from ..model.shim import get_shim
from ..pipelines import get_extractor, load_pipeline
from ._util import Component, app, fail_on_error


@app.command("shrink")
def shrink_cli(
    model: Annotated[str, typer.Argument(help="Trained pipeline: folder or package")],
    output: Annotated[Path, typer.Argument(help="File to write: .safetensors")],
    rank: Annotated[
        int, typer.Option(min=1, help="Rank of the matrices' difference")
    ] = 70,
    embedding_rank: Annotated[
        int, typer.Option(min=1, help="Rank of the embeddings' difference")
    ] = 6,
    component: Component = "dual_relation_extractor",
) -> None:
    """Save a dual encoder as a low-rank difference to the encoder it was trained from,
    without its head: the form of the general model. `spacy_dualre.load_general(FILE)`
    loads it. What the cut costs is for you to measure.
    """
    with fail_on_error():
        extractor = get_extractor(load_pipeline(model, None, component), component)
        shim = get_shim(extractor.model)
        save_difference(shim, output, rank=rank, embedding_rank=embedding_rank)
    msg.good(f"Saved {output} ({output.stat().st_size / 1e6:.1f} MB)")
