"""The corpus reader keeps the gold tokens and sentence boundaries."""

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span
from spacy.training.augment import create_lower_casing_augmenter

from spacy_dualre.training.corpus import build_corpus

# The English tokenizer keeps "co-founder" whole and knows nothing of sentences.
WORDS = ["Ada", "is", "co", "-founder", ".", "So", "is", "Bo", "."]
SPACES = [True, True, False, False, True, True, True, False, False]


def make_doc(vocab, words=WORDS, spaces=SPACES, sent_starts=(0, 5)):
    starts = [i in sent_starts for i in range(len(words))] if sent_starts else None
    doc = Doc(vocab, words=words, spaces=spaces, sent_starts=starts)
    if len(doc):
        doc.ents = [Span(doc, 0, 1, "PER"), Span(doc, 3, 4, "ROLE")]
        doc._.relations = [(doc.ents[0], doc.ents[1], "is")]
    return doc


@pytest.fixture
def nlp():
    return spacy.blank("en")


@pytest.fixture
def write(tmp_path, nlp):
    def write_docs(*docs):
        DocBin(docs=docs).to_disk(tmp_path / "docs.spacy")
        return str(tmp_path / "docs.spacy")

    return write_docs


def tokens(doc):
    return [(token.text, token.whitespace_, token.is_sent_start) for token in doc]


def test_the_predicted_doc_has_the_gold_tokens_and_sentences(nlp, write):
    gold = make_doc(nlp.vocab)
    (example,) = build_corpus(write(gold))(nlp)
    assert [token.text for token in nlp.make_doc(gold.text)] != WORDS
    assert tokens(example.predicted) == tokens(gold)
    assert len(list(example.predicted.sents)) == 2


def test_the_predicted_doc_has_neither_entities_nor_relations(nlp, write):
    (example,) = build_corpus(write(make_doc(nlp.vocab)))(nlp)
    assert not example.predicted.has_annotation("ENT_IOB")
    assert example.predicted._.relations == ()
    assert str(*example.reference._.relations) == "(Ada, is, -founder)"


def test_missing_sentence_boundaries_stay_missing(nlp, write):
    gold = make_doc(nlp.vocab, sent_starts=None)
    (example,) = build_corpus(write(gold))(nlp)
    assert not example.predicted.has_annotation("SENT_START")


def test_an_augmented_example_keeps_the_gold_tokens_and_relations(nlp, write):
    gold = make_doc(nlp.vocab)
    augmenter = create_lower_casing_augmenter(1.0)
    (example,) = build_corpus(write(gold), augmenter=augmenter)(nlp)
    lowered = [(text.lower(), *rest) for text, *rest in tokens(gold)]
    assert tokens(example.reference) == lowered
    assert tokens(example.predicted) == lowered
    assert str(*example.reference._.relations) == "(ada, is, -founder)"


def test_empty_docs_are_skipped(nlp, write):
    path = write(make_doc(nlp.vocab, [], []), make_doc(nlp.vocab))
    assert len(list(build_corpus(path)(nlp))) == 1


def test_a_limit_bounds_the_examples(nlp, write):
    path = write(*(make_doc(nlp.vocab) for _ in range(3)))
    assert len(list(build_corpus(path, limit=2)(nlp))) == 2


def test_a_corpus_without_a_path_is_refused():
    with pytest.raises(ValueError, match="--paths.train"):
        build_corpus(None)
