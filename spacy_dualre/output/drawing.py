"""Drawings of relations as arcs between entities, by displaCy."""

from collections.abc import Iterable
from typing import Any

from spacy import displacy
from spacy.tokens import Doc
from spacy.util import filter_spans

from ..relations import DEFAULT_KEY, get_relations

OPTIONS = {"compact": True, "distance": 100, "offset_x": 70, "word_spacing": 30}


def parse_relations(doc: Doc, relations_key: str = DEFAULT_KEY) -> list[dict[str, Any]]:
    """Turn each sentence of a Doc into what displaCy draws with
    `style="dep", manual=True`: entities as words, relations as arcs.

    doc (Doc): The Doc. Without sentence boundaries it is drawn as one sentence. A
        relation across sentences joins them into one drawing.
    relations_key (str): Where the relations are.
    RETURNS (List[Dict[str, Any]]): A dict with "words" and "arcs" for each sentence.
    """
    relations = get_relations(doc, relations_key)
    spans = [span for relation in relations for span in relation[:2]]
    # Relations' spans first: where entities overlap, those that are related are drawn.
    units = filter_spans(spans) + list(doc.ents)
    merged = {span.start: span for span in filter_spans(units)}
    words: list[dict[str, str]] = []
    word_of: list[int] = []
    for token in doc:
        if token.i < len(word_of):
            continue
        span = merged.get(token.i)
        n_tokens = 1 if span is None else len(span)
        word_of.extend([len(words)] * n_tokens)
        if span is None:
            words.append({"text": token.text, "tag": ""})
        else:
            words.append({"text": span.text, "tag": span.label_})
    arcs: list[dict[str, Any]] = []
    for subject, object_, label, score in relations:
        ends = word_of[subject.start], word_of[object_.start]
        if ends[0] != ends[1]:
            direction = "right" if ends[0] < ends[1] else "left"
            text = f"{label} {score:.2f}"
            arcs.append(
                {"start": min(ends), "end": max(ends), "label": text, "dir": direction}
            )
    return [
        {
            "words": words[start:end],
            "arcs": [
                {**arc, "start": arc["start"] - start, "end": arc["end"] - start}
                for arc in arcs
                if start <= arc["start"] < end
            ],
        }
        for start, end in _bounds(doc, word_of, arcs)
    ]


def draw_relations(docs: Iterable[Doc], relations_key: str = DEFAULT_KEY) -> str:
    """Draw the relations of some Docs.

    docs (Iterable[Doc]): The Docs.
    relations_key (str): Where the relations are.
    RETURNS (str): An HTML page.
    """
    parsed = [part for doc in docs for part in parse_relations(doc, relations_key)]
    return displacy.render(
        parsed, style="dep", manual=True, page=True, jupyter=False, options=OPTIONS
    )


def _bounds(
    doc: Doc, word_of: list[int], arcs: list[dict[str, Any]]
) -> list[tuple[int, int]]:
    """First word and last + 1 of each sentence, joined where an arc crosses."""
    if not len(doc):
        return []
    starts = [0]
    if doc.has_annotation("SENT_START"):
        starts = sorted({word_of[sentence.start] for sentence in doc.sents})
    for arc in arcs:
        starts = [i for i in starts if not arc["start"] < i <= arc["end"]]
    return list(zip(starts, [*starts[1:], word_of[-1] + 1]))
