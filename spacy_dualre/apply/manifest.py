"""What a run works on: its input, model and settings, and how they are divided."""

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import srsly
from spacy.util import get_package_path, is_package

from .files import hash_folder
from .inputs import Shard, Source, divide
from .settings import Settings

NAME = "manifest.json"
# What the numbers of a pipeline depend on beside itself.
SOFTWARE = ("spacy-dualre", "spacy", "torch", "transformers")


class Manifest(NamedTuple):
    """What a run works on. Two runs with the same `identity` have the same result.

    identity (Dict[str, Any]): What the result depends on: "input", "model", "ner",
        "settings" and "software".
    shards (List[Shard]): The shards, in the order of the documents.
    """

    identity: dict[str, Any]
    shards: list[Shard]

    @property
    def documents(self) -> int:
        """RETURNS (int): How many documents there are."""
        return sum(shard.documents for shard in self.shards)

    @property
    def model(self) -> str:
        """RETURNS (str): The name and version of the trained pipeline."""
        model = self.identity["model"]
        return f"{model['name']} {model['version']}"

    def to_data(self) -> dict[str, Any]:
        """RETURNS (Dict[str, Any]): Plain data."""
        shards = {
            shard.name: [[p.source.name, *p[1:]] for p in shard.pieces]
            for shard in self.shards
        }
        return {**self.identity, "shards": shards}


def make_manifest(
    model: str, sources: Sequence[Source], settings: Settings, shard_size: int
) -> Manifest:
    """Look through the input and the model.

    model (str): The trained pipeline: a folder or an installed package.
    sources (Sequence[Source]): The files with documents.
    settings (Settings): The settings.
    shard_size (int): How many documents a shard has.
    RETURNS (Manifest): The manifest.
    RAISES (ValueError): If the model can't be found, or a file can't be read.
    """
    digests, pieces = divide(sources, shard_size)
    identity = {
        "input": {source.name: digest for source, digest in zip(sources, digests)},
        "model": identify(model),
        "ner": None if settings.ner is None else identify(settings.ner),
        "settings": {**settings.identity(), "shard_size": shard_size},
        "software": {name: version(name) for name in SOFTWARE},
    }
    shards = [Shard(f"{i:06d}", tuple(of_one)) for i, of_one in enumerate(pieces)]
    # As it is when it was written and read again.
    return Manifest(json.loads(json.dumps(identity)), shards)


def compare(manifest: Manifest, folder: Path) -> None:
    """Compare a manifest with the one in a folder.

    manifest (Manifest): The manifest.
    folder (Path): The folder.
    RAISES (ValueError): If the folder has work on something else.
    """
    before = srsly.read_json(folder / NAME)
    differing = [
        _difference(key, before.get(key), value)
        for key, value in manifest.identity.items()
        if before.get(key) != value
    ]
    if differing:
        raise ValueError(
            f"{folder} has the work of another run: {'; '.join(differing)}. Give "
            "another output to keep it, or --overwrite to start anew."
        )


def identify(model: str) -> dict[str, str]:
    """Tell which pipeline this is.

    model (str): A folder or an installed package.
    RETURNS (Dict[str, str]): Its "name", "version" and "sha256".
    RAISES (ValueError): If there is none.
    """
    folder = Path(model)
    if not folder.is_dir() and is_package(model):
        folder = get_package_path(model)
    if not (folder / "meta.json").is_file():
        raise ValueError(
            f"Can't find the pipeline {model}: there is neither a folder with its "
            "meta.json nor an installed package of that name."
        )
    meta = srsly.read_json(folder / "meta.json")
    name = f"{meta.get('lang', 'xx')}_{meta.get('name', 'pipeline')}"
    found = {"name": name, "version": str(meta.get("version", "0.0.0"))}
    return {**found, "sha256": hash_folder(folder)}


def _difference(key: str, before: Any, now: Any) -> str:
    if not isinstance(before, dict) or not isinstance(now, dict):
        return f"other {key}"
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    listed = ", ".join(names[:3]) + (" and others" if len(names) > 3 else "")
    return f"other {key} ({listed})"
