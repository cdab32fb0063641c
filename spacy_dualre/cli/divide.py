"""`spacy-dualre divide`: one file of annotated documents into train, dev and test."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from spacy.vocab import Vocab
from wasabi import msg

from ..corpora.divide import divide, make_shares
from ..corpora.format import SPLITS
from ..corpora.output import write_output
from ..doc_bins import load_doc_bin, new_doc_bin, unpack_docs
from ..json_files import get_field, get_objects, parse_json
from ..relations import get_relations
from ..text_files import input_error, read_lines
from ._util import app, fail_on_error

# Texts and labels; and what writes some documents, by their positions.
Documents = list[tuple[str, list[str]]]
Write = Callable[[list[int]], bytes]


@app.command("divide")
def divide_cli(
    file: Annotated[
        Path,
        typer.Argument(help="Documents, .jsonl or .spacy", exists=True, dir_okay=False),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Where the splits go", file_okay=False),
    ],
    dev: Annotated[float, typer.Option(help="Share of dev")] = 0.1,
    test: Annotated[float, typer.Option(help="Share of test")] = 0.1,
) -> None:
    """Divide annotated documents into train, dev and test, each with about the same
    share of each label. Equal texts stay together, and the same documents are always
    divided in the same way, whatever their order.
    """
    with fail_on_error():
        counts = divide_file(file, output, dev=dev, test=test)
    labels = sorted({label for _, count in counts.values() for label in count})
    rows = [["documents", *(f"{n:,}" for n, _ in counts.values())]]
    rows += [[f"  {x}", *(f"{c[x]:,}" for _, c in counts.values())] for x in labels]
    aligns = ("l", *("r" for _ in counts))
    msg.table(rows, header=["", *counts], aligns=aligns, divider=True, max_col=100)
    msg.good(f"Wrote {', '.join(f'{s}{file.suffix}' for s in counts)} to {output}")


def divide_file(
    path: Path, output_dir: Path, *, dev: float = 0.1, test: float = 0.1
) -> dict[str, tuple[int, "Counter[str]"]]:
    """Divide a file of annotated documents. See `corpora.divide.divide`.

    path (Path): A `.jsonl` or `.spacy` file.
    output_dir (Path): Where a file of the same kind is written for each split.
    dev (float): The share of dev.
    test (float): The share of test. What remains is train.
    RETURNS (Dict[str, Tuple[int, Counter]]): For each split the number of documents and
        of relations by label.
    RAISES (ValueError): If the file is of another kind or has an error, or a share is
        not possible.
    """
    readers = {".jsonl": _read_jsonl, ".spacy": _read_spacy}
    if path.suffix not in readers:
        raise ValueError(
            f"Expected a file that ends with {' or '.join(readers)}, but found {path}. "
            "Convert it first: spacy-dualre convert."
        )
    documents, write = readers[path.suffix](path)
    if not documents:
        raise ValueError(f"There are no documents in {path}.")
    found = divide(documents, make_shares(dev, test))
    files = {}
    counts: dict[str, tuple[int, Counter[str]]] = {}
    for split in SPLITS:
        chosen = [i for i, name in enumerate(found) if name == split]
        if chosen:
            files[f"{split}{path.suffix}"] = write(chosen)
            labels = Counter(label for i in chosen for label in documents[i][1])
            counts[split] = (len(chosen), labels)
    write_output(output_dir, files)
    return counts


def _read_jsonl(path: Path) -> tuple[Documents, Write]:
    lines: list[bytes] = []
    documents: Documents = []
    for number, line in read_lines(path):
        if not line.strip():
            continue
        try:
            data = parse_json(line)
            labels = [
                get_field(x, "label", str) for x in get_objects(data, "relations")
            ]
            documents.append((get_field(data, "text", str), labels))
        except (ValueError, TypeError, KeyError, AttributeError) as e:
            problem = (
                f"{e} To list all errors: spacy-dualre convert jsonl FILE --check."
            )
            raise input_error(path, number, problem) from None
        lines.append(f"{line}\n".encode())

    def write(chosen: list[int]) -> bytes:
        return b"".join(lines[i] for i in chosen)

    return documents, write


def _read_spacy(path: Path) -> tuple[Documents, Write]:
    whole = load_doc_bin(path)
    docs = list(unpack_docs(whole, Vocab(), path))
    documents: Documents = [
        (doc.text, [relation.label for relation in get_relations(doc)]) for doc in docs
    ]

    def write(chosen: list[int]) -> bytes:
        some = new_doc_bin()
        some.attrs = whole.attrs
        for i in chosen:
            some.add(docs[i])
        return some.to_bytes()

    return documents, write
