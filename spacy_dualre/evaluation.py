"""Evaluation: what a pipeline finds of the gold relations, and where it errs."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import product
from time import perf_counter
from typing import Any, NamedTuple

from spacy.language import Language
from spacy.scorer import Scorer
from spacy.tokens import Span
from spacy.training import Example
from spacy.util import minibatch

from .alignment import align_to_predicted
from .component import DualRelationExtractor
from .output.probabilities import Scored
from .output.scorer import (
    concept_triples,
    index_concepts,
    index_predicted,
    index_triples,
)
from .pairs.candidates import (
    concepts_of,
    get_entities,
    sentence_ids,
    tokens_between,
)
from .pairs.dropped import find_entity, why_dropped
from .pipelines import get_extractor
from .relations import Relation, get_relations
from .training.gold import complete, gold_relations
from .tuning import Judge, Point, precision_recall

BATCH_SIZE = 64
KINDS = (
    "right",
    "missed",
    "spurious",
    "wrong label",
    "wrong direction",
    "wrong entity type",
)
# Tokens between the two spans: the first of each group.
DISTANCES = (0, 5, 10, 20, 40)


class Predictions(NamedTuple):
    """What a pipeline finds in examples.

    examples (List[Example]): The examples. Their predicted Docs have all that the
        pipeline sets.
    scored (List[Scored]): For each the candidates and their probabilities.
    words_per_second (float): How fast that was, on gold tokens.
    """

    examples: list[Example]
    scored: list[Scored]
    words_per_second: float


class Case(NamedTuple):
    """A relation that is in the gold annotation, that was found, or both.

    doc (int): The number of its Doc.
    doc_id (Optional[str]): The id of its Doc.
    subject (Span): The subject, in the gold Doc if the relation is gold. Of concepts
        the mentions that are nearest together stand for them.
    object (Span): The object.
    ends (Tuple[Hashable, Hashable]): What both are compared by, without entity types.
    gold (Optional[str]): The predicate in the gold annotation.
    found (Optional[str]): The predicate that was found.
    score (Optional[float]): Its probability.
    kind (str): One of `KINDS`.
    reason (Optional[str]): Why a missed relation was: why its pair is no candidate, or
        how it was scored.
    rule (Optional[str]): The rule by which its pair is no candidate, as in `Dropped`.
    """

    doc: int
    doc_id: str | None
    subject: Span
    object: Span
    ends: tuple[Hashable, Hashable]
    gold: str | None
    found: str | None
    score: float | None
    kind: str
    reason: str | None = None
    rule: str | None = None


class Counts(NamedTuple):
    """How many relations are in the gold annotation, were found, and are both."""

    gold: int = 0
    found: int = 0
    right: int = 0

    @property
    def prf(self) -> tuple[float | None, float | None, float | None]:
        """RETURNS (Tuple[Optional[float], Optional[float], Optional[float]]):
        Precision, recall and F1; None where there is nothing to divide by.
        """
        p = self.right / self.found if self.found else None
        r = self.right / self.gold if self.gold else None
        both = self.gold + self.found
        return p, r, 2 * self.right / both if both else None


class Evaluation(NamedTuple):
    """How well a pipeline finds relations.

    scores (Dict[str, Any]): The scores of all its components, as of `nlp.evaluate`;
        "speed" is `Predictions.words_per_second`.
    labels (Tuple[str, ...]): The predicates.
    are_concepts (bool): Whether cases and points are of concepts, whose mentions the
        component joins, and not of mentions.
    cases (List[Case]): All relations, gold or found.
    points (List[Point]): Precision and recall with every threshold, highest first.
    """

    scores: dict[str, Any]
    labels: tuple[str, ...]
    are_concepts: bool
    cases: list[Case]
    points: list[Point]


def predict_examples(
    nlp: Language, component: str, examples: Iterable[Example]
) -> Predictions:
    """Let a pipeline find the relations of examples, and keep their probabilities.

    nlp (Language): The pipeline.
    component (str): The name of its relation extractor. With `use_gold_ents` it is
        given the gold entities where no component before it sets any.
    examples (Iterable[Example]): The examples. Their predicted Docs are changed.
    RETURNS (Predictions): What was found.
    RAISES (ValueError): If the pipeline has no such relation extractor.
    """
    extractor = get_extractor(nlp, component)
    at = nlp.pipe_names.index(component)
    ready: list[Example] = []
    scored: list[Scored] = []
    n_words, seconds = 0, 0.0
    for batch in minibatch(examples, BATCH_SIZE):
        start = perf_counter()
        _pipe(nlp, nlp.pipe_names[:at], batch)
        if extractor.use_gold_ents:
            batch = [complete(example, extractor.spans_key) for example in batch]
        docs = [example.predicted for example in batch]
        found = extractor.predict(docs)
        extractor.set_annotations(docs, found)
        _pipe(nlp, nlp.pipe_names[at + 1 :], batch)
        seconds += perf_counter() - start
        n_words += sum(map(len, docs))
        ready += batch
        scored += found
    return Predictions(ready, scored, n_words / seconds if seconds else 0.0)


def evaluate(nlp: Language, component: str, examples: Iterable[Example]) -> Evaluation:
    """Evaluate a pipeline.

    nlp (Language): The pipeline.
    component (str): The name of its relation extractor.
    examples (Iterable[Example]): Examples with gold relations. Their predicted Docs are
        changed.
    RETURNS (Evaluation): The evaluation.
    """
    examples, scored, speed = predict_examples(nlp, component, examples)
    extractor = get_extractor(nlp, component)
    scores = {**Scorer(nlp=nlp).score(examples), "speed": speed}
    are_concepts = joins_concepts(extractor)
    judge = Judge(extractor, examples, scored, concepts=are_concepts)
    cases = [
        case
        for i, (example, own) in enumerate(zip(examples, scored))
        for case in find_cases(extractor, i, example, own, concepts=are_concepts)
    ]
    return Evaluation(
        scores,
        extractor.labels,
        are_concepts,
        cases,
        precision_recall(judge.judge(0.0), judge.n_gold.total()),
    )


def joins_concepts(component: DualRelationExtractor) -> bool:
    """RETURNS (bool): Whether a component finds one relation for all the mention pairs
    of two concepts.
    """
    return getattr(component.decoder, "concepts", None) is not None


def find_cases(
    component: DualRelationExtractor,
    number: int,
    example: Example,
    scored: Scored,
    *,
    concepts: bool = False,
) -> list[Case]:
    """Compare the relations that were found in an example with the gold ones.

    component (DualRelationExtractor): The component that found them.
    number (int): The number of the example.
    example (Example): The example.
    scored (Scored): Its candidates and their probabilities.
    concepts (bool): Whether concepts are compared instead of mentions.
    RETURNS (List[Case]): The relations, in the order of the text.
    """
    key, type_map = component.relations_key, component.type_map
    symmetric = [p.label for p in component.predicates if p.symmetric]
    relations = get_relations(example.predicted, key)
    gold: dict[Any, tuple[Span, Span]]
    found: dict[Any, Relation]
    if concepts:
        gold = _gold_concepts(component, example, symmetric)
        found = {**index_concepts(relations, symmetric, type_map)}
    else:
        own = index_triples(gold_relations(example, key), symmetric, type_map)
        gold = {triple: relation[:2] for triple, relation in own.items()}
        found = {**index_predicted(example, relations, key, symmetric, type_map)}

    def ends(triple: Any) -> tuple[Hashable, Hashable]:
        """Of mentions their tokens, of concepts their ids."""
        subject, object_, _ = triple
        return (subject[1], object_[1]) if concepts else (subject[:2], object_[:2])

    def make_case(triple: Any, other: Any, kind: str) -> Case:
        """A case of a gold triple, of one that was found, or of both."""
        relation = None if other is None else found[other]
        pair = relation[:2] if triple is None and relation else gold[triple]
        return Case(
            number,
            example.reference.user_data.get("doc_id"),
            *pair,
            ends=ends(triple or other),
            gold=triple and triple[2],
            found=other and other[2],
            score=relation and relation.score,
            kind=kind,
        )

    cases = [make_case(x, x, "right") for x in gold.keys() & found.keys()]
    left = sorted(gold.keys() - found.keys())
    others = sorted(found.keys() - gold.keys())
    for kind, key_of_gold, key_of_found in (
        ("wrong entity type", lambda x: (ends(x), x[2]), lambda x: (ends(x), x[2])),
        ("wrong direction", lambda x: (ends(x), x[2]), lambda x: (ends(x)[::-1], x[2])),
        ("wrong label", ends, ends),
    ):
        at = {key_of_found(triple): triple for triple in others}
        for triple in list(left):
            other = at.pop(key_of_gold(triple), None)
            if other is not None:
                left.remove(triple)
                others.remove(other)
                cases.append(make_case(triple, other, kind))
    align = align_to_predicted(example)
    for triple in left:
        case = make_case(triple, None, "missed")
        pair = align(case.subject), align(case.object)
        rule, reason = _why_missed(component, scored, *pair, triple[2])
        cases.append(case._replace(rule=rule, reason=reason))
    cases += [make_case(None, triple, "spurious") for triple in others]
    return sorted(cases, key=_position)


def count_cases(
    cases: Iterable[Case], group: Callable[[Case], Hashable]
) -> dict[Any, Counts]:
    """Count cases in groups.

    cases (Iterable[Case]): The cases.
    group (Callable[[Case], Hashable]): The group of a case.
    RETURNS (Dict[Hashable, Counts]): How many of each group are gold, found and right.
    """
    counts: dict[Any, Counts] = defaultdict(Counts)
    for case in cases:
        gold, found, right = counts[group(case)]
        gold += case.gold is not None
        found += case.found is not None
        counts[group(case)] = Counts(gold, found, right + (case.kind == "right"))
    return dict(counts)


def count_all(cases: Iterable[Case]) -> Counts:
    """RETURNS (Counts): How many cases are gold, found and right."""
    return count_cases(cases, lambda case: None).get(None, Counts())


def count_labels(cases: Iterable[Case]) -> dict[str, Counts]:
    """Count cases by predicate.

    cases (Iterable[Case]): The cases.
    RETURNS (Dict[str, Counts]): How often each predicate is gold, found and right.
    """
    counts: dict[str, Counts] = defaultdict(Counts)
    for case in cases:
        if case.gold is not None:
            own = counts[case.gold]
            right = own.right + (case.kind == "right")
            counts[case.gold] = Counts(own.gold + 1, own.found, right)
        if case.found is not None:
            own = counts[case.found]
            counts[case.found] = own._replace(found=own.found + 1)
    return dict(sorted(counts.items()))


def count_confusions(cases: Iterable[Case]) -> Counter:
    """RETURNS (Counter): How often a pair has one predicate in the gold annotation and
    was found to have another, or None. In the wrong direction it was not found.
    """
    confusions: Counter = Counter()
    for case in cases:
        if case.kind == "wrong direction":
            confusions[case.gold, None] += 1
            confusions[None, case.found] += 1
        else:
            confusions[case.gold, case.found] += 1
    return confusions


def candidate_recall(cases: Iterable[Case]) -> tuple[float | None, Counter]:
    """How many gold relations can be found at all.

    cases (Iterable[Case]): The cases of an evaluation.
    RETURNS (Tuple[Optional[float], Counter]): The share of gold relations whose pair is
        a candidate, None if there are none, and how many are not, by rule.
    """
    rules = Counter(case.rule for case in cases if case.rule is not None)
    n_gold = sum(case.gold is not None for case in cases)
    return (1 - rules.total() / n_gold if n_gold else None), rules


def distance_of(case: Case) -> int:
    """RETURNS (int): The group of `DISTANCES` that a case is in."""
    between = max(tokens_between(case.subject, case.object), 0)
    return max(first for first in DISTANCES if first <= between)


def is_across(case: Case) -> bool:
    """RETURNS (bool): Whether a relation is one across sentences."""
    sentences = sentence_ids(case.subject.doc)
    touched = {
        int(sentences[i])
        for span in (case.subject, case.object)
        for i in (span.start, span.end - 1)
    }
    return len(touched) > 1


def _pipe(nlp: Language, names: Sequence[str], examples: Sequence[Example]) -> None:
    if names:
        with nlp.select_pipes(enable=list(names)):
            docs = nlp.pipe([example.predicted for example in examples])
            for example, doc in zip(examples, docs):
                example.predicted = doc


def _gold_concepts(
    component: DualRelationExtractor, example: Example, symmetric: Sequence[str]
) -> dict[Any, tuple[Span, Span]]:
    """The gold triples of concepts, each with the two mentions that are nearest
    together. One without mentions, which nothing can find, stands at the beginning."""
    doc, type_map = example.reference, component.type_map
    mentions: dict[Any, list[Span]] = defaultdict(list)
    for entity in get_entities(doc, component.spans_key):
        for concept in concepts_of(entity, type_map):
            mentions[concept].append(entity)
    found = {}
    for triple in concept_triples(doc, component.relations_key, symmetric, type_map):
        subjects, objects = (mentions[end] or [doc[:1]] for end in triple[:2])
        pairs = product(subjects, objects)
        found[triple] = min(pairs, key=lambda pair: tokens_between(*pair))
    return found


def _why_missed(
    component: DualRelationExtractor,
    scored: Scored,
    subject: Span | None,
    object_: Span | None,
    label: str,
) -> tuple[str | None, str]:
    """Why a gold relation was not found: the rule, if its pair is no candidate, and a
    sentence."""
    found, probabilities = scored
    if label not in component.labels:
        return "label", f"The component has no predicate {label}."
    if subject is None or object_ is None:
        return "alignment", "A mention is no sequence of the pipeline's tokens."
    index = component.labels.index(label) + 1
    if component.predicates[index].symmetric and subject.start > object_.start:
        subject, object_ = object_, subject
    rule = (component.find_pairs, component.spans_key)
    dropped = why_dropped(found, *rule, subject, object_)
    if dropped is not None:
        return dropped
    s, o = (find_entity(found.entities, span) for span in (subject, object_))
    row = probabilities[found.rows()[s, o]]
    if not row[index]:
        return None, f"{label} was not scored (its signature, or pruned)."
    best = int(row.argmax())
    predicate = found.predicates[best].label
    return None, f"{label} {row[index]:.2f}, {predicate} {row[best]:.2f}"


def _position(case: Case) -> tuple:
    ends = (case.subject.start_char, case.object.start_char)
    return (*ends, case.gold or "", case.found or "")
