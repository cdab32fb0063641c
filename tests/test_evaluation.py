"""Evaluation: where a pipeline errs, and the page that shows it."""

import re
import time
from html import unescape

import numpy
import pytest
import spacy
from browser import Browser, find_browser
from spacy.tokens import Doc, Span
from spacy.training import Example
from test_render import HOSTILE
from tiny_corpus import PREDICATES, make_docs, make_examples, write_corpus
from typer.testing import CliRunner

from spacy_dualre.cli import app
from spacy_dualre.evaluation import (
    Counts,
    Evaluation,
    candidate_recall,
    count_all,
    count_cases,
    count_confusions,
    count_labels,
    distance_of,
    evaluate,
    find_cases,
    is_across,
    predict_examples,
)
from spacy_dualre.output.decoder import build_decoder
from spacy_dualre.output.evaluation_page import render_evaluation
from spacy_dualre.output.probabilities import Scored
from spacy_dualre.output.scorer import score_relations
from spacy_dualre.relations import set_relations
from spacy_dualre.tuning import Point

NAME = "dual_relation_extractor"
WORDS = ["Ada", "met", "Bo", "in", "Rome", ".", "Cy", "was", "born", "in", "Oslo", "."]
TYPES = {"Ada": "PER", "Bo": "PER", "Cy": "PER", "Rome": "LOC", "Oslo": "LOC"}


@pytest.fixture(scope="module")
def nlp():
    """A pipeline that predicts nothing itself."""
    nlp = spacy.blank("en")
    nlp.add_pipe(NAME, config={"predicates": PREDICATES})
    return nlp


@pytest.fixture
def component(nlp):
    component = nlp.get_pipe(NAME)
    before = component.decoder
    yield component
    component.decoder = before


def make_doc(vocab, *triples, ids=None, **other_types):
    """A Doc of two sentences with relations such as "Ada knows Bo"."""
    starts = [i in (0, 6) for i in range(len(WORDS))]
    doc = Doc(vocab, words=WORDS, sent_starts=starts)
    types = {**TYPES, **other_types}
    spans = {
        word: Span(doc, i, i + 1, types[word], kb_id=(ids or {}).get(word, ""))
        for i, word in enumerate(WORDS)
        if word in types
    }
    doc.ents = list(spans.values())
    set_relations(
        doc,
        [(spans[s], spans[o], label, 0.75) for s, label, o in map(str.split, triples)],
    )
    return doc


def cases_of(component, predicted, gold, **settings):
    found = component.find_candidates(predicted)
    n = len(found.pairs)
    probabilities = numpy.tile(numpy.float32([0.7, 0.1, 0.15, 0.05]), (n, 1))
    example = Example(predicted, gold)
    scored = Scored(found, probabilities * found.allowed)
    return find_cases(component, 0, example, scored, **settings)


def kinds_of(component, found, true, **other_types):
    predicted = make_doc(component.vocab, *found, **other_types)
    cases = cases_of(component, predicted, make_doc(component.vocab, *true))
    return [(case.kind, case.gold, case.found) for case in cases]


# --- the data


@pytest.mark.parametrize(
    "found, true, kinds",
    [
        (["Ada born_in Rome"], ["Ada born_in Rome"], [("right", "born_in", "born_in")]),
        ([], ["Ada born_in Rome"], [("missed", "born_in", None)]),
        (["Ada born_in Rome"], [], [("spurious", None, "born_in")]),
        (
            ["Ada works_in Rome"],
            ["Ada born_in Rome"],
            [("wrong label", "born_in", "works_in")],
        ),
        (
            ["Rome works_in Ada"],
            ["Ada works_in Rome"],
            [("wrong direction", "works_in", "works_in")],
        ),
        # It holds both ways round.
        (["Bo knows Ada"], ["Ada knows Bo"], [("right", "knows", "knows")]),
        (
            ["Ada born_in Rome"],
            ["Bo born_in Rome"],
            [("spurious", None, "born_in"), ("missed", "born_in", None)],
        ),
    ],
)
def test_every_relation_is_right_or_has_a_kind_of_error(component, found, true, kinds):
    assert kinds_of(component, found, true) == kinds


def test_an_entity_of_another_type(component):
    born = ["Ada born_in Rome"]
    kinds = kinds_of(component, born, born, Rome="ORG")
    assert kinds == [("wrong entity type", "born_in", "born_in")]


@pytest.mark.parametrize(
    "triple, rule, said",
    [
        ("Ada born_in Rome", None, "born_in 0.10, no_relation 0.70"),
        ("Bo knows Ada", None, "knows 0.05"),
        ("Ada born_in Oslo", "sentences", "max_sentences"),
        ("Rome born_in Ada", None, "not scored"),
        ("Ada likes Rome", "label", "no predicate likes"),
    ],
)
def test_a_missed_relation_has_a_reason(component, triple, rule, said):
    vocab = component.vocab
    if triple.startswith("Rome"):  # another predicate admits the types
        assert component.find_candidates(make_doc(vocab)).rows()
    (case,) = cases_of(component, make_doc(vocab), make_doc(vocab, triple))
    assert case.rule == rule
    assert said in case.reason


def test_counts(component):
    vocab = component.vocab
    gold = make_doc(vocab, "Ada born_in Rome", "Ada knows Bo", "Ada born_in Oslo")
    predicted = make_doc(vocab, "Ada works_in Rome", "Ada knows Bo", "Cy born_in Oslo")
    cases = cases_of(component, predicted, gold)
    assert count_all(cases) == (3, 3, 1)
    assert count_all(cases).prf == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert count_labels(cases) == {
        "born_in": (2, 1, 0),
        "knows": (1, 1, 1),
        "works_in": (0, 1, 0),
    }
    assert count_cases(cases, is_across) == {False: (2, 3, 1), True: (1, 0, 0)}
    assert count_cases(cases, distance_of) == {0: (2, 2, 1), 5: (1, 0, 0)} | {
        0: count_cases(cases, distance_of)[0]
    }
    assert count_confusions(cases) == {
        ("born_in", "works_in"): 1,
        ("knows", "knows"): 1,
        ("born_in", None): 1,
        (None, "born_in"): 1,
    }
    recall, rules = candidate_recall(cases)
    assert recall == pytest.approx(2 / 3)
    assert rules == {"sentences": 1}
    assert Counts().prf == (None, None, None)
    scores = score_relations([Example(predicted, gold)], symmetric=["knows"])
    own = count_all(cases).prf
    assert own == pytest.approx([scores[f"rel_micro_{part}"] for part in "prf"])


def test_concepts_are_compared_where_their_mentions_are_joined(component):
    ids = {"Ada": "Q1", "Bo": "Q1", "Rome": "Q2", "Cy": "Q3"}
    component.decoder = build_decoder(concepts="max")
    predicted = make_doc(component.vocab, "Ada born_in Rome", ids=ids)
    gold = make_doc(component.vocab, "Bo born_in Rome", "Cy born_in Rome", ids=ids)
    right, missed = cases_of(component, predicted, gold, concepts=True)
    # The mention that is nearest stands for it.
    assert (right.kind, right.subject.text) == ("right", "Bo")
    assert (missed.kind, missed.rule) == ("missed", "sentences")
    # As some corpora have them, with a concept that no mention has.
    gold.user_data["concept_relations"] = [["Q9", "Q2", "born_in", "PER", "LOC"]]
    kinds = [c.kind for c in cases_of(component, predicted, gold, concepts=True)]
    assert sorted(kinds) == ["missed", "spurious"]


def test_scores_are_those_of_spacy(trained):
    evaluation = evaluate(trained, NAME, make_examples(trained))
    scores = trained.evaluate(make_examples(trained))
    for name in ("rel_micro_f", "rel_candidate_recall", "rel_per_type"):
        assert evaluation.scores[name] == scores[name]
    assert evaluation.points[-1].recall == 1
    assert {case.kind for case in evaluation.cases} == {"right"}


def test_the_speed_is_that_of_scoring_pairs(trained, monkeypatch):
    """Where the gold entities are given, they are there before the time is taken."""
    component = trained.get_pipe(NAME)
    predict = component.predict
    n_pairs = []

    def predict_slowly(docs):
        time.sleep(0.05)
        scored = predict(docs)
        n_pairs.append(sum(len(own.candidates.pairs) for own in scored))
        return scored

    monkeypatch.setattr(component, "predict", predict_slowly)
    evaluation = evaluate(trained, NAME, make_examples(trained))
    (n,) = n_pairs
    assert n > 0
    n_words = sum(len(doc) for doc in make_docs(trained.vocab))
    assert evaluation.scores["speed"] < n_words / 0.05


def test_entities_of_the_pipeline_are_used(trained):
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PER", "pattern": "Anna"}])
    nlp.add_pipe(NAME, source=trained)
    examples = predict_examples(nlp, NAME, make_examples(nlp)).examples
    assert [e.text for eg in examples for e in eg.predicted.ents] == ["Anna", "Anna"]


# --- the page


@pytest.fixture(scope="module")
def evaluations(nlp):
    """Two of the same data, which err in other ways."""
    component = nlp.get_pipe(NAME)
    vocab = nlp.vocab
    gold = make_doc(vocab, "Ada born_in Rome", "Ada knows Bo", "Ada born_in Oslo")
    gold.user_data["doc_id"] = "one"
    made = []
    for found in (
        ["Ada works_in Rome", "Ada knows Bo"],
        ["Ada born_in Rome", "Bo born_in Rome"],
    ):
        example = Example(make_doc(vocab, *found), gold)
        cases = cases_of(component, example.predicted, gold)
        scores = {**score_relations([example]), "speed": 100.0}
        points = [Point(0.9, 1.0, 0.25), Point(0.5, 0.8, 0.5), Point(0.1, 0.2, 0.75)]
        made.append(Evaluation(scores, component.labels, False, cases, points))
    return [("model one", made[0]), ("model two", made[1])]


def test_a_page_has_scores_and_errors(evaluations):
    page = render_evaluation(evaluations[:1], "Wie gut?")
    assert page.isascii()
    assert page == render_evaluation(evaluations[:1], "Wie gut?")
    text = unescape(re.sub("<[^>]*>", " ", page))
    for part in ("wrong label works_in 0.75", "missed", "max_sentences (1)", "66.7 %"):
        assert part in re.sub(" +", " ", text)
    assert page.count("<li data-kinds") == 2
    assert "default-src 'none'" in page
    assert not re.findall(r"<(?:link|img|iframe)|\bsrc=|@import|url\(", page)


def test_nothing_is_taken_for_html(nlp):
    def page_of(text):
        doc = nlp.make_doc(f"{text} and {text}")
        doc.user_data["doc_id"] = text
        doc.ents = [Span(doc, 0, 1, label=text), Span(doc, 1, len(doc), label="B")]
        bare = doc.copy()
        set_relations(doc, [(*doc.ents, text)])
        component = nlp.get_pipe(NAME)
        cases = cases_of(component, bare, doc)
        scores = {"speed": 1.0}
        evaluation = Evaluation(scores, component.labels, False, cases, [])
        return render_evaluation([(text, evaluation)], text)

    tags = r"<[!/a-z]"
    expected = len(re.findall(tags, page_of("word")))
    for text in HOSTILE:
        page = page_of(text)
        assert len(re.findall(tags, page)) == expected
        assert text in unescape(page)


@pytest.mark.browser
@pytest.mark.skipif(not find_browser(), reason="there is no Chromium")
def test_the_page_in_a_browser(evaluations, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(render_evaluation(evaluations), "ascii")
    browser = Browser(tmp_path / "profile")
    try:
        for width in (1200, 400):
            browser.open(path, width)
            assert browser.run("document.documentElement.scrollWidth") == width
        shown = "[...document.querySelectorAll('.errors li:not([hidden])')].length"
        assert browser.run(shown) == 4
        choose = (
            "(document.querySelector('[data-filter=%s]').value = '%s', document"
            ".querySelector('[data-filter=%s]').dispatchEvent(new Event('change')))"
        )
        for name, value, n in (
            ("models", "B", 2),
            ("kinds", "spurious", 1),
            ("kinds", "", 2),
            ("models", "AB", 1),
            ("models", "", 4),
            ("labels", "knows", 1),
        ):
            browser.run(choose % (name, value, name))
            assert browser.run(shown) == n
            count = browser.run("document.querySelector('.count').textContent")
            assert count == str(n)
        assert not [e for e in browser.events if e["method"].endswith("Thrown")]
    finally:
        browser.close()


# --- the command


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_command_compares_two_pipelines(trained_path, tmp_path):
    gold = write_corpus(tmp_path / "gold.spacy", make_docs(spacy.blank("en").vocab))
    page = tmp_path / "deep" / "page.html"
    other = tmp_path / "other"
    nlp = spacy.load(trained_path)
    nlp.get_pipe(NAME).threshold = 1.0
    nlp.to_disk(other)
    result = run("evaluate", trained_path, gold, "--compare", other, "--html", page)
    assert result.exit_code == 0, result.output
    assert re.search(r"^micro +100.00 +100.00 +100.00$", result.output, re.MULTILINE)
    assert re.search(r"^micro +0.00 +0.00 +0.00$", result.output, re.MULTILINE)
    text = page.read_text("ascii")
    assert str(other) in text and str(trained_path) in text
    assert text.count("<li data-kinds") == 5
