"""The output directory of a conversion, which is switched as a whole."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from .format import SPLITS

REPORT_FILE = "report.json"
OUTPUT_FILES = (*(f"{split}.spacy" for split in SPLITS), REPORT_FILE)


def write_output(output_dir: Path, files: Mapping[str, bytes]) -> None:
    """Write files such that the directory has all of them, or those it had: never some
    of each, even if the process is killed. Other files in it stay.

    output_dir (Path): The directory.
    files (Mapping[str, bytes]): Name -> content.
    RAISES (ValueError): If the directory can't be replaced, or has splits of an earlier
        conversion that `files` lacks.
    """
    target = output_dir.resolve()
    if Path.cwd().is_relative_to(target) or os.path.ismount(target):
        raise ValueError(
            f"Can't replace {output_dir}, because it is the current directory, or has "
            "it inside, or is mounted. Give a directory inside of it."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f".{target.name}.new")
    old = target.with_name(f".{target.name}.old")
    _settle(target, old)
    _refuse_stale(target, files)
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    for name, content in files.items():
        with (new / name).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    # A kill between these two lines leaves no directory; _settle brings it back.
    if target.exists():
        target.rename(old)
    new.rename(target)
    _settle(target, old)


def _settle(target: Path, old: Path) -> None:
    """Finish what this conversion, or an earlier one that was killed, began."""
    if not old.exists():
        return
    if not target.exists():
        old.rename(target)
        return
    for path in old.iterdir():
        kept = target / path.name
        if path.name not in OUTPUT_FILES and not os.path.lexists(kept):
            path.rename(kept)
    shutil.rmtree(old)


def _refuse_stale(target: Path, files: Mapping[str, bytes]) -> None:
    suffixes = {Path(name).suffix for name in files if Path(name).stem in SPLITS}
    stale = [
        f"{split}{suffix}"
        for split in SPLITS
        for suffix in suffixes
        if f"{split}{suffix}" not in files
        and os.path.lexists(target / f"{split}{suffix}")
    ]
    if stale:
        raise ValueError(
            f"{target} has {', '.join(stale)} from an earlier conversion, but this "
            "dataset has no such split. Remove it, or choose another directory."
        )
