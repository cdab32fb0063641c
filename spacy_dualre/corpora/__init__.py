"""Dataset formats that can be converted, found by name in a registry.

A format is an entry point of the group `spacy_dualre_formats` (of any package), or is
registered in a session: `FORMATS.register("mine", func=Format(read=read))`.
"""

from importlib.metadata import entry_points

import catalogue

from . import biored, chemprot, scierc, semeval2010
from .format import Format

FORMATS = catalogue.create("spacy_dualre", "formats", entry_points=True)

# The known datasets: formats whose files and counts are checked.
CORPORA: dict[str, Format] = {
    "chemprot": chemprot.FORMAT,
    "biored": biored.FORMAT,
    "scierc": scierc.FORMAT,
    "semeval2010": semeval2010.FORMAT,
}


def find_format(name: str) -> Format:
    """Look up a format.

    name (str): Its name.
    RETURNS (Format): The format.
    RAISES (ValueError): If there is no format of that name, or a package that it needs
        is not installed.
    """
    try:
        if name not in FORMATS:
            raise ValueError(
                f"Unknown format '{name}'. Choose one of {', '.join(format_names())}."
            )
        format_: Format = FORMATS.get(name)
    except ModuleNotFoundError as e:
        raise ValueError(
            f"The format '{name}' needs the package {e.name}, which is not installed: "
            f'pip install "spacy-dualre[{name}]".'
        ) from e
    return format_


def format_names() -> list[str]:
    """RETURNS (List[str]): The names of all formats, sorted. None of them is loaded."""
    installed = (point.name for point in entry_points(group="spacy_dualre_formats"))
    registered = (
        name
        for *namespace, name in catalogue.REGISTRY
        if namespace == ["spacy_dualre", "formats"]
    )
    return sorted({*installed, *registered})
