"""What `.spacy` files are packed with: srsly's msgpack."""

from functools import cache

from catalogue import Registry
from srsly.msgpack import msgpack_decoders, msgpack_encoders


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
