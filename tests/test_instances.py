"""What the encoders read: markers, context and filled descriptions.

The wordpieces are read back: cut at the markers, decoded, and compared with the Doc's
own text, for random Docs, entities and lengths and for every family of tokenizer.
"""

import re

import numpy
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_dualre.candidates import build_candidate_pairs, find_candidates
from spacy_dualre.encoders import add_markers, load_encoder
from spacy_dualre.instances import InstanceBuilder, marked_types, marker_texts
from spacy_dualre.predicates import NO_RELATION, SLOTS, parse_predicates

VOCAB = Vocab()
UNLIMITED = 100_000
TYPES = ["LOC", "PER"]
PREDICATES = parse_predicates(
    {
        NO_RELATION: "no {subject}, no {object}",
        "born": "{subject} was born in {object}.",
        "hosts": "in {object} is the {subject}",
        "of": "{subject}{object}",
    }
)
WORDS = ["Marie", "CURIE", "warsaw", "IL-2", "co-authored", "a", "the", "3.5"]
PUNCTUATION = ["(", ")", ",", ".", "'s", "/", "—"]
FOREIGN = ["é", "São", "東京", "naïve"]
SPECIAL = ["[SEP]", "[CLS]", "</s>", "<s>", "<S:PER>", "</O:LOC>", "<O>", "[PAD]"]
ROLES = {"<S", "</S", "<O", "</O"}
BLANK = [" ", "\n", "\n\n", "  "]


@pytest.fixture(scope="module")
def tokenizer(any_encoder):
    tokenizer, encoder = load_encoder(any_encoder)
    add_markers(tokenizer, [encoder], TYPES)
    return tokenizer


@pytest.fixture(scope="module")
def bert_tokenizer(bert):
    tokenizer, encoder = load_encoder(bert)
    add_markers(tokenizer, [encoder], TYPES)
    return tokenizer


def make_doc(words, entities, spaces=None, sent_starts=(0,)):
    doc = Doc(
        VOCAB,
        words=words,
        spaces=spaces,
        sent_starts=[i in sent_starts for i in range(len(words))],
    )
    doc.spans["entities"] = [Span(doc, *entity) for entity in entities]
    return doc


def all_pairs(*docs):
    find_pairs = build_candidate_pairs(max_sentences=None)
    return [find_candidates(doc, PREDICATES, find_pairs, "entities") for doc in docs]


def make_builder(tokenizer, max_length=UNLIMITED, **settings):
    return InstanceBuilder(tokenizer, PREDICATES, max_length=max_length, **settings)


def rows_of(inputs):
    """The inputs as lists of wordpieces."""
    return [ids.tolist() for ids in numpy.split(inputs.ids, inputs.lengths.cumsum())][
        :-1
    ]


def read_instances(builder, *docs):
    """RETURNS: Each pair's candidate entities, wordpieces and opening positions."""
    batch = all_pairs(*docs)
    pairs = builder.featurize(batch)
    inputs = builder.instances(pairs, numpy.arange(len(pairs)))
    entities = [
        (found.entities[s], found.entities[o])
        for found in batch
        for s, o in found.pairs.tolist()
    ]
    at = zip(inputs.subject_at.tolist(), inputs.object_at.tolist())
    return list(zip(entities, rows_of(inputs), at, strict=True))


def marker_name(tokenizer, wordpiece):
    token = tokenizer.convert_ids_to_tokens(wordpiece)
    return token if re.fullmatch("</?[SO](:.*)?>", token) else None


def cut_at_markers(tokenizer, ids):
    """RETURNS: The names of the markers, and the wordpieces before, between and after
    them without the first and the last special wordpiece."""
    names, chunks = [], [[]]
    for wordpiece in ids[1:-1]:
        name = marker_name(tokenizer, wordpiece)
        if name is None:
            chunks[-1].append(wordpiece)
        else:
            names.append(name)
            chunks.append([])
    return names, chunks


def decoded(tokenizer, ids):
    """The text of wordpieces without white space, a run of unknown ones as one."""
    text = re.sub(r"\s", "", tokenizer.decode(ids))
    return re.sub(f"(?:{re.escape(tokenizer.unk_token)})+", "?", text)


def normalised(tokenizer, text):
    """What is left of a text after the tokenizer has read it on its own."""
    ids = tokenizer(text, add_special_tokens=False, split_special_tokens=True)
    unknown = tokenizer.unk_token_id
    special = set(tokenizer.all_special_ids)
    return decoded(
        tokenizer, [unknown if i in special else i for i in ids["input_ids"]]
    )


def marked_type(entity):
    return entity.label_ if entity.label_ in TYPES else ""


def markers_of(subject, object_):
    """RETURNS: The four markers in the order of the text, with their positions."""
    names = marker_texts(marked_type(subject))[:2]
    names += marker_texts(marked_type(object_))[2:]
    (s0, s1), (o0, o1) = [(x.start_char, x.end_char) for x in (subject, object_)]
    # At one position: closing before opening, outer opens first, inner closes first.
    edges = [
        (s0, 1, -s1, 0, names[0]),
        (s1, 0, -s0, 1 if s1 < o1 or s0 > o0 else 2, names[1]),
        (o0, 1, -o1, 1, names[2]),
        (o1, 0, -o0, 1, names[3]),
    ]
    if (s0, s1) == (o0, o1):
        edges[1] = (s1, 0, -s0, 2, names[1])
    return [(edge[0], edge[-1]) for edge in sorted(edges)]


def sentence_window(doc, subject, object_):
    sents = list(doc.sents)
    of = [i for i, sent in enumerate(sents) for _ in sent]
    first = min(of[subject.start], of[object_.start])
    last = max(of[subject.end - 1], of[object_.end - 1])
    return sents[first].start_char, sents[last].end_char


def is_inside(names):
    """Which of the gaps between the markers are in a span."""
    depth = numpy.cumsum([-1 if name.startswith("</") else 1 for name in names])
    return (depth[:-1] > 0).tolist()


def kept_ends(full, part):
    """Whether `part` is the head and the tail of `full`."""
    tail = len(part) // 2
    head = len(part) - tail
    return part == full[:head] + full[len(full) - tail :]


@st.composite
def docs(draw):
    """Texts with glued punctuation, odd white space, foreign letters and things that
    look like special tokens; with spans that nest, touch, overlap and coincide."""
    kinds = [WORDS, WORDS, WORDS, PUNCTUATION, FOREIGN, SPECIAL, BLANK]
    n = draw(st.integers(2, 24))
    words = [draw(st.sampled_from(draw(st.sampled_from(kinds)))) for _ in range(n)]
    spaces = [draw(st.booleans()) for _ in range(n)]
    starts = draw(st.sets(st.integers(0, n - 1), max_size=3))
    text = [i for i, word in enumerate(words) if not word.isspace()]
    assume(text)
    entities = []
    for _ in range(draw(st.integers(2, 4))):
        start, last = sorted([draw(st.sampled_from(text)), draw(st.sampled_from(text))])
        entities.append((start, last + 1, draw(st.sampled_from([*TYPES, "NEW"]))))
    return make_doc(words, entities, spaces, {0, *starts})


@given(batch=st.lists(docs(), min_size=1, max_size=2))
def test_instances_read_back_as_the_marked_text(tokenizer, batch):
    for (subject, object_), ids, at in read_instances(make_builder(tokenizer), *batch):
        doc = subject.doc
        markers = markers_of(subject, object_)
        start, end = sentence_window(doc, subject, object_)
        edges = [start, *(char for char, _ in markers), end]
        texts = [doc.text[a:b] for a, b in zip(edges, edges[1:])]
        names, chunks = cut_at_markers(tokenizer, ids)
        assert names == [name for _, name in markers]
        assert [decoded(tokenizer, chunk) for chunk in chunks] == [
            normalised(tokenizer, text) for text in texts
        ]
        assert ids[0] == tokenizer.cls_token_id
        assert ids[-1] == tokenizer.sep_token_id
        assert [marker_name(tokenizer, ids[i])[:2] for i in at] == ["<S", "<O"]


@given(doc=docs(), max_length=st.integers(24, 60), context_length=st.integers(0, 80))
def test_instances_are_shortened_around_the_pair(
    tokenizer, doc, max_length, context_length
):
    settings = {"context_length": context_length}
    builder = make_builder(tokenizer, max_length, **settings)
    shortened = read_instances(builder, doc)
    whole = read_instances(make_builder(tokenizer, **settings), doc)
    clipped = {"context": 0, "middle": 0, "span": 0}
    for (_, ids, at), (_, full, _) in zip(shortened, whole, strict=True):
        assert len(ids) == min(len(full), max_length)
        names, (before, *gaps, after) = cut_at_markers(tokenizer, ids)
        full_names, (all_before, *all_gaps, all_after) = cut_at_markers(tokenizer, full)
        assert names == full_names
        assert {name.rstrip(">").split(":")[0] for name in names} == ROLES
        assert [marker_name(tokenizer, ids[i])[:2] for i in at] == ["<S", "<O"]
        # The context is what is nearest to the pair, as much on either side.
        assert before == all_before[len(all_before) - len(before) :]
        assert after == all_after[: len(after)]
        cut_before = len(before) < len(all_before)
        cut_after = len(after) < len(all_after)
        assert not (cut_before and len(before) < len(after) - 1)
        assert not (cut_after and len(after) < len(before) - 1)
        clipped["context"] += cut_before or cut_after
        # Inside the pair nothing is left out unless the pair alone is too long; then
        # of each gap both ends are kept, and the spans are whole if they can be.
        for gap, full_gap, inside in zip(gaps, all_gaps, is_inside(names)):
            assert kept_ends(full_gap, gap)
            if sum(map(len, all_gaps)) + 6 <= max_length:
                assert gap == full_gap
            elif inside:
                assert bool(gap) == bool(full_gap)
        in_spans = sum(len(gap) for gap, i in zip(all_gaps, is_inside(names)) if i)
        if in_spans + 6 <= max_length:
            for gap, full_gap, inside in zip(gaps, all_gaps, is_inside(names)):
                assert gap == full_gap or not inside
        if sum(map(len, all_gaps)) + 6 > max_length:
            assert not before
            assert not after
            clipped["middle" if in_spans + 6 <= max_length else "span"] += 1
    assert {kind: builder.clipped[kind] for kind in clipped} == clipped


def read_descriptions(builder, doc):
    """Yields every description of every pair: its predicate, the entity and the types
    in each slot, its wordpieces, and where subject and object open."""
    (found,) = all_pairs(doc)
    pairs = builder.featurize([found])
    row, r = numpy.nonzero(found.allowed)
    surfaces = pairs.surfaces[row]
    inputs = builder.descriptions(pairs, surfaces[:, 0], surfaces[:, 1], r)
    entities = [
        {slot: found.entities[i] for slot, i in zip(SLOTS, found.pairs[one])}
        for one in row
    ]
    at = zip(inputs.subject_at.tolist(), inputs.object_at.tolist())
    predicates = [PREDICATES[one] for one in r]
    return list(zip(predicates, entities, rows_of(inputs), at, strict=True))


def description_texts(predicate):
    """RETURNS: The slots in their order, and the texts before, between and after."""
    pattern = "|".join(map(re.escape, SLOTS))
    slots = re.findall(pattern, predicate.description)
    return slots, re.split(pattern, predicate.description)


@given(doc=docs(), fill_spans=st.booleans())
def test_descriptions_read_back_with_the_spans_in_the_slots(tokenizer, doc, fill_spans):
    builder = make_builder(tokenizer, fill_spans=fill_spans)
    for predicate, entities, ids, at in read_descriptions(builder, doc):
        slots, (before, between, after) = description_texts(predicate)
        first, second = (entities[slot].text * fill_spans for slot in slots)
        names, chunks = cut_at_markers(tokenizer, ids)
        assert [decoded(tokenizer, chunk) for chunk in chunks] == [
            normalised(tokenizer, text)
            for text in (before, first, between, second, after)
        ]
        by_role = {
            "{subject}": marker_texts(marked_type(entities["{subject}"]))[:2],
            "{object}": marker_texts(marked_type(entities["{object}"]))[2:],
        }
        assert names == [*by_role[slots[0]], *by_role[slots[1]]]
        assert ids[0] == tokenizer.cls_token_id
        assert ids[-1] == tokenizer.sep_token_id
        assert [marker_name(tokenizer, ids[i]) for i in at] == [
            by_role[slot][0] for slot in SLOTS
        ]


@given(doc=docs(), max_length=st.integers(24, 60))
def test_long_spans_keep_their_ends_in_descriptions(tokenizer, doc, max_length):
    builder = make_builder(tokenizer, max_length)
    room = max_length - builder.description_length
    for (_, _, ids, _), (_, _, full, _) in zip(
        read_descriptions(builder, doc),
        read_descriptions(make_builder(tokenizer), doc),
        strict=True,
    ):
        assert len(ids) <= max_length
        names, chunks = cut_at_markers(tokenizer, ids)
        full_names, full_chunks = cut_at_markers(tokenizer, full)
        assert names == full_names
        assert chunks[::2] == full_chunks[::2]
        for span, full_span in zip(chunks[1::2], full_chunks[1::2]):
            assert kept_ends(full_span, span)
            assert len(span) == min(len(full_span), room // 2)


@pytest.mark.parametrize("text", SPECIAL)
def test_text_that_looks_like_a_special_token_is_text(tokenizer, text):
    doc = make_doc(["a", text, "the"], [(0, 1, "PER"), (1, 2, "LOC")])
    special = {*tokenizer.all_special_ids} - {tokenizer.unk_token_id}
    for _, ids, _ in read_instances(make_builder(tokenizer), doc):
        assert sum(wordpiece in special for wordpiece in ids) == 6


def test_an_entity_of_white_space_reads_as_something(tokenizer):
    doc = make_doc(["a", "\n", "the"], [(0, 1, "PER"), (1, 2, "LOC")])
    for _, ids, _ in read_instances(make_builder(tokenizer), doc):
        _, (_, *gaps, _) = cut_at_markers(tokenizer, ids)
        assert gaps[0]
        assert gaps[2]


def test_a_type_without_markers_gets_the_generic_ones(bert_tokenizer):
    doc = make_doc(["a", "the"], [(0, 1, "UNSEEN"), (1, 2, "LOC")])
    (_, ids, _), _ = read_instances(make_builder(bert_tokenizer), doc)
    names, _ = cut_at_markers(bert_tokenizer, ids)
    assert names == ["<S>", "</S>", "<O:LOC>", "</O:LOC>"]


def test_marked_types_are_those_of_the_tokenizer(bert_tokenizer):
    assert marked_types(bert_tokenizer) == ["", *TYPES]


def test_nested_spans_have_nested_markers(bert_tokenizer):
    doc = make_doc(["a", "the", "of"], [(0, 3, "PER"), (1, 2, "LOC")])
    texts = [
        bert_tokenizer.decode(ids[1:-1])
        for _, ids, _ in read_instances(make_builder(bert_tokenizer), doc)
    ]
    assert texts == [
        "<S:PER> a <O:LOC> the </O:LOC> of </S:PER>",
        "<O:PER> a <S:LOC> the </S:LOC> of </O:PER>",
    ]


def test_touching_spans_have_separate_markers(bert_tokenizer):
    doc = make_doc(["a", "the"], [(0, 1, "PER"), (1, 2, "LOC")])
    (_, ids, _), _ = read_instances(make_builder(bert_tokenizer), doc)
    decoded_ids = bert_tokenizer.decode(ids[1:-1])
    assert decoded_ids == "<S:PER> a </S:PER> <O:LOC> the </O:LOC>"


def test_only_the_sentences_of_the_pair_are_read(bert_tokenizer):
    words = ["a", "of", "in", "the", "at", "by", "to"]
    doc = make_doc(words, [(2, 3, "PER"), (3, 4, "LOC")], sent_starts=(0, 2, 4, 6))
    (_, ids, _), _ = read_instances(make_builder(bert_tokenizer), doc)
    assert [
        decoded(bert_tokenizer, c) for c in cut_at_markers(bert_tokenizer, ids)[1]
    ] == [*("", "in", "", "the", "")]


def test_a_pair_across_sentences_reads_all_of_them(bert_tokenizer):
    words = ["a", "of", "in", "the", "at", "by", "to"]
    doc = make_doc(words, [(0, 1, "PER"), (5, 6, "LOC")], sent_starts=(0, 2, 4, 6))
    (_, ids, _), _ = read_instances(make_builder(bert_tokenizer), doc)
    assert [
        decoded(bert_tokenizer, c) for c in cut_at_markers(bert_tokenizer, ids)[1]
    ] == [*("", "a", "ofintheat", "by", "")]


@given(context_length=st.integers(0, 40))
def test_context_length_widens_the_text_around_the_sentence(
    bert_tokenizer, context_length
):
    words = ["a"] * 9 + ["in", "the"] + ["of"] * 9
    doc = make_doc(words, [(9, 10, "PER"), (10, 11, "LOC")], sent_starts=(0, 9, 11))
    builder = make_builder(bert_tokenizer, context_length=context_length)
    (_, ids, _), _ = read_instances(builder, doc)
    _, (before, *_, after) = cut_at_markers(bert_tokenizer, ids)
    assert len(ids) == min(max(context_length, 8), len(words) + 6)
    assert abs(len(before) - len(after)) <= 1


def test_a_description_that_leaves_no_room_for_spans_is_refused(bert_tokenizer):
    with pytest.raises(ValueError, match="leaves no room for its spans"):
        make_builder(bert_tokenizer, max_length=8)


def test_docs_without_pairs_give_no_instances(tokenizer):
    docs = [
        Doc(VOCAB),
        make_doc(["a", "the"], []),
        make_doc(["a", "the"], [(0, 1, "PER")]),
    ]
    assert read_instances(make_builder(tokenizer), *docs) == []
    assert len(make_builder(tokenizer).featurize([])) == 0


def test_the_same_span_and_type_share_a_surface(bert_tokenizer):
    entities = [(0, 1, "PER"), (2, 3, "PER"), (4, 5, "LOC"), (5, 6, "PER")]
    doc = make_doc(["marie", "of", "marie", "of", "marie", "warsaw"], entities)
    (found,) = all_pairs(doc)
    pairs = make_builder(bert_tokenizer).featurize([found])
    surfaces = dict(zip(map(tuple, found.pairs.tolist()), pairs.surfaces.tolist()))
    assert surfaces[0, 1] == [0, 0]
    assert len(pairs.surface_spans) == 3
