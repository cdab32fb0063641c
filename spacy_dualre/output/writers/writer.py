"""What a format to write consists of."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from .results import Results


class Writer(NamedTuple):
    """A format to write.

    write (Callable[[Results, Path], None]): Takes the results and the file to write, or
        the folder to make. It is moved to its place when all is written.
    of_documents (bool): Whether it has documents, in which facts can't be merged.
    requires (Tuple[str, ...]): Modules that must be installed.
    extra (str): The extra of this package that installs them.
    """

    write: Callable[[Results, Path], None]
    of_documents: bool = False
    requires: tuple[str, ...] = ()
    extra: str = ""
