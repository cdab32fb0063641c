"""What is kept of a document: a JSON object, in the format of `corpora.jsonl` with the
scores of the relations."""

from typing import Any

from spacy.tokens import Doc, Span
from spacy.util import filter_spans
from spacy.vocab import Vocab

from ..relations import Relation, get_relations, set_relations
from ..spans import ENTITIES_KEY, get_spans


def to_record(
    doc: Doc, doc_id: str, relations_key: str, spans_key: str | None
) -> dict[str, Any]:
    """Turn a Doc into plain data.

    doc (Doc): The Doc.
    doc_id (str): Its id.
    relations_key (str): Where its relations are.
    spans_key (Optional[str]): The span group that holds its entities, or None for
        `doc.ents`. The spans of relations are among the entities in any case.
    RETURNS (Dict[str, Any]): "id", "text", "entities", "relations", "tokens" and, if
        they are known, "sentences".
    RAISES (ValueError): If the text can't be written as UTF-8.
    """
    doc.text.encode("utf8")  # half of a surrogate pair can't
    entities: list[dict[str, Any]] = []
    at: dict[tuple[int, int, str, str], int] = {}

    def add(span: Span) -> int:
        # An entity ruler has ids of its own, an entity linker those of its base. A
        # file's are those of mentions, and T1 of one is not that of another.
        own_id = span.kb_id_ or ("" if spans_key == ENTITIES_KEY else span.id_)
        key = (span.start_char, span.end_char, span.label_, own_id)
        if key not in at:
            at[key] = len(entities)
            start, end, label, own_id = key
            entity = {"start": start, "end": end, "label": label, "id": own_id}
            entities.append({k: v for k, v in entity.items() if v != ""})
        return at[key]

    for entity in get_spans(doc, spans_key):
        add(entity)
    relations = [
        {
            "subject": add(relation.subject),
            "object": add(relation.object),
            "label": relation.label,
            "score": relation.score,
        }
        for relation in get_relations(doc, relations_key)
    ]
    record: dict[str, Any] = {"id": doc_id, "text": doc.text}
    record |= {"entities": entities, "relations": relations}
    record["tokens"] = [[token.idx, token.idx + len(token)] for token in doc]
    if doc.has_annotation("SENT_START"):
        record["sentences"] = [[s.start_char, s.end_char] for s in doc.sents]
    return record


def failed(doc_id: str, error: str) -> dict[str, Any]:
    """RETURNS (Dict[str, Any]): The record of a document that has no result."""
    whole = f"{error[:2000]}".encode("utf8", "backslashreplace").decode("utf8")
    return {"id": doc_id, "error": whole}


def to_doc(record: dict[str, Any], vocab: Vocab) -> Doc:
    """Make a Doc of what `to_record` returned.

    record (Dict[str, Any]): The record.
    vocab (Vocab): The vocabulary.
    RETURNS (Doc): A Doc with the same text, tokens, sentences and relations. The
        entities are in `doc.spans["entities"]`, those that do not overlap in
        `doc.ents`, and the id in `doc.user_data["doc_id"]`.
    """
    text, tokens = record["text"], record["tokens"]
    following = [*(start for start, _ in tokens[1:]), len(text)]
    first = {start for start, _ in record.get("sentences", ())}
    doc = Doc(
        vocab,
        words=[text[start:end] for start, end in tokens],
        spaces=[end < after for (_, end), after in zip(tokens, following)],
        sent_starts=[start in first for start, _ in tokens] if first else None,
    )
    first_token = {start: i for i, (start, _) in enumerate(tokens)}
    last_token = {end: i for i, (_, end) in enumerate(tokens)}
    spans = [
        Span(
            doc,
            first_token[e["start"]],
            last_token[e["end"]] + 1,
            label=e.get("label", ""),
            kb_id=e.get("id", ""),
        )
        for e in record["entities"]
    ]
    doc.spans["entities"] = spans
    doc.ents = filter_spans(span for span in spans if span.label)
    set_relations(
        doc,
        (
            Relation(spans[r["subject"]], spans[r["object"]], r["label"], r["score"])
            for r in record["relations"]
        ),
    )
    doc.user_data["doc_id"] = record["id"]
    return doc
