"""What a dataset format consists of, and how its files are found, read and checked."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from spacy.language import Language
from spacy.tokens import Doc

from .report import Report

SPLITS = ("train", "dev", "test")
# Words in the name of a file or folder that say which split it is.
SPLIT_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("dev", "development", "val", "valid", "validation"), "dev"),
    **dict.fromkeys(("test", "testing"), "test"),
}
NO_SPLITS = (
    "No name of a file says train, dev or test, so all is written to train.spacy. To "
    "divide it, use spacy-dualre divide."
)


class Format(NamedTuple):
    """A dataset format.

    read (Callable[[Language, Path, Report], Iterator[Tuple[str, Doc]]]): Takes a blank
        pipeline, the input directory (or file) and a report; yields the split ("train",
        "dev" or "test") and the Doc for each document, and records in the report how
        many mentions and relations the files have and what became of those that are not
        on the Docs as they are in the files.
    files (Mapping[str, str]): The files it reads, relative to the input directory, with
        their SHA-256. Empty for a format that is not one known dataset.
    counts (Mapping[str, Mapping[str, int]]): What each split of the known dataset has:
        "documents", "sentences", "mentions", "relations".
    """

    read: Callable[[Language, Path, Report], Iterator[tuple[str, Doc]]]
    files: Mapping[str, str] = {}
    counts: Mapping[str, Mapping[str, int]] = {}


def changed_files(input_dir: Path, files: Mapping[str, str]) -> list[str]:
    """Compare files with their known checksums.

    input_dir (Path): The directory they are in.
    files (Mapping[str, str]): Relative paths and the SHA-256 of their content.
    RETURNS (List[str]): A message for every file that differs.
    RAISES (ValueError): If files are missing.
    """
    missing = [name for name in files if not (input_dir / name).is_file()]
    if missing:
        raise ValueError(
            f"Can't find these files in {input_dir}: {', '.join(missing)}. Give the "
            "directory of the dataset as its owners distribute it, unpacked."
        )
    messages = []
    for name, expected in files.items():
        found = hashlib.sha256((input_dir / name).read_bytes()).hexdigest()
        if found != expected:
            messages.append(
                f"{input_dir / name} is not the known file: its SHA-256 is {found}, "
                f"expected {expected}"
            )
    return messages


def visible_files(input_path: Path) -> list[Path]:
    """Find files, without hidden ones, which are those of an operating system or an
    editor.

    input_path (Path): A file, or a directory, whose folders are searched too.
    RETURNS (List[Path]): The files in the order of their names.
    """
    folder = input_path if input_path.is_dir() else input_path.parent
    paths = sorted(input_path.rglob("*")) if input_path.is_dir() else [input_path]
    return [
        path
        for path in paths
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def find_files(
    input_path: Path, suffixes: tuple[str, ...], report: Report
) -> dict[str, list[Path]]:
    """Find the files of each split: a split is a word of a file's name ("train.json",
    "fire_dev.json") or of the folder it is in ("test/1.txt").

    input_path (Path): A file, or a directory, whose folders are searched too.
    suffixes (Tuple[str, ...]): How the names of the files end, in lower case.
    report (Report): Is warned of splits that are not there, and of files left out.
    RETURNS (Dict[str, List[Path]]): Split -> files in the order of their names. Where
        no name says a split, all files are "train".
    RAISES (ValueError): If there are no such files.
    """
    folder = input_path if input_path.is_dir() else input_path.parent
    by_split: dict[str, list[Path]] = defaultdict(list)
    for path in visible_files(input_path):
        if path.name.lower().endswith(suffixes):
            name = str(path.relative_to(folder)).lower()
            words = re.findall(r"[a-z]+", name)
            splits = {SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS}
            by_split[splits.pop() if len(splits) == 1 else ""].append(path)
    if not by_split:
        raise ValueError(
            f"Can't find files that end with {' or '.join(suffixes)} in {input_path}."
        )
    without = by_split.pop("", [])
    if not by_split:
        report.warnings.append(NO_SPLITS)
        return {"train": without}
    if without:
        report.warnings.append(
            f"Left out, because no single one of train, dev and test is in the name: "
            f"{', '.join(path.name for path in without[:5])}"
            f"{' and others' if len(without) > 5 else ''}."
        )
    for split in SPLITS:
        if split not in by_split:
            report.warnings.append(f"There is no {split} file, so no {split}.spacy.")
    return {split: by_split[split] for split in SPLITS if split in by_split}
