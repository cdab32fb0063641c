"""JSON lines. Documents, in the format that `convert` reads, with scores; or merged
facts, each with its evidence.
"""

import json
from pathlib import Path
from typing import Any

from .results import Fact, Results
from .writer import Writer


def write(results: Results, path: Path) -> None:
    """Write JSON lines. See `Writer`."""
    merged = results.selection.merge
    with path.open("w", encoding="utf8", newline="\n") as file:
        for line in (
            (describe(fact, results.model) for fact in results.facts())
            if merged
            else results.documents()
        ):
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def describe(fact: Fact, model: str) -> dict[str, Any]:
    """RETURNS (Dict[str, Any]): A fact as plain data."""
    return {
        "subject": fact.subject._asdict(),
        "predicate": fact.predicate,
        "object": fact.object._asdict(),
        "score": fact.score,
        "evidence": [evidence._asdict() for evidence in fact.evidence],
        "model": model,
    }


WRITER = Writer(write)
