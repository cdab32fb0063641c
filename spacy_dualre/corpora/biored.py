"""BioRED (BioC JSON): biomedical entities, and relations between concepts.

A gold relation is between two concepts of a document, not between mentions. It is kept
as such in `doc.user_data["concept_relations"]`, a list of
`[identifier1, identifier2, label, type1, type2, novelty]`. For training it is also put
on every pair of a mention of the one and a mention of the other concept; the mention
that comes first in the text is the subject, because these relations have no direction.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span

from .docs import ENTITIES_KEY, Mention, add_relations, make_doc, sentence_indices
from .format import Format, input_error, read_lines
from .report import LOST, NOTED, Report, SplitReport
from .sentences import set_sentences

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
        for line, data in _read_documents(path):
            try:
                yield split, _make_doc(nlp, data, report[split])
            except (KeyError, IndexError, TypeError, AttributeError) as e:
                raise input_error(
                    path,
                    line,
                    "expected a BioC document with 'id', two 'passages' (each with "
                    "'offset', 'text' and 'annotations') and 'relations', but could "
                    f"not read it ({type(e).__name__}: {e}). Is this the BioC JSON of "
                    "BioRED?",
                ) from e
            except ValueError as e:
                raise input_error(path, line, str(e)) from None


def _read_documents(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields the documents, each with the line on which it says its id."""
    lines = list(read_lines(path))
    try:
        data = json.loads("\n".join(line for _, line in lines))
    except ValueError as e:
        line = getattr(e, "lineno", 1)
        raise input_error(
            path, line, f"expected JSON, but {e}. Is the file complete?"
        ) from None
    documents = data.get("documents") if isinstance(data, dict) else None
    if not isinstance(documents, list):
        raise input_error(path, 1, "expected a JSON object with a list 'documents'.")
    line_of = {text.strip().rstrip(","): number for number, text in reversed(lines)}
    seen = set()
    for document in documents:
        id_ = document.get("id") if isinstance(document, dict) else None
        line = line_of.get(f'"id": {json.dumps(id_)}', 1)
        if not isinstance(id_, str) or id_ in seen:
            raise input_error(
                path,
                line,
                f"expected an 'id' of its own for a document, found {id_!r}.",
            )
        seen.add(id_)
        yield line, document


def _make_doc(nlp: Language, data: dict[str, Any], report: SplitReport) -> Doc:
    pmid = data["id"]
    if len(data["passages"]) != 2:
        raise ValueError(
            f"expected two passages, title and abstract, in document {pmid}, but found "
            f"{len(data['passages'])}."
        )
    title, abstract = data["passages"]
    text = f"{title['text']} {abstract['text']}"
    mentions = []
    for annotation in (*title["annotations"], *abstract["annotations"]):
        report.rows["mention"] += 1
        mentions.append(_make_mention(annotation, text, pmid))
        if not mentions[-1].kb_id:
            report.record(NOTED, "mention", "has no identifier", pmid)
    doc = make_doc(nlp, text, mentions, pmid, report)
    spans = doc.spans[ENTITIES_KEY]
    set_sentences(doc, spans, starts=(len(title["text"]) + 1,))
    _relate_concepts(doc, data["relations"], report)
    return doc


def _make_mention(annotation: dict[str, Any], text: str, pmid: str) -> Mention:
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
            f"expected '{annotation['text']}' at {start} to {end} of document {pmid}, "
            f"but the text there is '{text[start:end]}'. Offsets count characters of "
            "title, one space, abstract; was the file changed?"
        )
    identifier = infons["identifier"]
    return Mention(
        start,
        end,
        infons["type"],
        # A shared "-" would make one concept of all that have none.
        kb_id="" if identifier == NO_IDENTIFIER else identifier,
        id=annotation["id"],
    )


def _relate_concepts(
    doc: Doc, relations: list[dict[str, Any]], report: SplitReport
) -> None:
    pmid = doc.user_data["doc_id"]
    sentence = sentence_indices(doc)
    # identifier -> type -> indices of mentions. Split on "," only: "|" is part of
    # identifiers of variants.
    spans = list(doc.spans[ENTITIES_KEY])
    concepts: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, span in enumerate(spans):
        if span.kb_id_ and span.label_ not in UNRELATED_TYPES:
            for identifier in span.kb_id_.split(","):
                concepts[identifier][span.label_].append(i)
    concept_relations = []
    pairs: dict[tuple[Span, Span, str], None] = {}
    for relation in relations:
        report.rows["relation"] += 1
        infons = relation["infons"]
        label, novelty = infons["type"], infons["novel"]
        ids = (infons["entity1"], infons["entity2"])
        if not all(id_ in concepts for id_ in ids):
            report.record(LOST, "relation", "a concept has no mention", pmid)
            continue
        if any(len(concepts[id_]) > 1 for id_ in ids):
            report.record(LOST, "relation", "an identifier has several types", pmid)
            continue
        (type1, mentions1), (type2, mentions2) = (
            next(iter(concepts[id_].items())) for id_ in ids
        )
        concept_relations.append([*ids, label, type1, type2, novelty])
        if ids[0] == ids[1]:
            report.record(NOTED, "concept relation", "of a concept with itself", pmid)
        same_sentence = False
        for i in mentions1:
            for j in mentions2:
                if i != j:
                    first, second = sorted((spans[i], spans[j]), key=_offsets)
                    pairs[first, second, label] = None
                    same_sentence |= sentence[first.start] == sentence[second.start]
        if not same_sentence:
            report.record(
                NOTED, "concept relation", "has no mention pair in one sentence", pmid
            )
    doc.user_data["concept_relations"] = concept_relations
    add_relations(doc, pairs, report)


def _offsets(span: Span) -> tuple[int, int]:
    return (span.start, span.end)


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
