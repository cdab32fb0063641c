"""A folder of files for `neo4j-admin database import`:

    neo4j-admin database import full --nodes=nodes.csv \\
        --relationships=relationships.csv --multiline-fields=true

An entity is one node, however often it is mentioned; which are written already is kept
in memory, in about a hundred bytes each.
"""

import csv
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from .results import Entity, Evidence, Results
from .writer import Writer

NODES = ("id:ID", "name", "type", "kb_id", ":LABEL")
KINDS = {int: ":int", float: ":double", str: ""}
PLACE = tuple(
    f"{name}{KINDS.get(type_, '')}" for name, type_ in Evidence.__annotations__.items()
)
RELATIONSHIPS = (":START_ID", ":END_ID", ":TYPE", *PLACE, "model", "evidence")


def write(results: Results, path: Path) -> None:
    """Write the folder. See `Writer`."""
    path.mkdir()
    seen: set[bytes] = set()

    def new(entities: tuple[Entity, ...]) -> Iterator[Entity]:
        for entity in entities:
            digest = hashlib.sha256(entity.key.encode()).digest()[:16]
            if digest not in seen:
                seen.add(digest)
                yield entity

    def open_(name: str):  # type: ignore[no-untyped-def]
        return (path / name).open("w", encoding="utf8", newline="")

    with open_("nodes.csv") as file, open_("relationships.csv") as other:
        # Neo4j takes a quote in a field that is not quoted for an error.
        nodes = csv.writer(file, quoting=csv.QUOTE_ALL)
        relationships = csv.writer(other, quoting=csv.QUOTE_ALL)
        nodes.writerow(NODES)
        relationships.writerow(RELATIONSHIPS)
        for fact in results.facts():
            for entity in new((fact.subject, fact.object)):
                # ";" divides labels.
                label = f"Entity;{entity.type.replace(';', ',')}".rstrip(";")
                nodes.writerow((entity.key, *entity, label))
            places: str = ""
            if results.selection.merge:
                listed = [evidence._asdict() for evidence in fact.evidence]
                places = json.dumps(listed, ensure_ascii=False)
            ends = (fact.subject.key, fact.object.key, fact.predicate)
            relationships.writerow((*ends, *fact.best, results.model, places))


WRITER = Writer(write)
