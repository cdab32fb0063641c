"""Documents to apply a pipeline to: found, divided into shards, and read.

A shard is some pieces of files. Which ones depends on nothing but the files, and a
piece can be read without what is before it, so any process can work on any shard.
"""

import hashlib
import io
import sys
import tempfile
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from ..corpora.format import read_text, shorten
from ..corpora.json_files import parse_json
from .files import hash_file, replacing
from .settings import Settings

STDIN = "-"
SAVED = "stdin"  # the name of the file that it is saved in
SUFFIXES = {".jsonl": "jsonl", ".ndjson": "jsonl", ".spacy": "spacy"}
# What is read in a folder. A file that is named itself may have any name.
IN_FOLDERS = (".txt", *SUFFIXES)
# The lists of a DocBin that have one entry for each Doc.
DOC_BIN_LISTS = ("tokens", "spaces", "cats", "span_groups", "user_data", "flags")


class Source(NamedTuple):
    """A file with documents.

    path (str): Where it is.
    name (str): Its path within the input.
    kind (str): "spacy", "jsonl", "file", "line" or "block".
    """

    path: str
    name: str
    kind: str


class Piece(NamedTuple):
    """A part of a file.

    source (Source): The file.
    start (int): Its first byte; of a `.spacy` file: its first document.
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


def find_sources(input_path: Path, split: str | None) -> list[Source]:
    """Find the files with documents.

    input_path (Path): A file, or a folder, whose folders are searched too.
    split (Optional[str]): What a text is in a text file.
    RETURNS (List[Source]): The files, in the order of their names.
    RAISES (ValueError): If there are none, or text files without `split`.
    """
    if not input_path.exists():
        raise ValueError(f"Can't find {input_path}.")
    paths = [input_path]
    if input_path.is_dir():
        found = ((path.relative_to(input_path), path) for path in input_path.rglob("*"))
        paths = [
            path
            for name, path in sorted(found, key=lambda pair: pair[0].as_posix())
            if path.suffix.lower() in IN_FOLDERS
            and path.is_file()
            and not any(part.startswith(".") for part in name.parts)
        ]
        if not paths:
            raise ValueError(
                f"Can't find files that end with {', '.join(IN_FOLDERS)} in "
                f"{input_path}."
            )
    sources = []
    for path in paths:
        kind = SUFFIXES.get(path.suffix.lower(), split)
        if kind is None:
            raise ValueError(
                f"{path} is taken for a text file, in which a text may be the whole "
                "file, each line or each block of lines between blank ones. Say which "
                "with --split file, line or block."
            )
        in_folder = input_path.is_dir()
        name = path.relative_to(input_path).as_posix() if in_folder else path.name
        sources.append(Source(str(path.absolute()), name, kind))
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
        path = Path(source.path)
        if source.kind == "spacy":
            yield from _read_docs(piece, vocab)
        elif source.kind == "file":
            try:
                yield Item(source.name, read_text(path))
            except ValueError as e:
                yield Item(source.name, error=str(e))
        else:
            with path.open("rb") as file:
                file.seek(piece.start)
                data = file.read(piece.end - piece.start)
            lines = io.BytesIO(data)
            for unit in _units(lines, source.kind, piece.start, piece.line):
                yield _read_unit(unit, source, settings)


def read_items(
    input_path: str | Path, settings: Settings, vocab: Vocab
) -> Iterator[Item]:
    """Read all documents, one after the other.

    input_path (Union[str, Path]): A file with documents, a folder of such files, or "-"
        for the standard input.
    settings (Settings): How they are read.
    vocab (Vocab): The vocabulary for the Docs of a `.spacy` file.
    YIELDS (Item): The documents.
    RAISES (ValueError): If there are none, or one can't be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        if str(input_path) == STDIN:
            sources = [save_stdin(Path(folder), settings.split)]
        else:
            sources = find_sources(Path(input_path), settings.split)
        _, shards = divide(sources, shard_size=512)
        for pieces in shards:
            for item in read_shard(Shard("", tuple(pieces)), settings, vocab):
                if item.error is not None:
                    raise ValueError(f"{item.id}: {item.error}")
                yield item


def _spans(source: Source, digest: "hashlib._Hash") -> Iterator[tuple[int, int, int]]:
    """Yields where each document of a file begins and ends, and its line, and feeds the
    digest with the file."""
    path = Path(source.path)
    if source.kind == "file":
        digest.update(hash_file(path).encode())
        yield 0, path.stat().st_size, 1
    elif source.kind == "spacy":
        digest.update(hash_file(path).encode())
        for i in range(len(_load_doc_bin(source.path, digest.hexdigest()))):
            yield i, i + 1, i + 1
    else:
        with path.open("rb") as file:
            for unit in _units(_hashed(file, digest), source.kind, 0, 1):
                yield unit.start, unit.end, unit.line


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
    id_ = None
    try:
        data = parse_json(text)
        if not isinstance(data, dict):
            raise ValueError(f"expected a JSON object, but found {shorten(data)}.")
        id_ = data.get(settings.id_field)
        content = data.get(settings.text_field)
        if not isinstance(content, str):
            found = shorten(content) if settings.text_field in data else "there is none"
            raise ValueError(
                f"expected a text as '{settings.text_field}', but {found}. Name the "
                "right field with --text-field."
            )
    except ValueError as e:
        return Item(place if id_ is None else str(id_), error=f"{place}: {e}")
    return Item(place if id_ is None else str(id_), content)


@lru_cache(maxsize=1)
def _load_doc_bin(path: str, digest: str = "") -> DocBin:
    try:
        return DocBin(store_user_data=True).from_disk(path)
    except Exception as e:  # zlib's, msgpack's and others
        raise ValueError(
            f"{path} is no .spacy file, or is damaged ({type(e).__name__}: {e})."
        ) from e


def _read_docs(piece: Piece, vocab: Vocab) -> Iterator[Item]:
    whole = _load_doc_bin(piece.source.path)
    for string in whole.strings:
        vocab[string]
    one = DocBin(store_user_data=True)
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
