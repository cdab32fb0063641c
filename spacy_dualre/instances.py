"""Instances: from a candidate pair to the wordpieces that the two encoders read.

The instance encoder reads the sentence with typed markers around both spans,
`... <S:PER> Marie Curie </S:PER> was born in <O:LOC> Warsaw </O:LOC> ...`; the
predicate encoder reads a predicate's description with the same marked spans in place
of its slots. Every Doc is tokenized once, and everything is spliced from those
wordpieces with array operations, never pair by pair.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy
from spacy.tokens import Doc, Span

from .batches import Inputs, SharedInputs, gather_ranges
from .candidates import Candidates, sentence_ids
from .predicates import SLOTS, Predicate

ROLES = ("S", "O")
N_MARKERS = 4  # opening and closing, for subject and object
# Which markers can be levitated, and how many of the four then stay in the text: it is
# read once for all pairs of a subject, or for all pairs.
LEVITATED = {"object": 2, "both": 0}
# Pairs that share one reading at most, unless all their markers are shorter than the
# text, as what a wordpiece costs grows with the length of what is read at once.
MAX_SHARED = 32


def marker_texts(entity_type: str) -> list[str]:
    """The markers of an entity type; "" for those of a type not seen in training.

    entity_type (str): The entity type.
    RETURNS (List[str]): `<S:type>`, `</S:type>`, `<O:type>`, `</O:type>`.
    """
    suffix = f":{entity_type}" if entity_type else ""
    return [f"<{slash}{role}{suffix}>" for role in ROLES for slash in ("", "/")]


@dataclass
class Pairs:
    """The wordpieces of all candidate pairs of some Docs. All arrays are int64; the
    positions are positions in `pool`.

    pool (ndarray): Special wordpieces and descriptions, then the Docs' wordpieces.
    spans (ndarray): Subject start and end, object start and end, (P, 4).
    window (ndarray): Start and end of the context that is read, (P, 2).
    surfaces (ndarray): Which surface the subject and the object have, (P, 2).
    surface_spans (ndarray): Start and end of each surface's wordpieces, (S, 2).
    types (ndarray): The entity type of each surface, as an index of marker, (S,).
    allowed (ndarray): The predicates that each pair is scored against, bool, (P, R+1).
    """

    pool: numpy.ndarray
    spans: numpy.ndarray
    window: numpy.ndarray
    surfaces: numpy.ndarray
    surface_spans: numpy.ndarray
    types: numpy.ndarray
    allowed: numpy.ndarray

    def __len__(self) -> int:
        return len(self.spans)


class InstanceBuilder:
    """Builds the inputs of both encoders.

    tokenizer (PreTrainedTokenizerBase): The encoders' tokenizer, with the markers.
    predicates (Sequence[Predicate]): R + 1 predicates, "no_relation" first.
    max_length (int): Wordpieces of an input at most, markers and special wordpieces
        included.
    context_length (int): The text around the sentences of a pair is read too, up to
        this many wordpieces in all. 0: the sentences only.
    fill_spans (bool): Whether descriptions hold the pair's spans, or the markers only.

    description_length (int): Wordpieces of the longest description without its spans.
    clipped (Counter): How many pairs did not fit the encoder whole, by what was cut:
        "context", "middle" (of the text between the spans) or "span".
    """

    def __init__(
        self,
        tokenizer: Any,
        predicates: Sequence[Predicate],
        *,
        max_length: int,
        context_length: int = 0,
        fill_spans: bool = True,
    ) -> None:
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.context_length = context_length
        self.fill_spans = fill_spans
        first = tokenizer.cls_token_id
        last = tokenizer.sep_token_id
        self.first = tokenizer.bos_token_id if first is None else first
        self.last = tokenizer.eos_token_id if last is None else last
        # A Unigram model may hold special tokens as plain pieces, which a text can
        # spell out. Such a piece is read as unknown.
        self._spelled: set[int] = set()
        found = self._tokenize(tokenizer.all_special_tokens)
        self._spelled = {wordpiece for ids in found for wordpiece in ids}
        self._spelled &= {*tokenizer.all_special_ids} - {tokenizer.unk_token_id}
        self._types: dict[str, int] = {}
        markers: list[int] = []
        for type_ in marked_types(tokenizer):
            self._types[type_] = len(self._types)
            markers.extend(tokenizer.convert_tokens_to_ids(marker_texts(type_)))
        # The start of the pool: the markers of each type, then [CLS], [SEP], then the
        # three parts of each description.
        ids = [*markers, self.first, self.last]
        self._first_at, self._last_at = len(markers), len(markers) + 1
        n_predicates = len(predicates)
        self._parts = numpy.zeros((n_predicates, 3, 2), dtype="int64")
        self._object_first = numpy.zeros(n_predicates, dtype=bool)
        for r, predicate in enumerate(predicates):
            texts, object_first = split_description(predicate.description)
            self._object_first[r] = object_first
            for part, wordpieces in enumerate(self._tokenize(texts)):
                self._parts[r, part] = len(ids), len(ids) + len(wordpieces)
                ids.extend(wordpieces)
        self._head = numpy.asarray(ids, dtype="int64")
        longest = int((self._parts[:, :, 1] - self._parts[:, :, 0]).sum(axis=1).max())
        self.description_length = longest + N_MARKERS + 2
        self.clipped: Counter = Counter()
        self._max_filled = (max_length - longest - N_MARKERS - 2) // 2
        if self._max_filled < 1:
            raise ValueError(
                f"A description of {longest} wordpieces leaves no room for its spans "
                f"in max_length = {max_length}. Shorten it or raise max_length."
            )

    def featurize(self, batch: Sequence[Candidates]) -> Pairs:
        """Tokenize some Docs and locate their candidate pairs in the wordpieces.

        batch (Sequence[Candidates]): The candidates of each Doc.
        RETURNS (Pairs): The pairs of all Docs, in order.
        """
        cut_docs = [_cut(found.doc, found.entities) for found in batch]
        texts = [text for segments, *_ in cut_docs for text in segments]
        tokenized = iter(self._tokenize(texts))
        ids: list[int] = []
        offset = len(self._head)
        surfaces: dict[tuple[int, tuple[int, ...]], int] = {}
        surface_spans: list[tuple[int, int]] = []
        types: list[int] = []
        rows = []
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
                type_ = self._types.get(entity.label_, 0)
                key = (type_, tuple(ids[start - offset : end - offset]))
                if key not in surfaces:
                    surfaces[key] = len(surfaces)
                    surface_spans.append((start, end))
                    types.append(type_)
                surface_of.append(surfaces[key])
            rows.append(
                self._locate(found, bounds, at, numpy.asarray(sentences), surface_of)
            )
        spans, windows, surface_ids = (
            numpy.concatenate(part) if part else numpy.zeros((0, n), dtype="int64")
            for part, n in zip(zip(*rows) if rows else ((), (), ()), (4, 2, 2))
        )
        allowed = numpy.zeros((0, len(self._parts)), dtype=bool)
        pairs = Pairs(
            pool=numpy.concatenate([self._head, numpy.asarray(ids, dtype="int64")]),
            spans=spans,
            window=windows,
            surfaces=surface_ids,
            surface_spans=numpy.asarray(surface_spans, dtype="int64").reshape((-1, 2)),
            types=numpy.asarray(types, dtype="int64"),
            allowed=numpy.concatenate([allowed, *(found.allowed for found in batch)]),
        )
        self._fit(pairs)
        return pairs

    def instances(self, pairs: Pairs, rows: numpy.ndarray) -> Inputs:
        """Build what the instance encoder reads.

        pairs (Pairs): The pairs.
        rows (ndarray): Which of them, int, (n,).
        RETURNS (Inputs): n inputs, in the order of the rows.
        """
        starts, ends, order = self._text_ranges(pairs, rows)
        opening = numpy.argsort(order, axis=1) * 3 + 2
        starts, ends = self._with_markers(pairs, rows, starts, ends, order)
        ids, lengths, at = gather_ranges(pairs.pool, starts, ends)
        row = numpy.arange(len(rows))
        return Inputs(ids, lengths, at[row, opening[:, 0]], at[row, opening[:, 2]])

    def shared_instances(
        self, pairs: Pairs, rows: numpy.ndarray, levitated: str
    ) -> SharedInputs:
        """Build what the instance encoder reads where pairs share one reading of their
        text, in which markers are levitated.

        pairs (Pairs): The pairs.
        rows (ndarray): Which of them, int, (n,).
        levitated (str): A key of `LEVITATED`. "object": the objects' markers are; the
            pairs of a subject share a text. "both": the subjects' are too; all pairs
            with the same window share it.
        RETURNS (SharedInputs): The texts, and n pairs in the order of the rows.
        """
        n_solid = LEVITATED[levitated]
        n_levitated = N_MARKERS - n_solid
        starts, ends, order = self._text_ranges(pairs, rows)
        # Pairs with the same solid markers and window read the same text, unless
        # something in it was left out.
        elided = (ends[:, 7] - starts[:, 0]) > (ends - starts).sum(axis=1)
        own = numpy.where(elided, 1 + numpy.arange(len(rows)), 0)
        window = pairs.window[rows]
        key = [window, pairs.spans[rows, :n_solid], own]
        if n_solid:
            key.append(pairs.surfaces[rows, 0])
        _, group = numpy.unique(numpy.column_stack(key), axis=0, return_inverse=True)
        most = numpy.maximum((window[:, 1] - window[:, 0]) // n_levitated, MAX_SHARED)
        part = numpy.column_stack([group, _rank(group) // most])
        _, first, text_of = numpy.unique(
            part, axis=0, return_index=True, return_inverse=True
        )
        rank = _rank(text_of)
        starts, ends = self._with_markers(pairs, rows, starts, ends, order)
        column = numpy.argsort(order, axis=1) * 3 + 2  # of each marker
        row = numpy.arange(len(rows))
        for marker in column[:, n_solid:].T:
            ends[row, marker] = starts[row, marker]  # it is not in the text
        text, text_lengths, _ = gather_ranges(pairs.pool, starts[first], ends[first])
        at = numpy.cumsum(ends - starts, axis=1) - (ends - starts)
        at = numpy.take_along_axis(at, column, axis=1)
        n_pairs = numpy.bincount(text_of, minlength=len(text_lengths))
        lengths = text_lengths + n_levitated * n_pairs
        begins = numpy.cumsum(lengths) - lengths
        within = numpy.arange(len(text)) - numpy.repeat(
            numpy.cumsum(text_lengths) - text_lengths, text_lengths
        )
        text_at = numpy.repeat(begins, text_lengths) + within
        opens_at = text_lengths[text_of] + n_levitated * rank
        markers_at = (begins[text_of] + opens_at)[:, None] + numpy.arange(n_levitated)
        ids, positions, owners = numpy.zeros((3, int(lengths.sum())), dtype="int64")
        ids[text_at], positions[text_at] = text, within
        ids[markers_at] = pairs.pool[_markers(pairs, rows)[:, n_solid:]]
        # A closing marker has the place of the span's last wordpiece.
        positions[markers_at] = at[:, n_solid:] - [0, 1] * (n_levitated // 2)
        owners[markers_at] = 1 + rank[:, None]
        return SharedInputs(
            ids,
            positions,
            owners,
            lengths,
            text_of,
            at[:, 0] if n_solid else opens_at,
            opens_at + n_levitated - 2,
        )

    def descriptions(
        self,
        pairs: Pairs,
        subjects: numpy.ndarray,
        objects: numpy.ndarray,
        predicates: numpy.ndarray,
    ) -> Inputs:
        """Build what the predicate encoder reads.

        pairs (Pairs): The pairs.
        subjects (ndarray): The surface of each description's subject, int, (n,).
        objects (ndarray): The surface of each description's object, int, (n,).
        predicates (ndarray): The predicate of each description, int, (n,).
        RETURNS (Inputs): n inputs.
        """
        swap = self._object_first[predicates]
        parts = self._parts[predicates]
        columns: list[tuple[Any, Any]] = [(self._first_at, self._first_at + 1)]
        for slot in range(2):
            is_object = swap if slot == 0 else ~swap
            surface = numpy.where(is_object, objects, subjects)
            start, end = pairs.surface_spans[surface].T
            keep = numpy.minimum(
                end - start, self._max_filled if self.fill_spans else 0
            )
            marker = 4 * pairs.types[surface] + 2 * is_object
            columns += [
                (parts[:, slot, 0], parts[:, slot, 1]),
                (marker, marker + 1),
                (start, start + (keep + 1) // 2),
                (end - keep // 2, end),
                (marker + 1, marker + 2),
            ]
        columns += [(parts[:, 2, 0], parts[:, 2, 1])]
        columns += [(self._last_at, self._last_at + 1)]
        subject_column = numpy.where(swap, 7, 2)
        object_column = numpy.where(swap, 2, 7)
        return self._join(pairs, columns, len(swap), subject_column, object_column)

    def _tokenize(self, texts: list[str]) -> list[list[int]]:
        if not texts:
            return []
        tokenized: list[list[int]] = self.tokenizer(
            texts,
            add_special_tokens=False,
            return_attention_mask=False,
            return_token_type_ids=False,
            split_special_tokens=True,  # a "[SEP]" in a text is text
            verbose=False,
        )["input_ids"]
        if not self._spelled:
            return tokenized
        unknown = self.tokenizer.unk_token_id
        return [
            [unknown if i in self._spelled else i for i in wordpieces]
            for wordpieces in tokenized
        ]

    def _locate(
        self,
        found: Candidates,
        bounds: numpy.ndarray,
        at: numpy.ndarray,
        sentences: numpy.ndarray,
        surface_of: list[int],
    ) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
        """Spans, windows and surfaces of a Doc's pairs: (P, 4), (P, 2), (P, 2)."""
        s, o = found.pairs[:, 0], found.pairs[:, 1]
        ids = sentence_ids(found.doc)
        first = ids[[span.start for span in found.entities]] if len(s) else s
        last = ids[[span.end - 1 for span in found.entities]] if len(s) else s
        start = at[sentences[numpy.minimum(first[s], first[o])]]
        end = at[sentences[numpy.maximum(last[s], last[o]) + 1]]
        spans = numpy.concatenate([bounds[s], bounds[o]], axis=1)
        start = numpy.minimum(start, spans.min(axis=1, initial=at[-1]))
        end = numpy.maximum(end, spans.max(axis=1, initial=at[0]))
        wanted = numpy.maximum(self.context_length - N_MARKERS - 2 - (end - start), 0)
        before, after = start - at[0], at[-1] - end
        left = numpy.minimum(before, numpy.maximum(wanted // 2, wanted - after))
        right = numpy.minimum(after, wanted - left)
        surfaces = numpy.asarray(surface_of, dtype="int64")[found.pairs]
        return spans, numpy.stack([start - left, end + right], axis=1), surfaces

    def _text_ranges(
        self, pairs: Pairs, rows: numpy.ndarray
    ) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
        """Cut the text of each pair at its markers, and what is left out of it.

        RETURNS: Starts and ends of eight ranges, (n, 8) each: what comes before the
            first marker, then behind each marker but the last a head and a tail, then
            what comes behind the last; and the order of the markers as in `_edges`.
        """
        spans, window = pairs.spans[rows], pairs.window[rows]
        edges, order = _edges(spans)
        keep = edges[:, 1:] - edges[:, :-1]  # how much of each gap between markers
        room = self.max_length - N_MARKERS - 2
        for row in numpy.flatnonzero(edges[:, 3] - edges[:, 0] > room):
            keep[row] = _shorten(keep[row], _inside(order[row]), room)
        # Of each gap a head and a tail are read; only where it is too long do they
        # leave anything out.
        starts = numpy.empty((len(rows), 8), dtype="int64")
        ends = numpy.empty((len(rows), 8), dtype="int64")
        starts[:, 0], ends[:, 0] = window[:, 0], edges[:, 0]
        starts[:, 1:7:2], ends[:, 1:7:2] = (
            edges[:, :-1],
            edges[:, :-1] + (keep + 1) // 2,
        )
        starts[:, 2:7:2], ends[:, 2:7:2] = edges[:, 1:] - keep // 2, edges[:, 1:]
        starts[:, 7], ends[:, 7] = edges[:, 3], window[:, 1]
        return starts, ends, order

    def _with_markers(
        self,
        pairs: Pairs,
        rows: numpy.ndarray,
        starts: numpy.ndarray,
        ends: numpy.ndarray,
        order: numpy.ndarray,
    ) -> tuple[numpy.ndarray, numpy.ndarray]:
        """Put the markers and the special wordpieces between the ranges of a text.

        RETURNS: Starts and ends, (n, 14) each; the markers are columns 2, 5, 8 and 11.
        """
        marker = numpy.take_along_axis(_markers(pairs, rows), order, axis=1)
        special = numpy.ones((len(rows), 2), dtype="int64")
        special *= [self._first_at, self._last_at]
        both = [
            numpy.insert(
                numpy.hstack([special[:, :1] + i, text, special[:, 1:] + i]),
                [2, 4, 6, 8],
                marker + i,
                axis=1,
            )
            for i, text in enumerate((starts, ends))
        ]
        return both[0], both[1]

    def _fit(self, pairs: Pairs) -> None:
        """Narrow the context around each pair to what the encoder can read."""
        edges, order = _edges(pairs.spans)
        room = self.max_length - N_MARKERS - 2 - (edges[:, 3] - edges[:, 0])
        before, after = (
            edges[:, 0] - pairs.window[:, 0],
            pairs.window[:, 1] - edges[:, 3],
        )
        room_around = numpy.maximum(room, 0)
        left = numpy.minimum(
            before, numpy.maximum(room_around // 2, room_around - after)
        )
        right = numpy.minimum(after, room_around - left)
        cut = left + right < before + after
        pairs.window = numpy.stack([edges[:, 0] - left, edges[:, 3] + right], axis=1)
        self.clipped["context"] += int(cut.sum())
        for row in numpy.flatnonzero(room < 0):
            gaps = edges[row, 1:] - edges[row, :-1]
            inside = _inside(order[row])
            in_spans = int(gaps[inside].sum())
            fits = in_spans <= self.max_length - N_MARKERS - 2
            self.clipped["middle" if fits else "span"] += 1

    def _join(
        self,
        pairs: Pairs,
        columns: Sequence[tuple[Any, Any]],
        n: int,
        subject_column: numpy.ndarray,
        object_column: numpy.ndarray,
    ) -> Inputs:
        """Join one range of the pool per column into n inputs."""
        starts = numpy.empty((n, len(columns)), dtype="int64")
        ends = numpy.empty((n, len(columns)), dtype="int64")
        for column, (start, end) in enumerate(columns):
            starts[:, column], ends[:, column] = start, end
        ids, lengths, at = gather_ranges(pairs.pool, starts, ends)
        rows = numpy.arange(n)
        return Inputs(ids, lengths, at[rows, subject_column], at[rows, object_column])


def marked_types(tokenizer: Any) -> list[str]:
    """The entity types that a tokenizer has markers for, "" (any other type) first."""
    added = tokenizer.get_added_vocab()
    types = [token[3:-1] for token in added if token.startswith("<S:")]
    return ["", *sorted(types)]


def split_description(description: str) -> tuple[list[str], bool]:
    """Split a description at its slots.

    description (str): A description with `{subject}` and `{object}`, once each.
    RETURNS (Tuple[List[str], bool]): The texts before, between and after the slots,
        and whether the object's slot comes first. White space before a slot is left
        out, because the span that fills it brings its own.
    """
    subject, object_ = (description.index(slot) for slot in SLOTS)
    first, second = SLOTS if subject < object_ else SLOTS[::-1]
    before, rest = description.split(first)
    between, after = rest.split(second)
    return [before.rstrip(), between.rstrip(), after.rstrip()], object_ < subject


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


def _markers(pairs: Pairs, rows: numpy.ndarray) -> numpy.ndarray:
    """Where in the pool the four markers of each pair are, as in `ROLES`, (n, 4)."""
    return 4 * pairs.types[pairs.surfaces[rows]][:, [0, 0, 1, 1]] + numpy.arange(4)


def _rank(groups: numpy.ndarray) -> numpy.ndarray:
    """The how-maniest of its group each item is, from 0, (n,)."""
    order = numpy.argsort(groups, kind="stable")
    sizes = numpy.bincount(groups, minlength=1)
    rank = numpy.empty_like(order)
    rank[order] = numpy.arange(len(groups)) - numpy.repeat(
        numpy.cumsum(sizes) - sizes, sizes
    )
    return rank


def _edges(spans: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Sort the four edges of each pair as the markers stand in the text.

    spans (ndarray): Subject start and end, object start and end, (n, 4).
    RETURNS (Tuple[ndarray, ndarray]): The positions in order, (n, 4), and which edge
        each is (0 to 3 as in `spans`), (n, 4). At one position a span closes before
        another opens; of two that open there the longer opens first, of two that
        close there the one that opened later closes first, so that markers nest.
    """
    s0, s1, o0, o1 = spans.T
    rank = numpy.stack(
        [2 + (s1 < o1), (s0 <= o0) * 1, 2 + (s1 >= o1), (s0 > o0) * 1], axis=1
    )
    order = numpy.argsort(spans * 4 + rank, axis=1, kind="stable")
    return numpy.take_along_axis(spans, order, axis=1), order


def _inside(order: numpy.ndarray) -> numpy.ndarray:
    """Which of the three gaps between a pair's markers lie in a span, bool, (3,)."""
    depth = numpy.cumsum(numpy.where(order % 2 == 0, 1, -1))
    return depth[:-1] > 0


def _shorten(gaps: numpy.ndarray, inside: numpy.ndarray, room: int) -> numpy.ndarray:
    """How much of each gap to keep so that all fit: the spans, then what is between."""
    keep = numpy.zeros_like(gaps)
    for part in (inside, ~inside):
        for n_left, i in enumerate(sorted(numpy.flatnonzero(part), key=gaps.item)):
            share = room // (int(part.sum()) - n_left)
            keep[i] = min(int(gaps[i]), share)
            room -= int(keep[i])
    return keep
