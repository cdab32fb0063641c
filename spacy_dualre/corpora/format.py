"""What a dataset format consists of, and how its files are read and checked."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from spacy.language import Language
from spacy.tokens import Doc

from .report import Report

SPLITS = ("train", "dev", "test")


class Format(NamedTuple):
    """A dataset format.

    read (Callable[[Language, Path, Report], Iterator[Tuple[str, Doc]]]): Takes a blank
        pipeline, the input directory and a report; yields the split ("train", "dev" or
        "test") and the Doc for each document, and records in the report how many
        mentions and relations the files have and what became of those that are not on
        the Docs as they are in the files.
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


def input_error(path: Path, line: int, problem: str) -> ValueError:
    """RETURNS (ValueError): An error that names the file and the line."""
    return ValueError(f"{path}, line {line}: {problem}")


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Read the lines of a UTF-8 file.

    path (Path): The file.
    YIELDS (Tuple[int, str]): The line's number, from 1, and its text without line end.
    RAISES (ValueError): If the file is not UTF-8.
    """
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise input_error(
            path,
            data.count(b"\n", 0, e.start) + 1,
            f"expected UTF-8 text, but found the byte 0x{data[e.start]:02x}. Get the "
            "original file, or save it as UTF-8.",
        ) from None
    # Not str.splitlines: abstracts hold other characters that it takes for line ends.
    lines = text.split("\n")
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


def read_json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read one JSON object per line; blank lines are skipped.

    path (Path): The file.
    YIELDS (Tuple[int, Dict[str, Any]]): The line's number and the object.
    RAISES (ValueError): If a line is not a JSON object.
    """
    for number, line in read_lines(path):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
        except ValueError as e:
            raise input_error(
                path, number, f"expected a JSON object in one line, but {e}."
            ) from None
        if not isinstance(data, dict):
            raise input_error(
                path,
                number,
                f"expected a JSON object, but found a {type(data).__name__}.",
            )
        yield number, data
