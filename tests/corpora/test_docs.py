import time

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc

from spacy_dualre import get_relations
from spacy_dualre.corpora.docs import Document, Mention, make_doc
from spacy_dualre.corpora.report import SplitReport
from spacy_dualre.corpora.sentences import (
    find_english_sentences,
    find_sentences,
    set_sentences,
)

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


def make(text, mentions, **kwargs):
    report = SplitReport()
    return make_doc(nlp, Document("7", text, mentions, **kwargs), report), report


def outcomes(report):
    return {
        (finding.outcome, finding.reason): len(doc_ids)
        for finding, doc_ids in report.findings.items()
    }


@given(texts_with_mentions())
def test_any_mention_is_a_span_of_the_unchanged_text(example):
    text, mentions = example
    doc, report = make(text, mentions)
    assert doc.text == text
    spans = list(doc.spans["entities"])
    found = [text[m.start : m.end].strip() for m in mentions]
    assert [s.text for s in spans] == [text for text in found if text]
    for span, mention in zip(spans, (m for m, text in zip(mentions, found) if text)):
        assert mention.start <= span.start_char < span.end_char <= mention.end
    report.add(doc)
    assert report.unaccounted() == {"mention": 0, "relation": 0}


@given(texts_with_mentions(), st.data())
def test_any_relation_is_on_the_doc_or_reported(example, data):
    text, mentions = example
    if mentions:
        index = st.integers(0, len(mentions) - 1)
        labels = st.sampled_from(["a", "b", "no_relation"])
        relations = data.draw(st.lists(st.tuples(index, index, labels), max_size=12))
        doc, report = make(text, mentions, relations=relations)
        report.add(doc)
        assert report.unaccounted() == {"mention": 0, "relation": 0}


@given(texts_with_mentions(), st.booleans())
def test_no_sentence_begins_inside_a_mention(example, english):
    text, mentions = example
    rule = find_english_sentences if english else find_sentences
    document = Document("7", text, mentions)
    doc = make_doc(nlp, document, SplitReport(), rule)
    starts = {sentence.start for sentence in doc.sents}
    for span in doc.spans["entities"]:
        assert not starts & set(range(span.start + 1, span.end))


def test_splits_are_reported():
    mentions = [Mention(0, 4, "X"), Mention(5, 7, "X"), Mention(10, 12, "X")]
    doc, report = make("cyclicAMP is", mentions)
    assert [token.text for token in doc] == ["cycl", "i", "cA", "MP", "is"]
    assert outcomes(report)["changed", "split a token at its edge"] == 2


@pytest.mark.parametrize("start,end", [(-1, 2), (2, 2), (3, 2), (0, 6), (True, 2)])
def test_mention_outside_of_the_text(start, end):
    with pytest.raises(ValueError, match="start.* and end"):
        make("abcde", [Mention(start, end, "X")])


def test_mention_of_no_characters_asks_for_the_end():
    with pytest.raises(ValueError, match="The end is that behind the last character"):
        make("abcde", [Mention(2, 2, "X")])


@pytest.mark.parametrize(
    "mention",
    [Mention(0, 1, ""), Mention(0, 1, "X", 9606), Mention(0, 1, ["X"])],
)
def test_types_and_ids_are_strings(mention):
    with pytest.raises(ValueError, match="expected strings"):
        make("abcde", [mention])


def test_values_are_cut_in_errors():
    with pytest.raises(ValueError) as e:
        make("abcde", [Mention(0, 1, ["X" * 5000])])
    assert len(str(e.value)) < 200


@pytest.mark.parametrize(
    "start,end,found",
    [(0, 10, "Nora Vale"), (17, 33, "Tidewater Foods"), (18, 35, "Tidewater Foods.")],
)
def test_white_space_at_the_edge_of_a_mention(start, end, found):
    text = "Nora Vale founded Tidewater Foods.\n"
    doc, report = make(text, [Mention(start, end, "X")])
    assert [span.text for span in doc.spans["entities"]] == [found]
    assert outcomes(report)["changed", "white space at its edge left out"] == 1


def test_mention_of_white_space_is_lost_with_its_relations():
    mentions = [Mention(0, 1, "X"), Mention(1, 2, "X"), Mention(2, 3, "X")]
    doc, report = make("a b", mentions, relations=[(0, 1, "r"), (0, 2, "r")])
    assert [span.text for span in doc.spans["entities"]] == ["a", "b"]
    assert [str(relation) for relation in get_relations(doc)] == ["(a, r, b)"]
    found = outcomes(report)
    assert found["lost", "is nothing but white space"] == 1
    assert found["lost", "a mention of it is lost"] == 1


def test_relation_of_a_mention_with_itself_is_lost():
    mentions = [Mention(0, 1, "X"), Mention(2, 3, "X"), Mention(0, 1, "X")]
    relations = [(0, 0, "r"), (0, 2, "r"), (0, 1, "r")]
    doc, report = make("a b", mentions, relations=relations)
    assert [str(relation) for relation in get_relations(doc)] == ["(a, r, b)"]
    assert outcomes(report)["lost", "of a mention with itself"] == 2


def test_no_relation_is_not_counted_as_a_label():
    mentions = [Mention(0, 1, "X"), Mention(2, 3, "X")]
    relations = [(0, 1, "no_relation"), (1, 0, "r")]
    doc, report = make("a b", mentions, relations=relations)
    report.add(doc)
    data = report.to_data()
    assert data["relations"] == {"r": 1}
    assert data["no_relation"] == 1


def test_pair_with_no_relation_and_a_label_contradicts_itself():
    mentions = [Mention(0, 1, "X"), Mention(2, 3, "X")]
    relations = [(0, 1, "no_relation"), (0, 1, "r")]
    _, report = make("a b", mentions, relations=relations)
    assert outcomes(report)["noted", "has both no_relation and a label"] == 1


def test_documents_that_are_not_completely_annotated():
    mentions = [Mention(0, 2, "X"), Mention(3, 4, "X")]
    doc, _ = make("aa b", mentions, complete=False, unknown=[(1, 0), (1, 0), (1, 1)])
    assert doc.user_data["complete"] is False
    assert doc.user_data["unknown_pairs"] == [[3, 4, 0, 2]]
    again = Doc(nlp.vocab).from_bytes(doc.to_bytes())
    assert again.user_data["unknown_pairs"] == [[3, 4, 0, 2]]


def test_complete_documents_have_no_mark():
    doc, _ = make("aa b", [])
    assert set(doc.user_data) == {"doc_id"}


def test_tokens_of_the_file():
    doc, _ = make("ab  c\nd", [Mention(1, 2, "X")], tokens=[(0, 2), (4, 5), (6, 7)])
    assert [token.text for token in doc] == ["a", "b", " ", "c", "\n", "d"]
    assert doc.text == "ab  c\nd"


@pytest.mark.parametrize("tokens", [[(0, 1)], [(1, 2), (0, 1)], [(0, 2), (1, 2)]])
def test_tokens_have_to_cover_the_text_in_order(tokens):
    with pytest.raises(ValueError, match="expected tokens in the order of the text"):
        make("ab", [], tokens=tokens)


def test_sentences_of_the_file_but_none_inside_a_mention():
    document = {"sentences": [0, 3, 6], "mentions": [Mention(3, 7, "X")]}
    doc, report = make("a. b. c d", **document)
    assert [sentence.text for sentence in doc.sents] == ["a.", "b. c d"]
    assert outcomes(report)["changed", "began inside a mention"] == 1
    assert ("noted", "sentences were found by rule") not in outcomes(report)


@pytest.mark.parametrize(
    "lang,text,n_sentences",
    [
        ("zh", "李明创立了蓝海公司。王芳出生于上海。", 2),
        ("hi", "राम ने दुकान खोली। सीता लेखक है।", 2),
        ("ar", "من أسس النور؟ سامي ولد هنا.", 2),
        ("hy", "Նա եկավ։ Նա գնաց։", 2),
        ("ur", "وہ آیا۔ وہ گیا۔", 2),
        ("am", "እሱ መጣ። እሱ ሄደ።", 2),
        ("en", "CONTACTS\n\nNora Vale, Leeds\r\n\r\nIan Roth, York\n", 3),
        ("en", "One line\nand the same sentence.", 1),
        ("en", "  \n\nOne. \n Two!", 2),
        ("en", " ", 1),
    ],
)
def test_sentences_of_any_language(lang, text, n_sentences):
    doc = make_doc(spacy.blank(lang), Document("1", text, []), SplitReport())
    assert len(list(doc.sents)) == n_sentences
    assert not any(s[0].is_space for s in list(doc.sents)[1:])


def test_full_stop_that_the_tokenizer_does_not_know():
    doc, report = make("李明创立了蓝海公司。王芳出生于上海。", [Mention(0, 2, "X")])
    assert [s.text for s in doc.sents] == ["李明创立了蓝海公司。", "王芳出生于上海。"]
    assert outcomes(report)["changed", "split at a full stop"] == 1
    assert "--lang" in str(report.to_data())


def test_sentences_by_rule_are_reported():
    assert outcomes(make("a", [])[1]) == {("noted", "sentences were found by rule"): 1}


def test_conversion_is_not_quadratic_in_the_length_of_a_text():
    def seconds(n):
        start = time.process_time()
        make("Nora left. " * n, [Mention(i * 11, i * 11 + 4, "X") for i in range(n)])
        return time.process_time() - start

    # The best of three each: others use the machine too.
    short, long = (min(seconds(n) for _ in range(3)) for n in (1_000, 16_000))
    # 16 where it is linear, 256 where it is quadratic.
    assert long < 64 * short


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
    set_sentences(doc, find_english_sentences(doc), ())
    expected = [sentence.strip() for sentence in sentences]
    assert [sentence.text.strip() for sentence in doc.sents] == expected
