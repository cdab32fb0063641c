"""Random Docs go through prediction, training and scoring."""

import math
import warnings
from typing import NamedTuple

import pytest
import spacy
from hypothesis import strategies as st
from odd_docs import docs
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import filter_spans
from thinc.api import Adam
from tiny_corpus import PREDICATES

from spacy_dualre import get_relations
from spacy_dualre.model.shim import get_shim
from spacy_dualre.pairs.candidates import build_candidate_pairs

NAME = "dual_relation_extractor"


class Case(NamedTuple):
    """Some Docs, gold relations (Doc, subject, object, label), and settings."""

    docs: list[Doc]
    relations: list[tuple[int, int, int, str]]
    spans_key: str | None
    overwrite: bool
    multi_label: bool
    threshold: float | None
    max_sentences: int | None


CASES = st.builds(
    Case,
    docs=st.lists(docs(), min_size=1, max_size=4),
    relations=st.lists(
        st.tuples(
            *[st.integers(0, 9)] * 3, st.sampled_from([*PREDICATES, "no_relation"])
        ),
        max_size=6,
    ),
    spans_key=st.sampled_from(["entities", None]),
    overwrite=st.booleans(),
    multi_label=st.booleans(),
    threshold=st.sampled_from([None, 0.0, 0.0, 0.1]),
    max_sentences=st.sampled_from([None, 1]),
)


@pytest.mark.campaign
def test_random_docs(trials, trained_path):
    nlp = spacy.load(trained_path)
    component = nlp.get_pipe(NAME)
    module = get_shim(component.model).module
    weights = {name: value.clone() for name, value in module.state_dict().items()}

    def copy(doc, spans_key):
        doc = Doc(nlp.vocab).from_bytes(doc.to_bytes())
        if spans_key is None:
            doc.ents = filter_spans(doc.spans["entities"])
        return doc

    def check(case):
        for name in ("spans_key", "overwrite", "multi_label", "threshold"):
            setattr(component, name, getattr(case, name))
        component.find_pairs = build_candidate_pairs(max_sentences=case.max_sentences)
        module.load_state_dict(weights)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            n_found = predict(case)
            learn(case)
        return "Docs with relations" if n_found else "Docs without relations"

    def predict(case):
        together = list(nlp.pipe(copy(doc, case.spans_key) for doc in case.docs))
        alone = [nlp(copy(doc, case.spans_key)) for doc in case.docs]
        for doc, same in zip(together, alone, strict=True):
            scores = {r.fact: r.score for r in get_relations(same)}
            assert {r.fact: r.score for r in get_relations(doc)} == pytest.approx(
                scores, abs=2e-4
            )
            stored = Doc(spacy.vocab.Vocab()).from_bytes(doc.to_bytes())
            facts = [relation.fact for relation in get_relations(doc)]
            assert [relation.fact for relation in get_relations(stored)] == facts
            signatures = {p.label: p for p in component.predicates}
            for relation in get_relations(doc):
                types = relation.subject.label_, relation.object.label_
                assert signatures[relation.label].admits(*types)
                assert 0 <= relation.score <= 1
        return sum(len(get_relations(doc)) for doc in together)

    def learn(case):
        golds = [copy(doc, case.spans_key) for doc in case.docs]
        for i, doc in enumerate(golds):
            spans = doc.spans["entities"] if case.spans_key else doc.ents
            doc._.relations = [
                (spans[s % len(spans)], spans[o % len(spans)], label)
                for d, s, o, label in case.relations
                if d % len(golds) == i
            ]
        examples = [
            Example(Doc(nlp.vocab, words=[token.text for token in gold]), gold)
            for gold in golds
        ]
        losses = nlp.update(examples, sgd=Adam(0.001))
        assert math.isfinite(losses[NAME])
        for name, score in nlp.evaluate(examples).items():
            if name.startswith("rel_") and isinstance(score, float):
                assert 0 <= score <= 1

    trials.run(CASES, check)
