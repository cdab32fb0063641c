"""RDF: N-Triples, which are streamed, and Turtle, for which all of them are in memory.

A fact is a triple of its entities and its predicate, which are named by IRIs; an id
that is an IRI itself names its entity. Where it is stated is said by a statement (an
RDF reification) of it for each place.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from .results import IRI, NO_ID, Entity, Evidence, Fact, Results
from .writer import Writer

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
XSD = "http://www.w3.org/2001/XMLSchema#"
# What can't stand in a quoted string. Other control characters are escaped, too, for
# those who look at the file.
ESCAPED = re.compile(r'[\x00-\x1f"\\\x7f]')
SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


class Names:
    """The IRIs of entities, predicates and documents.

    base (str): What they begin with.
    """

    def __init__(self, base: str) -> None:
        self.base = base

    def name(self, kind: str, name: str) -> str:
        """RETURNS (str): The IRI of what is of this kind and has this name."""
        return f"{self.base}{kind}/{quote(name, safe='')}"

    def entity(self, entity: Entity) -> str:
        """RETURNS (str): The IRI of an entity."""
        if entity.id.startswith(("http://", "https://")) and IRI.fullmatch(entity.id):
            return entity.id
        if entity.id not in NO_ID:
            return self.name("entity", entity.id)
        return self.name("entity", f"{entity.type}/{entity.key.split(':', 2)[2]}")

    def statement(self, fact: Fact, evidence: Evidence) -> str:
        """RETURNS (str): The IRI of the statement of a fact at one place."""
        place = (evidence.document, *evidence[3:5], *evidence[6:8])
        what = (fact.subject.key, fact.predicate, fact.object.key)
        digest = hashlib.sha256(json.dumps([*what, *place]).encode())
        return self.name("statement", digest.hexdigest()[:32])


def literal(text: str, type_: str = "") -> str:
    """Write a literal as N-Triples do.

    text (str): Its text.
    type_ (str): The IRI of its type. Empty: a string.
    RETURNS (str): The literal.
    """
    escaped = ESCAPED.sub(lambda m: SHORT.get(m[0], f"\\u{ord(m[0]):04X}"), text)
    return f'"{escaped}"^^<{type_}>' if type_ else f'"{escaped}"'


def triples(results: Results) -> Iterator[tuple[str, str, str]]:
    """Turn facts into triples. One may come more than once.

    results (Results): The results.
    YIELDS (Tuple[str, str, str]): Subject, predicate and object as N-Triples have them.
    """
    names = Names(results.selection.base_iri)

    def own(name: str) -> str:
        return f"<{names.name('vocab', name)}>"

    for fact in results.facts():
        subject, object_ = (f"<{names.entity(e)}>" for e in (fact.subject, fact.object))
        predicate = f"<{names.name('predicate', fact.predicate)}>"
        yield subject, predicate, object_
        for entity, iri in ((fact.subject, subject), (fact.object, object_)):
            yield iri, f"<{RDFS}label>", literal(entity.text)
            if entity.type:
                yield iri, f"<{RDF}type>", f"<{names.name('type', entity.type)}>"
        yield predicate, f"<{RDFS}label>", literal(fact.predicate)
        for evidence in fact.evidence:
            statement = f"<{names.statement(fact, evidence)}>"
            yield statement, f"<{RDF}type>", f"<{RDF}Statement>"
            yield statement, f"<{RDF}subject>", subject
            yield statement, f"<{RDF}predicate>", predicate
            yield statement, f"<{RDF}object>", object_
            yield statement, own("model"), literal(results.model)
            for name, value in evidence._asdict().items():
                type_ = {int: f"{XSD}integer", float: f"{XSD}decimal"}.get(type(value))
                text = f"{value:.4f}" if isinstance(value, float) else str(value)
                yield statement, own(name), literal(text, type_ or "")


def write_ntriples(results: Results, path: Path) -> None:
    """Write N-Triples. See `Writer`."""
    with path.open("w", encoding="utf8", newline="\n") as file:
        for triple in triples(results):
            file.write(f"{' '.join(triple)} .\n")


def write_turtle(results: Results, path: Path) -> None:
    """Write Turtle. See `Writer`."""
    from rdflib import Graph

    graph = Graph()
    base = results.selection.base_iri
    for kind in ("entity", "predicate", "type", "vocab", "statement"):
        graph.bind(kind, f"{base}{kind}/")
    lines = "".join(f"{' '.join(triple)} .\n" for triple in triples(results))
    graph.parse(data=lines, format="nt")
    graph.serialize(str(path), format="turtle", encoding="utf8")


NTRIPLES = Writer(write_ntriples)
TURTLE = Writer(write_turtle, requires=("rdflib",), extra="rdf")
