"""Documents to apply a pipeline to: found, divided into shards, and read.

A shard is some pieces of files. Which ones depends on nothing but the files, and a
piece can be read without what is before it, so any process can work on any shard. Files
are opened through fsspec, wherever they are.
"""

import hashlib
import io
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from ..doc_bins import new_doc_bin, parse_doc_bin
from ..json_files import parse_json
from ..text_files import decode, shorten
from .files import CHUNK, replacing
from .settings import Settings

STDIN = "-"
SAVED = "stdin"  # the name of the file that it is saved in
SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".spacy": "spacy",
}
# What is read in a folder. A file that is named itself may have any name.
IN_FOLDERS = (".txt", *SUFFIXES)
# The lists of a DocBin that have one entry for each Doc.
DOC_BIN_LISTS = ("tokens", "spaces", "cats", "span_groups", "user_data", "flags")


class Source(NamedTuple):
    """A file with documents.

    path (str): Where it is: a path on this machine, or a URL.
    name (str): Its path within the input.
    kind (str): "spacy", "parquet", "jsonl", "file", "line" or "block".
    """

    path: str
    name: str
    kind: str

    def open(self) -> BinaryIO:
        """RETURNS (BinaryIO): The opened file.
        RAISES (OSError): If it can't be opened.
        """
        return cast(BinaryIO, fsspec.open(self.path, "rb").open())


class Piece(NamedTuple):
    """A part of a file.

    source (Source): The file.
    start (int): Its first byte; of a `.spacy` or Parquet file: its first document.
    end (int): What is behind its last byte or document.
    line (int): The number of its first line.
    documents (int): How many documents it has.
    """

    source: Source
    start: int
    end: int
    line: int
    documents: int


class Shard(NamedTuple):
    """Some documents that are worked on together, in one go.

    name (str): Its name, and that of its part of the result.
    pieces (Tuple[Piece, ...]): Where the documents are.
    """

    name: str
    pieces: tuple[Piece, ...]

    @property
    def documents(self) -> int:
        """RETURNS (int): How many documents it has."""
        return sum(piece.documents for piece in self.pieces)

    def __str__(self) -> str:
        first, last = self.pieces[0], self.pieces[-1]
        return f"{first.source.name} from {first.line} to {last.source.name}"


class Item(NamedTuple):
    """A document as it was read.

    id (str): Its id.
    content (Union[str, Doc]): Its text, or the Doc.
    error (Optional[str]): Why it can't be read.
    """

    id: str
    content: str | Doc = ""
    error: str | None = None


class Unit(NamedTuple):
    """A document in a file of lines: its bytes, the first and the one behind the last,
    and the number of its first line."""

    data: bytes
    start: int
    end: int
    line: int


def find_sources(input_path: str | Path, split: str | None) -> list[Source]:
    """Find the files with documents.

    input_path (Union[str, Path]): A file, or a folder, whose folders are searched too:
        a path, or a URL that fsspec knows (`s3://`, `gs://`, `memory://`).
    split (Optional[str]): What a text is in a text file.
    RETURNS (List[Source]): The files, in the order of their names.
    RAISES (ValueError): If there are none, a package is missing to read them, or there
        are text files without `split`.
    """
    try:
        system, root = fsspec.core.url_to_fs(str(input_path))
    except ImportError as e:
        raise ValueError(f"Can't read {input_path}: {e}.") from e
    if not system.exists(root):
        raise ValueError(f"Can't find {input_path}.")
    in_folder = system.isdir(root)
    names = [PurePosixPath(root)]
    if in_folder:
        found = map(PurePosixPath, system.find(root))
        names = sorted(
            path
            for path in found
            if path.suffix.lower() in IN_FOLDERS
            and not any(p.startswith(".") for p in path.relative_to(root).parts)
        )
        if not names:
            raise ValueError(
                f"Can't find files that end with {', '.join(IN_FOLDERS)} in "
                f"{input_path}."
            )
    sources = []
    for path in names:
        kind = SUFFIXES.get(path.suffix.lower(), split)
        if kind is None:
            raise ValueError(
                f"{path} is taken for a text file, in which a text may be the whole "
                "file, each line or each block of lines between blank ones. Say which "
                "with --split file, line or block."
            )
        if kind == "parquet" and find_spec("pyarrow") is None:
            raise ValueError(
                f"{path} needs the package pyarrow. Install it: "
                'pip install "spacy-dualre[parquet]".'
            )
        here = isinstance(system, LocalFileSystem)
        place = str(path) if here else system.unstrip_protocol(str(path))
        name = str(path.relative_to(root)) if in_folder else path.name
        sources.append(Source(place, name, kind))
    return sources


def save_stdin(folder: Path, split: str | None) -> Source:
    """Save what is on the standard input, to be read by shards.

    folder (Path): The folder to write to.
    split (Optional[str]): What a text is. None: the input is JSONL.
    RETURNS (Source): The file.
    """
    path = folder / SAVED
    with replacing(path) as new, new.open("wb") as file:
        while chunk := sys.stdin.buffer.read(1 << 20):
            file.write(chunk)
    return Source(str(path.absolute()), SAVED, split or "jsonl")


def divide(
    sources: Iterable[Source], shard_size: int
) -> tuple[list[str], list[list[Piece]]]:
    """Divide files into shards, in one pass.

    sources (Iterable[Source]): The files.
    shard_size (int): How many documents a shard has, but for the last one.
    RETURNS (Tuple[List[str], List[List[Piece]]]): The SHA-256 of each file, and the
        pieces of each shard.
    RAISES (ValueError): If a `.spacy` file can't be read.
    """
    digests: list[str] = []
    shards: list[list[Piece]] = []
    room = 0
    for source in sources:
        digest = hashlib.sha256()
        spans = _spans(source, digest)
        for start, end, line in spans:
            if not room:
                shards.append([])
                room = shard_size
            n = 1
            for _, later, _ in islice(spans, room - 1):
                end = later
                n += 1
            shards[-1].append(Piece(source, start, end, line, n))
            room -= n
        digests.append(digest.hexdigest())
    return digests, shards


def read_shard(shard: Shard, settings: Settings, vocab: Vocab) -> Iterator[Item]:
    """Read the documents of a shard.

    shard (Shard): The shard.
    settings (Settings): How they are read.
    vocab (Vocab): The vocabulary for the Docs of a `.spacy` file.
    YIELDS (Item): The documents. One that can't be read has an error.
    """
    for piece in shard.pieces:
        source = piece.source
        if source.kind == "spacy":
            yield from _read_docs(piece, vocab)
        elif source.kind == "parquet":
            yield from _read_rows(piece, settings)
        elif source.kind == "file":
            with source.open() as file:
                data = file.read()
            try:
                yield Item(source.name, decode(data, source.path))
            except ValueError as e:
                yield Item(source.name, error=str(e))
        else:
            with source.open() as file:
                file.seek(piece.start)
                data = file.read(piece.end - piece.start)
            lines = io.BytesIO(data)
            for unit in _units(lines, source.kind, piece.start, piece.line):
                yield _read_unit(unit, source, settings)


def read_items(
    input_path: str | Path, settings: Settings, vocab: Vocab
) -> Iterator[Item]:
    """Read all documents, one after the other.

    input_path (Union[str, Path]): A file with documents, or a folder of such files, as
        a path or a URL; or "-" for the standard input.
    settings (Settings): How they are read.
    vocab (Vocab): The vocabulary for the Docs of a `.spacy` file.
    YIELDS (Item): The documents.
    RAISES (ValueError): If there are none, or one can't be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        if str(input_path) == STDIN:
            sources = [save_stdin(Path(folder), settings.split)]
        else:
            sources = find_sources(input_path, settings.split)
        _, shards = divide(sources, shard_size=512)
        for pieces in shards:
            for item in read_shard(Shard("", tuple(pieces)), settings, vocab):
                if item.error is not None:
                    raise ValueError(f"{item.id}: {item.error}")
                yield item


def _spans(source: Source, digest: "hashlib._Hash") -> Iterator[tuple[int, int, int]]:
    """Yields where each document of a file begins and ends, and its line, and feeds the
    digest with the file."""
    with source.open() as file:
        if source.kind in ("jsonl", "line", "block"):
            for unit in _units(_hashed(file, digest), source.kind, 0, 1):
                yield unit.start, unit.end, unit.line
            return
        while chunk := file.read(CHUNK):
            digest.update(chunk)
        size = file.tell()
    if source.kind == "file":
        yield 0, size, 1
        return
    if source.kind == "spacy":
        n = len(_load_doc_bin(source, digest.hexdigest()))
    else:
        with _open_parquet(source) as parquet:
            n = parquet.metadata.num_rows
    for i in range(n):
        yield i, i + 1, i + 1


def _hashed(lines: Iterable[bytes], digest: "hashlib._Hash") -> Iterator[bytes]:
    for line in lines:
        digest.update(line)
        yield line


def _units(
    lines: Iterable[bytes], kind: str, offset: int, number: int
) -> Iterator[Unit]:
    """The documents in lines. Lines end as for `corpora.format.read_lines`, which reads
    whole files only, and fails on all of a file where one line is not UTF-8."""
    block: list[bytes] = []
    start, first = offset, number
    for number_, line in enumerate(lines, start=number):
        if not line.strip():
            if block:
                yield Unit(b"".join(block), start, offset, first)
                block = []
        elif kind == "block":
            if not block:
                start, first = offset, number_
            block.append(line)
        else:
            yield Unit(line, offset, offset + len(line), number_)
        offset += len(line)
    if block:
        yield Unit(b"".join(block), start, offset, first)


def _read_unit(unit: Unit, source: Source, settings: Settings) -> Item:
    place = f"{source.name}:{unit.line}"
    try:
        text = unit.data.decode("utf-8" if unit.start else "utf-8-sig")
    except UnicodeDecodeError as e:
        problem = f"expected UTF-8 text, but found the byte 0x{unit.data[e.start]:02x}."
        return Item(place, error=problem)
    if source.kind != "jsonl":
        return Item(place, text.removesuffix("\n").removesuffix("\r"))
    try:
        data = parse_json(text)
    except ValueError as e:
        return Item(place, error=f"{place}: {e}")
    return _read_fields(data, place, settings)


def _read_fields(data: Any, place: str, settings: Settings) -> Item:
    """A document as an object with a text and perhaps an id."""
    if not isinstance(data, dict):
        found = f"expected a JSON object, but found {shorten(data)}."
        return Item(place, error=f"{place}: {found}")
    id_, content = data.get(settings.id_field), data.get(settings.text_field)
    id_ = place if id_ is None else str(id_)
    if isinstance(content, str):
        return Item(id_, content)
    found = "there is none" if content is None else f"found {shorten(content)}"
    return Item(
        id_,
        error=f"{place}: expected a text as '{settings.text_field}', but {found}. Name "
        "the right field with --text-field.",
    )


@contextmanager
def _open_parquet(source: Source) -> Iterator[Any]:
    with source.open() as file:
        try:
            yield import_module("pyarrow.parquet").ParquetFile(file)
        except ValueError as e:  # pyarrow's own are such
            raise ValueError(
                f"{source.path} is no Parquet file, or damaged: {e}."
            ) from e


@lru_cache(maxsize=1)
def _load_rows(source: Source, group: int, columns: tuple[str, ...]) -> Any:
    """A group of rows, which can't be read in parts, and has those of many shards."""
    with _open_parquet(source) as parquet:
        return parquet.read_row_group(group, columns=columns)


def _read_rows(piece: Piece, settings: Settings) -> Iterator[Item]:
    source = piece.source
    with _open_parquet(source) as parquet:
        sizes = [
            parquet.metadata.row_group(i).num_rows
            for i in range(parquet.metadata.num_row_groups)
        ]
        wanted = (settings.id_field, settings.text_field)
        columns = tuple(name for name in wanted if name in parquet.schema_arrow.names)
    first = 0
    for group, size in enumerate(sizes):
        start, end = max(piece.start, first), min(piece.end, first + size)
        if start < end:
            rows = _load_rows(source, group, columns).slice(start - first, end - start)
            for i, row in enumerate(rows.to_pylist(), start=start + 1):
                yield _read_fields(row, f"{source.name}:{i}", settings)
        first += size


@lru_cache(maxsize=1)
def _load_doc_bin(source: Source, digest: str = "") -> DocBin:
    with source.open() as file:
        return parse_doc_bin(file.read(), source.path)


def _read_docs(piece: Piece, vocab: Vocab) -> Iterator[Item]:
    whole = _load_doc_bin(piece.source)
    for string in whole.strings:
        vocab[string]
    one = new_doc_bin()
    one.attrs = whole.attrs
    for i in range(piece.start, piece.end):
        place = f"{piece.source.name}:{i + 1}"
        for name in DOC_BIN_LISTS:
            setattr(one, name, getattr(whole, name)[i : i + 1])
        try:
            (doc,) = one.get_docs(vocab)
            doc_id = doc.user_data.get("doc_id")
        except Exception as e:  # spaCy's, numpy's, msgpack's
            yield Item(place, error=f"can't be read ({type(e).__name__}: {e})")
        else:
            yield Item(place if doc_id is None else str(doc_id), doc)
