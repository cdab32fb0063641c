"""Relations survive everything that spaCy does to a Doc, or are left out."""

import pickle
import subprocess
import sys
import warnings

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin, Span, SpanGroup
from spacy.training import Example
from spacy.training.augment import create_lower_casing_augmenter
from spacy.vocab import Vocab

from spacy_dualre import Relation, get_relations, install_extension, set_relations

WORDS = ["Ada", "Byron", "worked", "with", "Charles", "Babbage", "in", "London", "."]


def make_doc(vocab=None, words=WORDS):
    doc = Doc(vocab or Vocab(), words=words)
    doc.ents = [
        Span(doc, 0, 2, "PER", kb_id="Q7259"),
        Span(doc, 4, 6, "PER"),
        Span(doc, 7, 8, "LOC"),
    ]
    ada, babbage, london = doc.ents
    set_relations(
        doc,
        [
            Relation(ada, babbage, "colleague of", 0.8125),
            Relation(babbage, london, "works-in", 1.0),
            Relation(ada, babbage, "friend:of", 0.0312),
        ],
    )
    return doc


def as_data(doc, key="relations"):
    """All that a relation holds, comparable between Docs."""
    return [
        (
            *(subject.start_char, subject.end_char, subject.text, subject.label_),
            *(object_.start_char, object_.end_char, object_.text, object_.label_),
            label,
            score,
        )
        for subject, object_, label, score in get_relations(doc, key)
    ]


EXPECTED = [
    (
        0,
        9,
        "Ada Byron",
        "PER",
        22,
        37,
        "Charles Babbage",
        "PER",
        "colleague of",
        0.8125,
    ),
    (0, 9, "Ada Byron", "PER", 22, 37, "Charles Babbage", "PER", "friend:of", 0.0312),
    (22, 37, "Charles Babbage", "PER", 41, 47, "London", "LOC", "works-in", 1.0),
]


def test_relations_read_back_sorted_by_position():
    assert as_data(make_doc()) == EXPECTED


def test_the_extension_is_a_view_of_the_span_group():
    doc = make_doc()
    assert doc._.relations == get_relations(doc)
    doc._.relations = list(doc._.relations)[:1]
    assert as_data(doc) == EXPECTED[:1]
    del doc.spans["relations"]
    assert doc._.relations == ()


def test_a_relation_reads_as_a_triple():
    assert (
        str(make_doc()._.relations[0]) == "(Ada Byron, colleague of, Charles Babbage)"
    )


def test_relations_can_be_set_as_tuples_with_or_without_a_score():
    doc = make_doc()
    ada, babbage, london = doc.ents
    doc._.relations = iter([(babbage, london, "a"), (ada, london, "b", 0.5)])
    assert [(r.label, r.score) for r in doc._.relations] == [("b", 0.5), ("a", 1.0)]


def test_the_same_relation_twice_is_kept_once():
    doc = make_doc()
    ada, babbage, _ = doc.ents
    doc._.relations = [(ada, babbage, "a"), (ada, babbage, "a")]
    assert len(doc._.relations) == 1


def test_entities_keep_their_knowledge_base_id():
    doc = make_doc()
    subjects = {relation.subject.kb_id_ for relation in doc._.relations}
    assert subjects == {"Q7259", ""}


IDS = [("Q7259", "e1"), ("", "e2"), ("Q84", ""), ("", ""), ("Q1,Q2", "a\x1fb")]


def with_ids():
    """A Doc with relations between entities of all IDS."""
    doc = Doc(Vocab(), words=["a", "b", "c", "d", "e"])
    doc.ents = [
        Span(doc, i, i + 1, "X", kb_id=kb_id, span_id=id_)
        for i, (kb_id, id_) in enumerate(IDS)
    ]
    doc._.relations = [(doc.ents[i - 1], doc.ents[i], "r") for i in range(len(IDS))]
    return doc


def ids_of(doc):
    return {(span.kb_id_, span.id_) for r in doc._.relations for span in r[:2]}


def test_entities_keep_kb_id_and_id_and_equal_those_of_the_doc():
    doc = with_ids()
    assert ids_of(doc) == set(IDS)
    assert all(span in doc.ents for r in doc._.relations for span in r[:2])


def test_scores_are_kept_to_four_decimals():
    doc = make_doc()
    ada, babbage, _ = doc.ents
    doc._.relations = [(ada, babbage, "a", 0.123456789)]
    assert doc._.relations[0].score == 0.1235


@given(score=st.floats(0, 1, allow_subnormal=False))
def test_any_probability_reads_back_within_half_a_unit_of_the_last_decimal(score):
    doc = make_doc()
    doc._.relations = [(doc.ents[0], doc.ents[1], "a", score)]
    assert doc._.relations[0].score == pytest.approx(score, abs=0.5001e-4)


# Each way of copying or storing, as a function from a Doc to a Doc.


def through_bytes(doc):
    return Doc(doc.vocab).from_bytes(doc.to_bytes())


def through_bytes_into_another_vocab(doc):
    return Doc(Vocab()).from_bytes(doc.to_bytes())


def through_pickle(doc):
    return pickle.loads(pickle.dumps(doc))


def through_doc_bin(doc):
    data = DocBin(docs=[doc], store_user_data=False).to_bytes()
    return next(iter(DocBin().from_bytes(data).get_docs(Vocab())))


def through_doc_bin_with_user_data(doc):
    data = DocBin(docs=[doc], store_user_data=True).to_bytes()
    return next(iter(DocBin().from_bytes(data).get_docs(Vocab())))


def through_json(doc):
    return Doc(Vocab()).from_json(doc.to_json(), validate=True)


def through_example_dict(doc):
    example = Example(Doc(doc.vocab, words=[t.text for t in doc]), doc)
    return Example.from_dict(example.predicted, example.to_dict()).reference


@pytest.mark.parametrize(
    "through",
    [
        through_bytes,
        through_bytes_into_another_vocab,
        through_pickle,
        Doc.copy,
        through_doc_bin,
        through_doc_bin_with_user_data,
        through_json,
        through_example_dict,
    ],
)
def test_relations_survive(through):
    assert as_data(through(make_doc())) == EXPECTED


@pytest.mark.parametrize(
    "through",
    [
        through_bytes,
        through_bytes_into_another_vocab,
        through_pickle,
        Doc.copy,
        through_doc_bin,
        through_doc_bin_with_user_data,
    ],
)
def test_the_ids_of_entities_survive(through):
    assert ids_of(through(with_ids())) == set(IDS)


@pytest.mark.parametrize("through", [through_json, through_example_dict])
def test_the_ids_of_entities_are_lost_where_spacy_keeps_none(through):
    assert ids_of(through(with_ids())) == {("", "")}


@pytest.mark.parametrize("through", [through_bytes, through_doc_bin, Doc.copy])
def test_a_doc_without_relations_stays_without(through):
    doc = Doc(Vocab(), words=WORDS)
    doc._.relations = []
    assert through(doc)._.relations == ()


def test_relations_survive_with_another_key():
    doc = make_doc()
    set_relations(doc, doc._.relations, "gold")
    del doc.spans["relations"]
    assert as_data(through_doc_bin(doc), "gold") == EXPECTED


def test_merged_docs_have_the_relations_of_all_of_them():
    vocab = Vocab()
    bare = Doc(vocab, words=["Nothing", "here", "."])
    merged = Doc.from_docs([make_doc(vocab), bare, make_doc(vocab)])
    rows = as_data(merged)
    assert rows[: len(EXPECTED)] == EXPECTED
    shift = merged.text.rindex("Ada Byron")
    shifted = [
        tuple(x + shift if i in (0, 1, 4, 5) else x for i, x in enumerate(row))
        for row in EXPECTED
    ]
    assert rows[len(EXPECTED) :] == shifted


def test_an_augmented_example_keeps_its_relations():
    nlp = spacy.blank("en")
    reference = make_doc(nlp.vocab)
    example = Example(nlp.make_doc(reference.text), reference)
    (augmented,) = create_lower_casing_augmenter(1.0)(nlp, example)
    assert augmented.reference.text == reference.text.lower()
    lowered = [
        tuple(x.lower() if i in (2, 6) else x for i, x in enumerate(row))
        for row in EXPECTED
    ]
    assert as_data(augmented.reference) == lowered


def test_as_doc_drops_relations_and_gives_no_wrong_one():
    assert make_doc()[2:9].as_doc()._.relations == ()


def spans_of_another_doc(doc):
    other = make_doc()
    return [(other.ents[0], other.ents[1], "a")]


def one_span_of_another_doc(doc):
    return [(doc.ents[0], make_doc().ents[1], "a")]


def score_above_one(doc):
    return [(doc.ents[0], doc.ents[1], "a", 1.5)]


def score_below_zero(doc):
    return [(doc.ents[0], doc.ents[1], "a", -0.1)]


def score_not_a_number(doc):
    return [(doc.ents[0], doc.ents[1], "a", float("nan"))]


def empty_label(doc):
    return [(doc.ents[0], doc.ents[1], "")]


def label_not_a_string(doc):
    return [(doc.ents[0], doc.ents[1], 7)]


def label_a_list(doc):
    return [(doc.ents[0], doc.ents[1], ["a"])]


def score_missing(doc):
    return [(doc.ents[0], doc.ents[1], "a", None)]


def score_a_string(doc):
    return [(doc.ents[0], doc.ents[1], "a", "0.5")]


def tokens(doc):
    return [(doc[0], doc[4], "a")]


def texts(doc):
    return [("Ada Byron", "Charles Babbage", "a")]


def no_label(doc):
    return [(doc.ents[0], doc.ents[1])]


def a_mapping(doc):
    return [{"subject": doc.ents[0], "object": doc.ents[1], "label": "a"}]


def an_empty_span(doc):
    return [(doc[2:2], doc.ents[1], "a")]


def an_empty_span_at_the_end(doc):
    return [(doc.ents[0], doc[len(doc) : len(doc)], "a")]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (spans_of_another_doc, "another Doc"),
        (one_span_of_another_doc, "another Doc"),
        (score_above_one, "between 0 and 1"),
        (score_below_zero, "between 0 and 1"),
        (score_not_a_number, "between 0 and 1"),
        (empty_label, "non-empty string"),
        (label_not_a_string, "non-empty string"),
        (label_a_list, "non-empty string"),
        (score_missing, "between 0 and 1"),
        (score_a_string, "between 0 and 1"),
        (tokens, "expected spans of the Doc, but Ada is none"),
        (texts, "expected spans of the Doc, but 'Ada Byron' is none"),
        (no_label, r"expected \(subject, object, label\)"),
        (a_mapping, r"expected \(subject, object, label\)"),
        (an_empty_span, "is empty"),
        (an_empty_span_at_the_end, "is empty"),
    ],
)
def test_a_wrong_relation_is_refused_and_nothing_is_lost(wrong, message):
    doc = make_doc()
    good = (doc.ents[0], doc.ents[2], "good")
    with pytest.raises(ValueError, match=message):
        doc._.relations = [good, *wrong(doc)]
    assert as_data(doc) == EXPECTED


def test_spans_from_before_the_doc_was_retokenized_are_refused():
    doc = make_doc()
    ada, _, london = doc.ents
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:2])
    for moved in (ada, london):
        with pytest.raises(ValueError, match="retokenized since its spans were made"):
            doc._.relations = [(doc.ents[1], moved, "a")]


def test_an_error_does_not_print_all_of_a_long_value():
    doc = make_doc()
    with pytest.raises(ValueError) as error:
        doc._.relations = [("long " * 10_000, doc.ents[1], "a")]
    assert len(str(error.value)) < 1000


def test_a_group_of_other_spans_is_refused_by_name():
    doc = make_doc()
    doc.spans["others"] = [doc[0:1], doc[1:2]]
    with pytest.raises(ValueError, match=r"doc\.spans\['others'\] does not hold"):
        get_relations(doc, "others")


def test_a_group_of_an_odd_number_of_spans_is_refused_by_name():
    doc = make_doc()
    doc.spans["others"] = SpanGroup(doc, spans=[doc[0:1]])
    with pytest.raises(ValueError, match=r"doc\.spans\['others'\] holds 1 spans"):
        get_relations(doc, "others")


# Retokenizing.


def test_relations_are_found_again_after_other_tokens_were_merged():
    doc = make_doc()
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[2:4])
    assert as_data(doc) == EXPECTED


def test_relations_at_the_end_are_found_again_in_a_shorter_doc():
    doc = Doc(Vocab(), words=["one", "two", "three", "four", "five"])
    doc._.relations = [(doc[3:4], doc[4:5], "a")]
    expected = as_data(doc)
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:3])
    assert as_data(doc) == expected


def test_relations_are_found_again_when_their_entities_were_merged():
    doc = make_doc()
    with doc.retokenize() as retokenizer:
        for span in doc.ents:
            retokenizer.merge(span)
    assert as_data(doc) == EXPECTED


def test_relations_are_found_again_after_a_token_was_split():
    doc = make_doc()
    with doc.retokenize() as retokenizer:
        retokenizer.split(doc[0], ["A", "da"], heads=[(doc[0], 1), doc[1]])
    assert as_data(doc) == EXPECTED


def test_a_relation_whose_span_is_inside_a_merged_token_is_left_out_with_a_warning():
    doc = make_doc()
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[5:8])  # Babbage in London
    with pytest.warns(UserWarning, match="3 relations in doc.spans\\['relations'\\]"):
        assert doc._.relations == ()


@st.composite
def relations_and_merges(draw):
    n = draw(st.integers(3, 10))
    words = [draw(st.sampled_from(["a", "bb", "ccc", "é", "."])) for _ in range(n)]
    spaces = [draw(st.booleans()) for _ in range(n)]

    def span():
        start = draw(st.integers(0, n - 1))
        return start, draw(st.integers(start + 1, n))

    relations = [(span(), span()) for _ in range(draw(st.integers(1, 4)))]
    cuts = sorted(draw(st.sets(st.integers(0, n), max_size=6)))
    merges = [pair for pair in zip(cuts, cuts[1:]) if draw(st.booleans())]
    return words, spaces, relations, merges


@given(case=relations_and_merges())
def test_merging_keeps_exactly_the_relations_whose_boundaries_remain(case):
    words, spaces, relations, merges = case
    doc = Doc(Vocab(), words=words, spaces=spaces)
    doc._.relations = [
        (Span(doc, *subject, "A"), Span(doc, *object_, "B"), f"r{i}", 0.25)
        for i, (subject, object_) in enumerate(relations)
    ]
    before = as_data(doc)
    with doc.retokenize() as retokenizer:
        for start, end in merges:
            retokenizer.merge(doc[start:end])
    starts = {token.idx for token in doc}
    ends = {token.idx + len(token) for token in doc}
    remaining = [
        row for row in before if {row[0], row[4]} <= starts and {row[1], row[5]} <= ends
    ]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert as_data(doc) == remaining
    assert bool(caught) == (len(remaining) < len(before))


# The extension.


def run_python(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )


def test_an_extension_of_another_package_is_not_overwritten():
    run = run_python(
        "import sys\n"
        "from spacy.tokens import Doc\n"
        "from spacy.vocab import Vocab\n"
        "Doc.set_extension('relations', default='theirs')\n"
        "import spacy_dualre\n"
        "print('imported', file=sys.stderr)\n"
        "spacy_dualre.install_extension()  # as a component does\n"
        "doc = Doc(Vocab(), words=['a', 'b'])\n"
        "spacy_dualre.set_relations(doc, [(doc[:1], doc[1:], 'r')])\n"
        "print(doc._.relations, spacy_dualre.get_relations(doc)[0])\n"
    )
    assert run.stdout.split("\n")[0] == "theirs (a, r, b)"
    imported, used = run.stderr.split("imported")
    assert "belongs to another package" not in imported
    assert "belongs to another package" in used


def test_the_extension_can_have_another_name():
    install_extension("gold_links")
    try:
        doc = make_doc()
        doc._.gold_links = doc._.relations
        assert as_data(doc, "gold_links") == EXPECTED
    finally:
        Doc.remove_extension("gold_links")


def test_installing_the_extension_again_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        install_extension()
