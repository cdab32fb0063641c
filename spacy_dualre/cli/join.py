"""`spacy-dualre join`: corpora with different predicates as one training corpus."""

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from ..corpora.join import join_corpora, write_joined
from ._util import app, fail_on_error


@app.command("join")
def join_cli(
    output: Annotated[
        Path, typer.Argument(help="Folder for train.spacy and predicates.json")
    ],
    corpora: Annotated[
        list[str],
        typer.Argument(help="For each corpus its files: TRAIN.spacy:PREDICATES.yml"),
    ],
) -> None:
    """Join corpora that were annotated with different predicates, to train one model
    on all: each Doc is asked for the predicates of its own corpus.
    """
    with fail_on_error():
        docs, predicates = join_corpora([_parse(text) for text in corpora])
        write_joined(docs, predicates, output)
    msg.good(f"Joined {len(docs)} Docs and {len(predicates)} predicates in {output}")


def _parse(text: str) -> tuple[Path, Path]:
    corpus, separator, predicates = text.rpartition(":")
    paths = Path(corpus), Path(predicates)
    missing = [str(path) for path in paths if not path.is_file()]
    if not separator or missing:
        raise ValueError(
            f"Expected two files as TRAIN.spacy:PREDICATES.yml, but found '{text}' "
            f"(missing: {', '.join(missing) or 'the colon'})."
        )
    return paths
