"""What `.spacy` files are packed with is looked up once."""

import catalogue
import pytest
from catalogue import Registry
from srsly import msgpack_dumps, msgpack_loads
from srsly.msgpack import msgpack_decoders, msgpack_encoders

from spacy_dualre.msgpack import look_up_codecs_once


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
