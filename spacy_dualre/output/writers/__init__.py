"""Formats that results are written in, found by name in a registry.

The name of a format is the ending of its files. A writer is an entry point of the group
`spacy_dualre_writers` (of any package), or is registered in a session:
`WRITERS.register("mine", func=Writer(write))`.
"""

from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import catalogue

from .results import Selection
from .writer import Writer

WRITERS = catalogue.create("spacy_dualre", "writers", entry_points=True)


def find_writer(output: Path, name: str | None, selection: Selection) -> Writer:
    """Find the writer for an output.

    output (Path): The file or folder to write to.
    name (Optional[str]): The name of the format. None: the ending of the output.
    selection (Selection): What is to be written.
    RETURNS (Writer): The writer.
    RAISES (ValueError): If there is no such format, a package is missing for it, or it
        can't have merged facts.
    """
    chosen = output.suffix.lower().lstrip(".") if name is None else name
    if not chosen or chosen not in WRITERS:
        how = f"format '{name}'" if name else f"format for a name like {output.name}"
        raise ValueError(
            f"There is no {how}. Give an output that ends with, or as --format, one of "
            f"{', '.join(writer_names())}."
        )
    writer: Writer = WRITERS.get(chosen)
    for module in writer.requires:
        if find_spec(module) is None:
            raise ValueError(
                f"The format '{chosen}' needs the package {module}. Install it: "
                f'pip install "spacy-dualre[{writer.extra}]".'
            )
    if selection.merge and writer.of_documents:
        raise ValueError(
            f"The format '{chosen}' has documents with all their relations, and no "
            "place for merged facts. Leave out --merge, or choose another format."
        )
    return writer


def writer_names() -> list[str]:
    """RETURNS (List[str]): The names of all formats, sorted. None of them is loaded."""
    installed = (point.name for point in entry_points(group="spacy_dualre_writers"))
    registered = (
        name
        for *namespace, name in catalogue.REGISTRY
        if namespace == ["spacy_dualre", "writers"]
    )
    return sorted({*installed, *registered})
