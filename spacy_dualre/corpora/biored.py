"""BioRED (BioC JSON): biomedical entities, and relations between concepts.

A gold relation is between two concepts of a document, not between mentions. It is kept
as such in `doc.user_data["concept_relations"]`, a list of
`[identifier1, identifier2, label, type1, type2, novelty]`. For training it is also put
on every pair of a mention of the one and a mention of the other concept; the mention
that comes first in the text is the subject, because these relations have no direction.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from ..json_files import read_json_list
from ..text_files import input_error, shorten
from .concept_relations import ConceptRelation, relate_concepts, split_identifiers
from .docs import Document, Mention, make_doc
from .format import Format
from .report import CHANGED, NOTED, Report, SplitReport
from .sentences import find_english_sentences

SPLIT_FILES = {
    "train": "Train.BioC.JSON",
    "dev": "Dev.BioC.JSON",
    "test": "Test.BioC.JSON",
}
# They take no part in relations, and their identifiers can be those of genes.
UNRELATED_TYPES = ("OrganismTaxon", "CellLine")
NO_IDENTIFIER = "-"


def read(nlp: Language, input_dir: Path, report: Report) -> Iterator[tuple[str, Doc]]:
    """Read BioRED. See `Format.read`."""
    for split, name in SPLIT_FILES.items():
        path = input_dir / name
        seen: set[str] = set()
        for line, data in read_json_list(path, report.fail, "documents"):
            try:
                id_ = data.get("id")
                if not isinstance(id_, str) or id_ in seen:
                    raise ValueError(
                        "expected an 'id' of its own for a document, found "
                        f"{shorten(id_)}."
                    )
                seen.add(id_)
                yield split, _make_doc(nlp, data, report[split])
            except (KeyError, IndexError, TypeError, AttributeError) as e:
                raise input_error(
                    path,
                    line,
                    "expected a BioC document with 'id', two 'passages' (each with "
                    "'offset', 'text' and 'annotations') and 'relations', but could "
                    f"not read it ({shorten(f'{type(e).__name__}: {e}')}). Is this the "
                    "BioC JSON of BioRED?",
                ) from e
            except ValueError as e:
                raise input_error(path, line, str(e)) from None


def _make_doc(nlp: Language, data: dict[str, Any], report: SplitReport) -> Doc:
    pmid = data["id"]
    if len(data["passages"]) != 2:
        raise ValueError(
            f"expected two passages, title and abstract, in document {pmid}, but found "
            f"{len(data['passages'])}."
        )
    title, abstract = data["passages"]
    text = f"{title['text']} {abstract['text']}"
    mentions = [
        _make_mention(annotation, text, pmid, report)
        for annotation in (*title["annotations"], *abstract["annotations"])
    ]
    doc = make_doc(
        nlp,
        Document(pmid, text, mentions, paragraphs=[len(title["text"]) + 1]),
        report,
        find_english_sentences,
    )
    relations = []
    for relation in data["relations"]:
        infons = relation["infons"]
        first, second = infons["entity1"].strip(), infons["entity2"].strip()
        relations.append(
            ConceptRelation(first, second, infons["type"], infons["novel"])
        )
    relate_concepts(doc, relations, report, unrelated_types=UNRELATED_TYPES)
    return doc


def _make_mention(
    annotation: dict[str, Any], text: str, pmid: str, report: SplitReport
) -> Mention:
    infons = annotation["infons"]
    if len(annotation["locations"]) != 1:
        raise ValueError(
            f"expected mentions in one piece, but '{annotation['text']}' of document "
            f"{pmid} has {len(annotation['locations'])}."
        )
    location = annotation["locations"][0]
    start = location["offset"]
    end = start + location["length"]
    if text[start:end] != annotation["text"]:
        raise ValueError(
            f"expected {shorten(annotation['text'])} at {start} to {end} of document "
            f"{pmid}, but the text there is {shorten(text[start:end])}. Offsets count "
            "characters of title, one space, abstract; was the file changed?"
        )
    identifier, changed = split_identifiers(infons["identifier"])
    if changed:
        report.record(CHANGED, "mention", "blanks around an identifier removed", pmid)
    if identifier == NO_IDENTIFIER:
        # A shared "-" would make one concept of all that have none.
        identifier = ""
        report.record(NOTED, "mention", "has no identifier", pmid)
    return Mention(start, end, infons["type"], kb_id=identifier, id=annotation["id"])


FORMAT = Format(
    read=read,
    files={
        "Train.BioC.JSON": (
            "53e08e0acff5043937cdd3fdb595639e59bfb0390b64760a3840f6e1a2a69987"
        ),
        "Dev.BioC.JSON": (
            "d5ab4d05673ac46fb5e3b2904d2820462dec2c4c50dfcdd8678635ff1b8ce1f5"
        ),
        "Test.BioC.JSON": (
            "35ec8aad0c62032689b4a957220c7532eb067dc7e159d70cc42e6d40e6c447c6"
        ),
    },
    counts={
        "train": {"documents": 400, "mentions": 13351, "relations": 4178},
        "dev": {"documents": 100, "mentions": 3533, "relations": 1162},
        "test": {"documents": 100, "mentions": 3535, "relations": 1163},
    },
)
