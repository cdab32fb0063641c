"""`spacy-dualre apply`: find the relations in many documents."""

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from ..apply import Selection, Settings, apply
from ..output.writers import writer_names
from ..output.writers.results import BASE_IRI
from ..predicates import read_predicates
from ._util import (
    Component,
    GpuId,
    IdField,
    Ner,
    PredicatesFile,
    TextField,
    app,
    fail_on_error,
)

DEFAULT = Settings()


@app.command("apply")
def apply_cli(
    model: Annotated[str, typer.Argument(help="Trained pipeline: folder or package")],
    input_path: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="Text, .jsonl, .parquet or .spacy file, or a folder of such, here or "
            "at a URL (s3://, gs://); - for stdin",
        ),
    ],
    output: Annotated[
        Path,
        typer.Argument(help=f"File or folder to write: {', '.join(writer_names())}"),
    ],
    format_: Annotated[
        str | None,
        typer.Option("--format", help="Format, if the output's ending does not say it"),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="A text in a text file: the whole file, a line or a block"),
    ] = None,
    text_field: TextField = DEFAULT.text_field,
    id_field: IdField = DEFAULT.id_field,
    ner: Ner = None,
    predicates: PredicatesFile = None,
    component: Component = DEFAULT.component,
    min_score: Annotated[
        float, typer.Option(help="Leave out relations with a lower score")
    ] = 0.0,
    labels: Annotated[
        str | None,
        typer.Option(help="Write these predicates only, separated by commas"),
    ] = None,
    merge: Annotated[
        bool,
        typer.Option("--merge", help="Write a fact once, with all its evidence"),
    ] = False,
    base_iri: Annotated[
        str, typer.Option(help="Beginning of names in RDF and JSON-LD")
    ] = BASE_IRI,
    on_error: Annotated[
        str,
        typer.Option(help="A bad document: 'record' it in a file, or 'stop'"),
    ] = "record",
    batch_size: Annotated[
        int, typer.Option(help="Documents that are processed together")
    ] = DEFAULT.batch_size,
    shard_size: Annotated[
        int, typer.Option(help="Documents that are saved together")
    ] = 512,
    n_process: Annotated[
        int, typer.Option("--n-process", "--workers", help="Processes that work")
    ] = 1,
    gpu_id: GpuId = -1,
    engine: Annotated[
        str, typer.Option(help="What works: local (this machine) or ray")
    ] = "local",
    gpus_per_worker: Annotated[
        float, typer.Option(help="With Ray: GPUs of each process")
    ] = 0,
    parts: Annotated[
        Path | None,
        typer.Option(help="Folder of the work so far, or else OUTPUT.parts"),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Start anew, and replace the output")
    ] = False,
    clean: Annotated[
        bool, typer.Option("--clean", help="Remove the folder of the work when done")
    ] = False,
) -> None:
    """Find the relations in many documents. If it is interrupted, the same command goes
    on where it was. Relations that are on the Docs of a .spacy file are not kept.
    """
    with fail_on_error():
        if on_error not in ("record", "stop"):
            raise ValueError(f"--on-error is 'record' or 'stop', not {on_error!r}.")
        settings = Settings(
            component=component,
            ner=ner,
            predicates=read_predicates(str(predicates)) if predicates else None,
            split=split,
            text_field=text_field,
            id_field=id_field,
            batch_size=batch_size,
            stop_on_error=on_error == "stop",
            gpu_id=gpu_id,
        )
        chosen = None if labels is None else tuple(labels.split(","))
        outcome = apply(
            model,
            input_path,
            output,
            settings=settings,
            selection=Selection(min_score, chosen, merge, base_iri),
            format_=format_,
            parts=parts,
            shard_size=shard_size,
            engine=engine,
            n_process=n_process,
            gpus_per_worker=gpus_per_worker,
            overwrite=overwrite,
            clean=clean,
            progress=True,
        )
    if outcome.errors:
        msg.warn(f"{outcome.errors} documents failed, see {outcome.errors_path}")
    before = outcome.documents - outcome.new
    msg.good(
        f"{outcome.relations} relations in {outcome.documents - outcome.errors} "
        f"documents ({before} done before), written to {output}"
    )
