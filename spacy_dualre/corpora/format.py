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
    paths = sorted(input_path.rglob("*")) if input_path.is_dir() else [input_path]
    by_split: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        name = path.relative_to(folder)
        # Hidden files are those of an operating system or an editor.
        hidden = any(part.startswith(".") for part in name.parts)
        if path.name.lower().endswith(suffixes) and path.is_file() and not hidden:
            words = re.findall(r"[a-z]+", str(name).lower())
            splits = {SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS}
            by_split[splits.pop() if len(splits) == 1 else ""].append(path)
    if not by_split:
        raise ValueError(
            f"Can't find files that end with {' or '.join(suffixes)} in {input_path}."
        )
    without = by_split.pop("", [])
    if not by_split:
        report.warnings.append(
            "No name of a file says train, dev or test, so all is written to "
            "train.spacy. To divide it, use spacy-dualre divide."
        )
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


def input_error(path: str | Path, line: int, problem: str) -> ValueError:
    """RETURNS (ValueError): An error that names the file and the line."""
    return ValueError(f"{path}, line {line}: {problem}")


def read_text(path: Path) -> str:
    """Read a UTF-8 file, without a byte order mark and with its own line ends.

    path (Path): The file.
    RETURNS (str): Its text.
    RAISES (ValueError): If the file is not UTF-8.
    """
    return decode(path.read_bytes(), path)


def decode(data: bytes, path: str | Path) -> str:
    """Read what a UTF-8 file has, without a byte order mark and with its own line ends.

    data (bytes): What it has.
    path (Union[str, Path]): The file, for errors.
    RETURNS (str): Its text.
    RAISES (ValueError): If it is not UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise input_error(
            path,
            data.count(b"\n", 0, e.start) + 1,
            f"expected UTF-8 text, but found the byte 0x{data[e.start]:02x}. Get the "
            "original file, or save it as UTF-8.",
        ) from None


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Read the lines of a UTF-8 file.

    path (Path): The file.
    YIELDS (Tuple[int, str]): The line's number, from 1, and its text without line end.
    RAISES (ValueError): If the file is not UTF-8.
    """
    # Not str.splitlines: abstracts hold other characters that it takes for line ends.
    lines = read_text(path).split("\n")
    if not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, start=1):
        yield number, line.removesuffix("\r")


def read_tsv(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """Read tab-separated rows. Quotes have no meaning.

    path (Path): The file.
    columns (Tuple[str, ...]): The names of the columns, for errors.
    YIELDS (Tuple[int, List[str]]): The line's number and its fields.
    RAISES (ValueError): If a row has too few or too many fields, or one is empty.
    """
    for number, line in read_lines(path):
        row = line.split("\t")
        if len(row) != len(columns) or not all(row):
            raise input_error(
                path,
                number,
                f"expected {len(columns)} tab-separated fields ({', '.join(columns)}), "
                f"but found {sum(map(bool, row))}. Is the file complete, and the right "
                "one?",
            )
        yield number, row


def shorten(value: object, length: int = 60) -> str:
    """RETURNS (str): A value as Python writes it, cut so that it fits an error."""
    text = repr(value)
    return text if len(text) <= length else f"{text[: length - 1]}…"
