"""W3C Web Annotation (JSON-LD): a page of annotations, one for each fact.

The targets of an annotation are its subjects and objects, by position and by quote; its
body says what holds between them, for which the model has no terms of its own, so they
are those of `base_iri`.
"""

import json
from pathlib import Path
from typing import Any

from .rdf import Names
from .results import Entity, Evidence, Fact, Results
from .writer import Writer

TERMS = ("Relation", "score", "evidence", "sentence", "entityType")


def write(results: Results, path: Path) -> None:
    """Write the page. See `Writer`."""
    names = Names(results.selection.base_iri)
    terms: dict[str, Any] = {term: names.name("vocab", term) for term in TERMS}
    for term in ("subject", "predicate", "object"):
        terms[term] = {"@id": names.name("vocab", term), "@type": "@id"}
    head = {
        "@context": ["http://www.w3.org/ns/anno.jsonld", terms],
        "id": names.name("page", "1"),
        "type": "AnnotationPage",
    }
    with path.open("w", encoding="utf8", newline="\n") as file:
        file.write(json.dumps(head, ensure_ascii=False)[:-1] + ', "items": [')
        for i, fact in enumerate(results.facts()):
            annotation = annotate(fact, names, results.model)
            line = json.dumps(annotation, ensure_ascii=False)
            file.write(f"{',' if i else ''}\n{line}")
        file.write("\n]}\n")


def annotate(fact: Fact, names: Names, model: str) -> dict[str, Any]:
    """Turn a fact into an annotation.

    fact (Fact): The fact.
    names (Names): The names of what it has.
    model (str): The name and version of the pipeline.
    RETURNS (Dict[str, Any]): The annotation.
    """
    targets: dict[str, dict[str, Any]] = {}
    places = []
    for evidence in fact.evidence:
        ends = _targets(fact, evidence, names)
        targets |= {target["id"]: target for target in ends}
        place = {"subject": ends[0]["id"], "object": ends[1]["id"]}
        stated = {"score": evidence.score, "sentence": evidence.sentence}
        places.append({**place, **stated})
    return {
        "id": names.statement(fact, fact.best),
        "type": "Annotation",
        "motivation": "linking",
        "generator": {"type": "Software", "name": model},
        "body": {
            "type": "Relation",
            "subject": names.entity(fact.subject),
            "predicate": names.name("predicate", fact.predicate),
            "object": names.entity(fact.object),
            "score": fact.score,
            "evidence": places,
        },
        "target": list(targets.values()),
    }


def _targets(fact: Fact, evidence: Evidence, names: Names) -> list[dict[str, Any]]:
    source = names.name("document", evidence.document)
    return [
        _target(source, fact.subject, *evidence[3:6]),
        _target(source, fact.object, *evidence[6:9]),
    ]


def _target(
    source: str, entity: Entity, start: int, end: int, text: str
) -> dict[str, Any]:
    return {
        # A fragment of plain text, as in RFC 5147.
        "id": f"{source}#char={start},{end}",
        "type": "SpecificResource",
        "source": source,
        "entityType": entity.type,
        "selector": [
            {"type": "TextPositionSelector", "start": start, "end": end},
            {"type": "TextQuoteSelector", "exact": text},
        ],
    }


WRITER = Writer(write)
