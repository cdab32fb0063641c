"""Which format annotations are in, as far as their files show it."""

from pathlib import Path

from . import format_names

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

    corpus (Path): A file, or a folder, of which the first file of each kind is looked
        at.
    RETURNS (str): The name of the format. JSON lines that show no other are "jsonl".
    RAISES (ValueError): If there is no such file, or several formats.
    """
    paths = sorted(corpus.rglob("*")) if corpus.is_dir() else [corpus]
    found = set()
    for ending in {ending for _, ending, _ in SIGNS}:
        own = [
            path
            for path in paths
            if path.name.lower().endswith(ending) and not path.name.startswith(".")
        ]
        if own:
            with own[0].open("rb") as file:
                text = file.read(BEGINNING).decode("utf8", "replace")
            formats = {
                name
                for name, its, signs in SIGNS
                if its == ending and all(sign in text for sign in signs)
            }
            # Whose reader says what is wrong, and where.
            found |= formats or ({"jsonl"} if ending == ".jsonl" else set())
    if len(found) != 1:
        several = f" (it may be {' or '.join(sorted(found))})" if found else ""
        raise ValueError(
            f"Can't tell the format of {corpus}{several}. Name it with --format: "
            f"{', '.join(format_names())}."
        )
    return found.pop()
