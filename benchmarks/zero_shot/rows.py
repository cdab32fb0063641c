"""Recorded measurements: what identifies one, and where the records are."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.datasets import ROOT

RESULTS = ROOT / "benchmarks" / "results" / "zero-shot.jsonl"


def identity(mode: str, model: Path, name: str | None) -> dict[str, Any]:
    """RETURNS (Dict[str, Any]): What rows of a mode and a model have in common."""
    return {"mode": mode, "model": name or model.resolve().name}


def record(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Record rows, in place of those of the same measurement.

    path (Path): Where they go.
    rows (Iterable[Dict]): The rows. Their "is" identifies the measurement.
    """
    known = {json.dumps(row["is"]): row for row in read_rows(path)}
    known.update({json.dumps(row["is"]): row for row in rows})
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(row) + "\n" for row in known.values()]
    path.write_text("".join(lines), encoding="utf8")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """RETURNS (List[Dict]): The recorded rows."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf8").splitlines()]
