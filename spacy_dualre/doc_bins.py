"""`.spacy` files: Docs as spaCy's DocBin packs them."""

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from catalogue import Registry
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab
from srsly.msgpack import msgpack_decoders, msgpack_encoders


def new_doc_bin(docs: Iterable[Doc] = ()) -> DocBin:
    """RETURNS (DocBin): One with these Docs and their `doc.user_data`."""
    look_up_codecs_once()
    return DocBin(docs=docs, store_user_data=True)


def parse_doc_bin(data: bytes, path: str | Path) -> DocBin:
    """Unpack a `.spacy` file.

    data (bytes): What is in it.
    path (Union[str, Path]): Where it is, for the error.
    RETURNS (DocBin): The Docs.
    RAISES (ValueError): If it is none.
    """
    try:
        return new_doc_bin().from_bytes(data)
    except MemoryError:
        raise
    except Exception as e:  # zlib's, msgpack's, spaCy's and others
        raise ValueError(f"{path} is no .spacy file, or is damaged.") from e


def load_doc_bin(path: Path) -> DocBin:
    """RETURNS (DocBin): A `.spacy` file, read and unpacked. See `parse_doc_bin`."""
    return parse_doc_bin(path.read_bytes(), path)


def read_docs(path: Path, vocab: Vocab) -> Iterator[Doc]:
    """Read a `.spacy` file.

    path (Path): The file.
    vocab (Vocab): The vocabulary of the Docs.
    YIELDS (Doc): The Docs.
    RAISES (ValueError): If it is none, or a Doc of it can't be read.
    """
    return unpack_docs(load_doc_bin(path), vocab, path)


def unpack_docs(doc_bin: DocBin, vocab: Vocab, path: Path) -> Iterator[Doc]:
    """Make the Docs of a `.spacy` file.

    doc_bin (DocBin): The file.
    vocab (Vocab): The vocabulary of the Docs.
    path (Path): Where the file is, for the error.
    YIELDS (Doc): The Docs.
    RAISES (ValueError): If a Doc can't be read.
    """
    docs = doc_bin.get_docs(vocab)
    number = 0
    while True:
        number += 1
        try:
            doc = next(docs)
        except StopIteration:
            return
        except MemoryError:
            raise
        except Exception as e:  # spaCy's, numpy's, msgpack's
            raise ValueError(
                f"{path}: document {number} is damaged ({type(e).__name__}: {e})."
            ) from e
        yield doc


@cache
def look_up_codecs_once() -> None:
    """Let srsly look up only once what other packages pack with, for the whole process.

    It asks for the entry points of all installed packages whenever it packs or unpacks
    something, and a Doc in a `.spacy` file has four parts: that is most of the time of
    reading and writing one. What is installed does not change while a process runs.
    """
    registry: Registry
    for registry in (msgpack_encoders, msgpack_decoders):
        for name, codec in registry.get_entry_points().items():
            registry.register(name, func=codec)
        registry.entry_points = False
