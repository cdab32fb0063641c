"""`.spacy` files: damaged ones are named, and what they are packed with is looked up
once.
"""

from pathlib import Path

import catalogue
import pytest
import spacy
from catalogue import Registry
from spacy.tokens import Doc
from spacy.vocab import Vocab
from srsly import msgpack_dumps, msgpack_loads
from srsly.msgpack import msgpack_decoders, msgpack_encoders
from tiny_corpus import TEXTS, with_entities
from typer.testing import CliRunner

from spacy_dualre.cli import app
from spacy_dualre.doc_bins import look_up_codecs_once, new_doc_bin, read_docs
from spacy_dualre.training.corpus import build_corpus

ROOT = Path(__file__).parent.parent
SAMPLE_PREDICATES = ROOT / "assets" / "sample" / "predicates.yml"


def decode(obj, chain=None):
    return obj.get("mine") or (chain(obj) if chain else obj)


@pytest.fixture
def other_package(monkeypatch):
    """A package that registers a decoder. RETURNS (List): A word for each look-up."""
    asked = []

    def get_entry_points(registry):
        asked.append(registry.namespace)
        return {"mine": decode} if registry is msgpack_decoders else {}

    monkeypatch.setattr(catalogue, "REGISTRY", catalogue.REGISTRY.copy())
    monkeypatch.setattr(Registry, "get_entry_points", get_entry_points)
    for registry in (msgpack_encoders, msgpack_decoders):
        monkeypatch.setattr(registry, "entry_points", True)
    look_up_codecs_once.cache_clear()
    yield asked
    look_up_codecs_once.cache_clear()


def test_codecs_are_looked_up_once(other_package):
    look_up_codecs_once()
    n = len(other_package)
    assert n == 2
    for _ in range(3):
        look_up_codecs_once()
        msgpack_loads(msgpack_dumps({"a": 1}))
    assert len(other_package) == n


def test_codecs_of_other_packages_are_still_used(other_package):
    look_up_codecs_once()
    assert msgpack_loads(msgpack_dumps({"mine": 3})) == 3
    assert msgpack_loads(msgpack_dumps({"yours": 3})) == {"yours": 3}


# Damaged files.


@pytest.fixture
def damaged(tmp_path):
    """A `.spacy` file that was cut short."""
    whole = new_doc_bin(with_entities(spacy.blank("en"))).to_bytes()
    path = tmp_path / "corpus" / "train.spacy"
    path.parent.mkdir()
    path.write_bytes(whole[: len(whole) // 2])
    (path.parent / "dev.spacy").write_bytes(whole)
    return path


@pytest.mark.parametrize(
    "command",
    [
        "divide FILE --output OUT",
        "init FOLDER --output OUT",
        "check FOLDER",
        "join OUT FILE:PREDICATES",
        "evaluate MODEL FILE",
        "find-prune MODEL FILE",
        "tune MODEL FILE OUT",
        "render MODEL FILE OUT.html",
        "apply MODEL FILE OUT.csv",
    ],
)
def test_every_command_names_a_damaged_file(command, damaged, trained_path):
    places = {
        **{"FILE": damaged, "FOLDER": damaged.parent, "MODEL": trained_path},
        **{"OUT": damaged.parent.parent / "out", "PREDICATES": SAMPLE_PREDICATES},
    }
    for name, place in places.items():
        command = command.replace(name, str(place))
    result = CliRunner().invoke(app, command.split())
    assert result.exit_code == 1
    said = " ".join(result.output.split())
    assert f"{damaged} is no .spacy file, or is damaged." in said.replace("- ", "-")


@pytest.mark.parametrize("content", [b"", b"no"])
def test_a_file_that_is_none_is_named(tmp_path, content):
    (tmp_path / "a.spacy").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.spacy is no \.spacy file"):
        next(read_docs(tmp_path / "a.spacy", Vocab()))


def test_a_damaged_document_is_counted_to(tmp_path):
    docs = new_doc_bin(with_entities(spacy.blank("en")))
    docs.user_data[2] = b"\xc1"
    docs.to_disk(tmp_path / "a.spacy")
    read = read_docs(tmp_path / "a.spacy", Vocab())
    assert [next(read).text.strip() for _ in range(2)] == TEXTS[:2]
    with pytest.raises(ValueError, match=r"a\.spacy: document 3 is damaged"):
        next(read)


def test_a_limit_counts_the_examples_of_all_files(tmp_path):
    for name in "ab":
        docs = with_entities(spacy.blank("en"))
        new_doc_bin([Doc(docs[0].vocab), *docs]).to_disk(tmp_path / f"{name}.spacy")
    examples = build_corpus(str(tmp_path), limit=len(TEXTS) + 2)(spacy.blank("en"))
    assert sorted(eg.text.strip() for eg in examples) == sorted([*TEXTS, *TEXTS[:2]])
