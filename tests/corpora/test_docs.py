import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st

from spacy_dualre.corpora.docs import Mention, make_doc
from spacy_dualre.corpora.report import SplitReport
from spacy_dualre.corpora.sentences import set_sentences

nlp = spacy.blank("en")


@st.composite
def texts_with_mentions(draw):
    words = st.sampled_from(
        [
            "a",
            "beta-",
            "3,4",
            "(x)",
            "µM",
            "don't",
            ".",
            "\n",
            "\u00a0",
            "  ",
            "🧬",
            " ",
        ]
    )
    text = draw(
        st.one_of(st.lists(words, min_size=1).map("".join), st.text(min_size=1))
    )
    offsets = st.integers(0, len(text))
    pairs = st.tuples(offsets, offsets).filter(lambda pair: pair[0] != pair[1])
    mentions = draw(st.lists(pairs.map(sorted), max_size=8))
    return text, [Mention(start, end, "X") for start, end in mentions]


@given(texts_with_mentions())
def test_any_mention_is_a_span_of_the_unchanged_text(example):
    text, mentions = example
    doc = make_doc(nlp, text, mentions, "1", SplitReport())
    assert doc.text == text
    spans = list(doc.spans["entities"])
    assert [(s.start_char, s.end_char) for s in spans] == [m[:2] for m in mentions]
    assert [s.text for s in spans] == [text[m.start : m.end] for m in mentions]


@given(texts_with_mentions())
def test_no_sentence_begins_inside_a_mention(example):
    text, mentions = example
    doc = make_doc(nlp, text, mentions, "1", SplitReport())
    set_sentences(doc, doc.spans["entities"])
    starts = {sentence.start for sentence in doc.sents}
    for span in doc.spans["entities"]:
        assert not starts & set(range(span.start + 1, span.end))


def test_splits_are_reported():
    report = SplitReport()
    mentions = [Mention(0, 4, "X"), Mention(5, 7, "X")]
    doc = make_doc(nlp, "cyclicAMP is", [*mentions, Mention(10, 12, "X")], "9", report)
    assert [token.text for token in doc] == ["cycl", "i", "cA", "MP", "is"]
    (finding,) = report.to_data()["findings"]
    assert (finding["outcome"], finding["count"]) == ("changed", 2)
    assert finding["examples"] == ["9"]


@pytest.mark.parametrize("start,end", [(-1, 2), (2, 2), (3, 2), (0, 6)])
def test_mention_outside_of_the_text(start, end):
    with pytest.raises(ValueError, match="Document 7.*does not lie in a text of 5"):
        make_doc(nlp, "abcde", [Mention(start, end, "X")], "7", SplitReport())


@pytest.mark.parametrize("mention", [Mention(0, 1, ""), Mention(0, 1, "X", 9606)])
def test_types_and_ids_are_strings(mention):
    with pytest.raises(ValueError, match="expected strings"):
        make_doc(nlp, "abcde", [mention], "7", SplitReport())


@pytest.mark.parametrize(
    "sentences",
    [
        ["It rose.", "We saw it fall."],
        ["Was it high?", "(2) It was."],
        ["It was given i.v. and p.o. to rats (Fig. 2).", "p53 was not."],
        ["Smith et al. Say so.", "mRNA fell."],
        ["It ended (at last).", '"Why?"', "Nobody knew."],
        ["It was 5 mg kg. of salt.", "[3H]Water was used."],
        ["It fell. as expected.", "alpha-Toxin rose."],
        ["One.\u00a0", "Two."],
        ["E. coli grew at 3.5 degrees."],
    ],
)
def test_sentence_boundaries(sentences):
    doc = nlp.make_doc(" ".join(sentences).replace("\u00a0 ", "\u00a0"))
    set_sentences(doc, ())
    expected = [sentence.strip() for sentence in sentences]
    assert [sentence.text.strip() for sentence in doc.sents] == expected
