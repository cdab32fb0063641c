"""Wordpieces: Docs tokenized once, and where in them the candidate pairs are.

Everything that the encoders read is spliced from these wordpieces with array
operations, never pair by pair.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy
from spacy.tokens import Doc, Span

from ..pairs.candidates import Candidates, sentence_ids
from .markers import N_SPECIAL, gaps_in_spans, marked_types, marker_texts, sort_edges


@dataclass(frozen=True)
class Fillings:
    """What stands in the descriptions of P pairs. All arrays are int64; the positions
    are positions in `pool`.

    pool (ndarray): The markers of each type, [CLS], [SEP], then wordpieces of texts.
    first_at (int): Where [CLS] is.
    last_at (int): Where [SEP] is.
    surfaces (ndarray): Which surface the subject and the object have, (P, 2).
    surface_spans (ndarray): Start and end of each surface's wordpieces, (S, 2).
    types (ndarray): The entity type of each surface, as an index of markers, (S,).
    """

    pool: numpy.ndarray
    first_at: int
    last_at: int
    surfaces: numpy.ndarray
    surface_spans: numpy.ndarray
    types: numpy.ndarray


@dataclass(frozen=True)
class Pairs(Fillings):
    """The wordpieces of P pairs of some Docs, and where in them the pairs are.

    spans (ndarray): Subject start and end, object start and end, (P, 4).
    window (ndarray): Start and end of the context that is read, (P, 2).
    max_length (int): Wordpieces of an input at most, special ones included.
    clipped (Mapping[str, int]): How many pairs do not fit the encoder whole, by what
        is cut: "context", "middle" (of the text between the spans) or "span".
    """

    spans: numpy.ndarray
    window: numpy.ndarray
    max_length: int
    clipped: Counter

    def __len__(self) -> int:
        return len(self.spans)

    def without_types(self, share: float) -> "Pairs":
        """Take types for ones that were never seen, at random.

        share (float): How many surfaces lose theirs.
        RETURNS (Pairs): The pairs.
        """
        lost = numpy.random.random(len(self.types)) < share
        return replace(self, types=numpy.where(lost, 0, self.types))

    @property
    def window_lengths(self) -> numpy.ndarray:
        """RETURNS (ndarray): Wordpieces of the context that is read, (P,)."""
        return self.window[:, 1] - self.window[:, 0]

    @property
    def span_lengths(self) -> numpy.ndarray:
        """RETURNS (ndarray): Wordpieces of both spans together, (P,)."""
        return (self.spans[:, 1::2] - self.spans[:, ::2]).sum(axis=1)


class PairTokenizer:
    """Tokenizes Docs and locates their pairs. It never changes, so that threads can
    share it.

    tokenizer (PreTrainedTokenizerBase): The encoders' tokenizer, with the markers.
    max_length (int): Wordpieces of an input at most, markers and special wordpieces
        included.
    context_length (int): The text around the sentences of a pair is read too, up to
        this many wordpieces in all. 0: the sentences only.
    read_types (bool): Whether entity types have markers of their own. Otherwise all are
        read as types that were never seen.
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        max_length: int,
        context_length: int = 0,
        read_types: bool = True,
    ) -> None:
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.context_length = context_length
        first, last = tokenizer.cls_token_id, tokenizer.sep_token_id
        first = tokenizer.bos_token_id if first is None else first
        last = tokenizer.eos_token_id if last is None else last
        # A Unigram model may hold special tokens as plain pieces, which a text can
        # spell out. Such a piece is read as unknown.
        self._spelled: set[int] = set()
        found = self.tokenize(tokenizer.all_special_tokens)
        spelled = {wordpiece for ids in found for wordpiece in ids}
        special = {*tokenizer.all_special_ids} - {tokenizer.unk_token_id}
        self._spelled = spelled & special
        types = marked_types(tokenizer) if read_types else [""]
        self._types = {type_: i for i, type_ in enumerate(types)}
        texts = [text for type_ in types for text in marker_texts(type_)]
        markers = tokenizer.convert_tokens_to_ids(texts)
        self._head = numpy.asarray([*markers, first, last], dtype="int64")

    def tokenize(self, texts: list[str]) -> list[list[int]]:
        """Tokenize texts. What looks like a special token in a text is text.

        texts (List[str]): The texts.
        RETURNS (List[List[int]]): Their wordpieces, without special ones.
        """
        if not texts:
            return []
        distinct = list(dict.fromkeys(texts))  # the same entities, again and again
        tokenized: list[list[int]] = self.tokenizer(
            distinct,
            add_special_tokens=False,
            return_attention_mask=False,
            return_token_type_ids=False,
            split_special_tokens=True,
            verbose=False,
        )["input_ids"]
        if self._spelled:
            unknown = self.tokenizer.unk_token_id
            tokenized = [
                [unknown if i in self._spelled else i for i in wordpieces]
                for wordpieces in tokenized
            ]
        of_text = dict(zip(distinct, tokenized))
        return [of_text[text] for text in texts]

    def locate(self, batch: Sequence[Candidates]) -> Pairs:
        """Tokenize some Docs and locate their pairs in the wordpieces.

        batch (Sequence[Candidates]): The candidates of each Doc.
        RETURNS (Pairs): The pairs of all Docs, in order.
        """
        batch = [found for found in batch if len(found.pairs)]
        cut_docs = [_cut(found.doc, found.entities) for found in batch]
        tokenized = iter(
            self.tokenize([text for segments, *_ in cut_docs for text in segments])
        )
        ids: list[int] = []
        offset = len(self._head)
        surfaces = _Surfaces()
        spans, windows, surface_ids = [], [], []
        for found, (segments, entities, sentences) in zip(batch, cut_docs):
            pieces = [next(tokenized) for _ in segments]
            for start, end in entities:
                if not any(pieces[start:end]):  # text that the tokenizer drops
                    pieces[start] = [self.tokenizer.unk_token_id]
            at = offset + len(ids) + numpy.cumsum([0, *map(len, pieces)])
            ids.extend(wordpiece for piece in pieces for wordpiece in piece)
            bounds = at[numpy.asarray(entities, dtype="int64").reshape((-1, 2))]
            surface_of = []
            for entity, (start, end) in zip(found.entities, bounds.tolist()):
                type_ = self._types.get(found.type_of(entity), 0)
                own = tuple(ids[start - offset : end - offset])
                surface_of.append(surfaces.find(type_, own, start, end))
            s, o = found.pairs[:, 0], found.pairs[:, 1]
            spans.append(numpy.concatenate([bounds[s], bounds[o]], axis=1))
            windows.append(self._window(found, spans[-1], at, numpy.asarray(sentences)))
            surface_ids.append(numpy.asarray(surface_of, dtype="int64")[found.pairs])
        all_spans = numpy.concatenate([numpy.zeros((0, 4), dtype="int64"), *spans])
        no_pairs = numpy.zeros((0, 2), dtype="int64")
        window, clipped = self._fit(all_spans, numpy.concatenate([no_pairs, *windows]))
        return Pairs(
            pool=numpy.concatenate([self._head, numpy.asarray(ids, dtype="int64")]),
            first_at=offset - 2,
            last_at=offset - 1,
            spans=all_spans,
            window=window,
            surfaces=numpy.concatenate([no_pairs, *surface_ids]),
            surface_spans=numpy.asarray(surfaces.spans, dtype="int64").reshape((-1, 2)),
            types=numpy.asarray(surfaces.types, dtype="int64"),
            max_length=self.max_length,
            clipped=clipped,
        )

    def types_of(self, batch: Sequence[Candidates]) -> Fillings:
        """Find what stands in descriptions that are read without spans: types alone.

        batch (Sequence[Candidates]): The candidates of each Doc.
        RETURNS (Fillings): Those of the pairs of all Docs, in order.
        """
        of_pairs = [numpy.zeros((0, 2), dtype="int64")]
        for found in batch:
            types = [
                self._types.get(found.type_of(entity), 0) for entity in found.entities
            ]
            of_pairs.append(numpy.asarray(types, dtype="int64")[found.pairs])
        n_types = len(self._types)
        return Fillings(
            pool=self._head,
            first_at=len(self._head) - 2,
            last_at=len(self._head) - 1,
            surfaces=numpy.concatenate(of_pairs),
            surface_spans=numpy.zeros((n_types, 2), dtype="int64"),
            types=numpy.arange(n_types),
        )

    def _window(
        self,
        found: Candidates,
        spans: numpy.ndarray,
        at: numpy.ndarray,
        sentences: numpy.ndarray,
    ) -> numpy.ndarray:
        """The context of a Doc's pairs: their sentences, and what is read around them.

        found (Candidates): The pairs.
        spans (ndarray): Their spans, (P, 4).
        at (ndarray): Where each segment of the Doc starts, and the last ends.
        sentences (ndarray): The first segment of each sentence, and behind the last.
        RETURNS (ndarray): Start and end, (P, 2).
        """
        s, o = found.pairs[:, 0], found.pairs[:, 1]
        ids = sentence_ids(found.doc)
        first = ids[[span.start for span in found.entities]]
        last = ids[[span.end - 1 for span in found.entities]]
        start = at[sentences[numpy.minimum(first[s], first[o])]]
        end = at[sentences[numpy.maximum(last[s], last[o]) + 1]]
        start = numpy.minimum(start, spans.min(axis=1))
        end = numpy.maximum(end, spans.max(axis=1))
        wanted = numpy.maximum(self.context_length - N_SPECIAL - (end - start), 0)
        return _widen(start, end, wanted, start - at[0], at[-1] - end)

    def _fit(
        self, spans: numpy.ndarray, window: numpy.ndarray
    ) -> tuple[numpy.ndarray, Counter]:
        """Narrow the context around each pair to what the encoder can read.

        RETURNS: The windows, (P, 2), and how many pairs were clipped, by what was cut.
        """
        edges, order = sort_edges(spans)
        start, end = edges[:, 0], edges[:, 3]
        room = self.max_length - N_SPECIAL - (end - start)
        before, after = start - window[:, 0], window[:, 1] - end
        fitted = _widen(start, end, numpy.maximum(room, 0), before, after)
        clipped: Counter = Counter(context=int((fitted != window).any(axis=1).sum()))
        for row in numpy.flatnonzero(room < 0):
            gaps = edges[row, 1:] - edges[row, :-1]
            in_spans = int(gaps[gaps_in_spans(order[row])].sum())
            fits = in_spans <= self.max_length - N_SPECIAL
            clipped["middle" if fits else "span"] += 1
        return fitted, clipped


class _Surfaces:
    """The distinct (type, wordpieces) of entities, and one place of each."""

    def __init__(self) -> None:
        self.spans: list[tuple[int, int]] = []
        self.types: list[int] = []
        self._known: dict[tuple[int, tuple[int, ...]], int] = {}

    def find(
        self, type_: int, wordpieces: tuple[int, ...], start: int, end: int
    ) -> int:
        """RETURNS (int): The number of a surface, which is added if it is new."""
        surface = self._known.setdefault((type_, wordpieces), len(self._known))
        if surface == len(self.spans):
            self.spans.append((start, end))
            self.types.append(type_)
        return surface


def _widen(
    start: numpy.ndarray,
    end: numpy.ndarray,
    room: numpy.ndarray,
    before: numpy.ndarray,
    after: numpy.ndarray,
) -> numpy.ndarray:
    """Widen ranges on both sides alike, by `room` in all, as far as there is text.

    RETURNS (ndarray): Start and end, (P, 2).
    """
    left = numpy.minimum(before, numpy.maximum(room // 2, room - after))
    right = numpy.minimum(after, room - left)
    return numpy.stack([start - left, end + right], axis=1)


def _cut(
    doc: Doc, entities: Sequence[Span]
) -> tuple[list[str], list[tuple[int, int]], list[int]]:
    """Cut a Doc's text wherever an entity or a sentence starts or ends.

    Tokenized apart, no wordpiece reaches across such a boundary. A space goes with the
    word after it, as byte-level and SentencePiece tokenizers expect.
    RETURNS: The segments; for each entity the first and last + 1 of its segments; for
        each sentence its first segment, and the number of segments after the last.
    """
    text = doc.text

    def opening(char: int) -> int:
        return char - 1 if char and text[char - 1] == " " else char

    spans = [(opening(e.start_char), e.end_char) for e in entities]
    starts = [
        opening(doc[int(i)].idx)
        for i in numpy.flatnonzero(numpy.diff(sentence_ids(doc))) + 1
    ]
    cuts = sorted({0, len(text), *starts, *(char for span in spans for char in span)})
    segment = {char: i for i, char in enumerate(cuts)}
    segments = [text[a:b] for a, b in zip(cuts, cuts[1:])]
    return (
        segments,
        [(segment[start], segment[end]) for start, end in spans],
        [0, *(segment[char] for char in starts), len(segments)],
    )
