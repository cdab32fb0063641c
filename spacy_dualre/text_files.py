"""Text files: UTF-8, with line numbers in their errors."""

from collections.abc import Iterator
from pathlib import Path


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
