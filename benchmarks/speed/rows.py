"""A row of the speed benchmark: its keys, and how it is shown."""

from typing import Any

KEYS = (
    "mode",
    "dtype",
    "device",
    "pairs",
    "seconds",
    "pairs_per_s",
    "ratio_to_naive",
    "share_of_ceiling",
    "padding",
    "peak_mb",
    "max_score_diff",
)
# Header, key and format.
COLUMNS = (
    ("mode", "mode", "s"),
    ("pairs", "pairs", ",.0f"),
    ("seconds", "seconds", ".3g"),
    ("pairs/s", "pairs_per_s", ",.1f"),
    ("docs/s", "docs_per_s", ".2f"),
    ("x naive", "ratio_to_naive", ".1f"),
    ("of ceiling", "share_of_ceiling", ".0%"),
    ("padding", "padding", ".1%"),
    ("peak MB", "peak_mb", ",.0f"),
    ("score diff", "max_score_diff", ".1e"),
    ("F1", "f1", ".3f"),
)
HEADER = [header for header, _, _ in COLUMNS]


def title(row: dict[str, Any]) -> str:
    """RETURNS (str): The mode, and how long its model was trained if a row says so."""
    steps = row.get("steps")
    return row["mode"] + (f", {steps:,} steps" if steps else "")


def cells(row: dict[str, Any]) -> list[str]:
    """RETURNS (List[str]): The values of a row, one for each of `COLUMNS`."""
    row = {**row, "mode": title(row)}
    values = [(row.get(key), format_) for _, key, format_ in COLUMNS]
    return [
        "" if value is None else format(value, format_) for value, format_ in values
    ]


def remarks(row: dict[str, Any]) -> str:
    """RETURNS (str): Where the time of a row went, and what else there is to say."""
    texts = []
    if row.get("parts"):
        parts = sorted(row["parts"].items(), key=lambda item: -item[1])
        shares = ", ".join(f"{part} {share:.1%}" for part, share in parts)
        outside = f"{row['outside_encoders']:.1%} outside the encoders"
        texts.append(f"{outside} ({shares})")
    if row.get("note"):
        texts.append(row["note"])
    return "; ".join(texts)
