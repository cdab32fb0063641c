"""A table of triples: CSV as in RFC 4180, or the same with tabs.

One row for each fact. The columns of the place are those of the evidence with the best
score; "mentions" says how many places there are, and if they are merged, "evidence" has
all of them as a JSON list.
"""

import csv
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from .results import Evidence, Results
from .writer import Writer

ENTITY = ("", "_type", "_id")
COLUMNS = (
    *(f"subject{part}" for part in ENTITY),
    "predicate",
    *(f"object{part}" for part in ENTITY),
    "score",
    *(f for f in Evidence._fields if f not in ("score", "subject_text", "object_text")),
    "model",
    "mentions",
    "evidence",
)


def rows_of(results: Results) -> Iterator[dict[str, Any]]:
    """Read the facts as rows of a table.

    results (Results): The results.
    YIELDS (Dict[str, Any]): A value for each of `COLUMNS`.
    """
    for fact in results.facts():
        row: dict[str, Any] = fact.best._asdict()
        for role, entity in (("subject", fact.subject), ("object", fact.object)):
            row |= {f"{role}{part}": v for part, v in zip(ENTITY, entity)}
        row |= {"predicate": fact.predicate, "model": results.model}
        row["mentions"] = len(fact.evidence)
        row["evidence"] = None
        if results.selection.merge:
            places = [evidence._asdict() for evidence in fact.evidence]
            row["evidence"] = json.dumps(places, ensure_ascii=False)
        yield {name: row[name] for name in COLUMNS}


def write(results: Results, path: Path, *, delimiter: str) -> None:
    """Write a table. See `Writer`.

    delimiter (str): What is between two columns.
    """
    with path.open("w", encoding="utf8", newline="") as file:
        rows = csv.DictWriter(file, COLUMNS, delimiter=delimiter)
        rows.writeheader()
        rows.writerows(rows_of(results))


CSV = Writer(partial(write, delimiter=","))
TSV = Writer(partial(write, delimiter="\t"))
