"""Which format annotations are in, as far as their files show it."""

from pathlib import Path

from . import format_names
from .format import visible_files

# Format, how the names of its files end, and what the beginning of a file has.
SIGNS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("brat", ".ann", ()),
    ("pubtator", ".pubtator", ()),
    ("pubtator", ".pubtator.txt", ()),
    ("cas", ".xmi", ()),
    ("cas", ".json", ('"%TYPES"',)),
    ("bioc", ".xml", ("<collection", "<passage")),
    ("bioc", ".json", ('"documents"', '"passages"')),
    ("labelstudio", ".json", ('"data"', '"annotations"', '"result"')),
    ("spert", ".json", ('"tokens"', '"entities"', '"type"')),
    ("tacred", ".json", ('"token"', '"subj_start"', '"obj_start"')),
    ("docred", ".json", ('"sents"', '"vertexSet"')),
    ("docred", ".jsonl", ('"sents"', '"vertexSet"')),
    ("fewrel", ".jsonl", ('"tokens"', '"relation"', '"head"', '"tail"')),
    ("prodigy", ".jsonl", ('"text"', '"_input_hash"')),
    ("doccano", ".jsonl", ('"text"', '"start_offset"')),
    ("doccano", ".jsonl", ('"text"', '"label"', '"Comments"')),
)
BEGINNING = 1 << 17


def guess_format(corpus: Path) -> str:
    """Guess the format of annotations.

    corpus (Path): A file, or a folder, of which of each kind of files the first one
        that shows a format is looked at.
    RETURNS (str): The name of the format. JSON lines that show no other are "jsonl".
    RAISES (ValueError): If there is no such file, or several formats.
    """
    paths = visible_files(corpus)
    found = set()
    for ending in {ending for _, ending, _ in SIGNS}:
        own = [path for path in paths if path.name.lower().endswith(ending)]
        formats = next(filter(None, (_formats_of(path, ending) for path in own)), set())
        # Whose reader says what is wrong, and where.
        found |= {"jsonl"} if ending == ".jsonl" and own and not formats else formats
    if len(found) != 1:
        several = f" (it may be {' or '.join(sorted(found))})" if found else ""
        raise ValueError(
            f"Can't tell the format of {corpus}{several}. Name it with --format: "
            f"{', '.join(format_names())}."
        )
    return found.pop()


def _formats_of(path: Path, ending: str) -> set[str]:
    with path.open("rb") as file:
        text = file.read(BEGINNING).decode("utf8", "replace")
    return {
        name
        for name, its, signs in SIGNS
        if its == ending and all(sign in text for sign in signs)
    }
