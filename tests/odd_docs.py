"""Random Docs with all that a tokenizer may trip over, and what encoders read of them.

What is read is taken apart again: cut at the markers, and decoded.
"""

import re

import numpy
from hypothesis import assume
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_dualre.encoding.wordpieces import PairTokenizer
from spacy_dualre.pairs.candidates import build_candidate_pairs, find_candidates
from spacy_dualre.predicates import NO_RELATION, parse_predicates

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
BLANK = [" ", "\n", "\n\n", "  "]


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


def make_doc(words, entities, spaces=None, sent_starts=(0,)):
    """A Doc with entities (start, end, type), which may overlap."""
    doc = Doc(
        VOCAB,
        words=words,
        spaces=spaces,
        sent_starts=[i in sent_starts for i in range(len(words))],
    )
    doc.spans["entities"] = [Span(doc, *entity) for entity in entities]
    return doc


def all_pairs(*docs):
    """The candidates of Docs, across sentences too."""
    find_pairs = build_candidate_pairs(max_sentences=None)
    return [find_candidates(doc, PREDICATES, find_pairs, "entities") for doc in docs]


def locate(tokenizer, *docs, max_length=UNLIMITED, **settings):
    """All pairs of some Docs in their wordpieces."""
    pair_tokenizer = PairTokenizer(tokenizer, max_length=max_length, **settings)
    return pair_tokenizer.locate(all_pairs(*docs))


def build_all(reading, pairs):
    """What a reading gives the encoder for all pairs."""
    return reading.build(pairs, numpy.arange(len(pairs)))


def rows_of(inputs):
    """The inputs as lists of wordpieces."""
    parts = numpy.split(inputs.ids, inputs.lengths.cumsum())
    return [ids.tolist() for ids in parts[:-1]]


def read_pairs(reading, pairs, *docs):
    """RETURNS: The entities of each pair of some Docs, the wordpieces of its own input,
    and where in it subject and object open."""
    inputs = build_all(reading, pairs)
    entities = [
        (found.entities[s], found.entities[o])
        for found in all_pairs(*docs)
        for s, o in found.pairs.tolist()
    ]
    at = zip(inputs.subject_at.tolist(), inputs.object_at.tolist())
    return list(zip(entities, rows_of(inputs), at, strict=True))


def marker_name(tokenizer, wordpiece):
    """The text of a marker; None for any other wordpiece."""
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
    """The type that an entity's markers have."""
    return entity.label_ if entity.label_ in TYPES else ""


def kept_ends(full, part):
    """Whether `part` is the head and the tail of `full`."""
    tail = len(part) // 2
    head = len(part) - tail
    return part == full[:head] + full[len(full) - tail :]
