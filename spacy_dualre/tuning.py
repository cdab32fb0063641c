"""Thresholds: how probable a predicate must be, chosen on a development set."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy
from spacy.training import Example

from .component import DualRelationExtractor
from .output.decoder import Threshold
from .output.probabilities import Scored
from .output.scorer import (
    concept_triples,
    gold_triples,
    index_concepts,
    index_predicted,
)

# The choice for one predicate depends on those for others, where a pair has one only.
MAX_ROUNDS = 5


class Judged(NamedTuple):
    """A relation that was found.

    label (str): Its predicate.
    score (float): Its probability, not rounded.
    is_right (bool): Whether it is in the gold annotation.
    """

    label: str
    score: float
    is_right: bool


class Point(NamedTuple):
    """What a threshold leads to.

    threshold (Optional[float]): The threshold. None: the setting that there was.
    precision (float): The share of what is found that is right; 1 where nothing is.
    recall (float): The share of the gold relations that is found.
    """

    threshold: float | None
    precision: float
    recall: float

    @property
    def f(self) -> float:
        """RETURNS (float): F1."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


class Tuning(NamedTuple):
    """What was chosen.

    threshold (Optional[Union[float, Dict[str, float]]]): The threshold, to be set as
        the component's.
    before (Point): What the component's own threshold leads to.
    after (Point): What the chosen one leads to.
    by_label (Dict[str, Tuple[Point, Point]]): The same for each predicate.
    """

    threshold: Threshold
    before: Point
    after: Point
    by_label: dict[str, tuple[Point, Point]]


class Judge:
    """Compares what a threshold leads to with the gold relations.

    component (DualRelationExtractor): The component. Its decoder decides, as it does
        in prediction.
    examples (Sequence[Example]): Examples with gold relations.
    scored (Sequence[Scored]): What `component.predict` returned for their predicted
        Docs.
    concepts (bool): Whether concepts are compared, as the decoder joins their mentions.

    n_gold (Counter): How many gold relations each predicate has.
    """

    def __init__(
        self,
        component: DualRelationExtractor,
        examples: Sequence[Example],
        scored: Sequence[Scored],
        *,
        concepts: bool = False,
    ) -> None:
        self.component, self.examples, self.scored = component, examples, scored
        self.concepts = concepts
        self.symmetric = [p.label for p in component.predicates if p.symmetric]
        key = component.relations_key
        settings = (key, self.symmetric, component.type_map)
        self.gold: list[set[Any]] = [
            {*concept_triples(example.reference, *settings)}
            if concepts
            else {*gold_triples(example, *settings)}
            for example in examples
        ]
        self.n_gold = Counter(triple[-1] for gold in self.gold for triple in gold)

    def judge(self, threshold: Threshold) -> list[Judged]:
        """RETURNS (List[Judged]): What a threshold lets be found."""
        judged = []
        component = self.component
        for example, scored, gold in zip(self.examples, self.scored, self.gold):
            relations = component.decoder(scored, threshold, component.multi_label)
            found: dict[Any, Any]
            if self.concepts:
                found = index_concepts(relations, self.symmetric, component.type_map)
            else:
                key, type_map = component.relations_key, component.type_map
                found = index_predicted(
                    example, relations, key, self.symmetric, type_map
                )
            judged += [
                Judged(relation.label, relation.score, triple in gold)
                for triple, relation in found.items()
            ]
        return judged

    def measure(self, judged: Iterable[Judged], label: str | None = None) -> Point:
        """RETURNS (Point): What `judge` returned, measured for one predicate or all."""
        found = [x for x in judged if label in (None, x.label)]
        n_right = sum(x.is_right for x in found)
        n_gold = self.n_gold.total() if label is None else self.n_gold[label]
        return _point(None, n_right, len(found), n_gold)


def precision_recall(judged: Iterable[Judged], n_gold: int) -> list[Point]:
    """Find what each threshold leads to.

    judged (Iterable[Judged]): All that can be found, with a threshold of 0.
    n_gold (int): How many gold relations there are.
    RETURNS (List[Point]): A point for each score, highest first. Its threshold lies
        between it and the next one, because the last digits of a score depend on what
        else is in its batch.
    """
    ranked = sorted(judged, key=lambda x: -x.score)
    groups = [
        (score, [x.is_right for x in group])
        for score, group in groupby(ranked, key=lambda x: x.score)
    ]
    points = []
    n_found = n_right = 0
    for i, (score, are_right) in enumerate(groups):
        n_found += len(are_right)
        n_right += sum(are_right)
        below = groups[i + 1][0] if i + 1 < len(groups) else 0.0
        threshold = _between(below, score)
        points.append(_point(threshold, n_right, n_found, n_gold))
    return points


def tune_threshold(
    component: DualRelationExtractor,
    examples: Sequence[Example],
    scored: Sequence[Scored],
    *,
    per_label: bool = False,
    precision: float | None = None,
    concepts: bool = False,
) -> Tuning:
    """Choose the threshold of a component. Nothing is predicted for it, and the
    component stays as it is.

    component (DualRelationExtractor): The trained component.
    examples (Sequence[Example]): Examples with gold relations, of a development set.
    scored (Sequence[Scored]): What `component.predict` returned for their predicted
        Docs.
    per_label (bool): Choose a threshold for each predicate, by its own relations.
        Predicates that gain nothing by one have none, as those without gold relations.
    precision (Optional[float]): The precision that is wanted: of the thresholds that
        reach it the one with the most recall is chosen, or if none does the one with
        the highest precision. None: the one with the highest F1.
    concepts (bool): Whether concepts are compared instead of mentions.
    RETURNS (Tuning): What was chosen: the component's own threshold if none is better.
    RAISES (ValueError): If there are no gold relations, or nothing to be found.
    """
    judge = Judge(component, examples, scored, concepts=concepts)
    everything = judge.judge(0.0)
    if not judge.n_gold or not everything:
        missing = "gold relations" if not judge.n_gold else "candidate pairs"
        raise ValueError(
            f"No threshold can be chosen for '{component.name}', because the data has "
            f"no {missing}."
        )
    judged_before = judge.judge(component.threshold)
    before = judge.measure(judged_before)
    threshold: Threshold
    if per_label:
        threshold = _tune_labels(judge, precision)
    else:
        points = precision_recall(everything, judge.n_gold.total())
        threshold = choose_point(points, precision).threshold
    judged_after = judge.judge(threshold)
    after = judge.measure(judged_after)
    if choose_point([before, after], precision) is before:
        threshold, after, judged_after = component.threshold, before, judged_before
    labels = [label for label in component.labels if judge.n_gold[label]]
    by_label = {
        label: (
            judge.measure(judged_before, label),
            judge.measure(judged_after, label),
        )
        for label in labels
    }
    return Tuning(threshold, before, after, by_label)


def choose_point(points: Iterable[Point], precision: float | None) -> Point:
    """Choose among thresholds.

    points (Iterable[Point]): What they lead to.
    precision (Optional[float]): The precision that is wanted, as in `tune_threshold`.
    RETURNS (Point): The best one, of equals the first.
    """

    def merit(point: Point) -> tuple[float, ...]:
        if precision is None:
            return (point.f,)
        if point.precision >= precision:
            return (1, point.recall, point.precision)
        return (0, point.precision, point.recall)

    return max(points, key=merit)


def _tune_labels(judge: Judge, precision: float | None) -> dict[str, float]:
    chosen: dict[str, float] = {}
    labels = [label for label in judge.component.labels if judge.n_gold[label]]
    for _ in range(MAX_ROUNDS):
        before = dict(chosen)
        for label in labels:
            others = {k: v for k, v in chosen.items() if k != label}
            found = [x for x in judge.judge({**others, label: 0.0}) if x.label == label]
            points = precision_recall(found, judge.n_gold[label])
            without = judge.measure(judge.judge(others), label)
            best = choose_point([without, *points], precision)
            chosen = others
            if best.threshold is not None:
                chosen[label] = best.threshold
        if chosen == before:
            break
    return chosen


def _point(threshold: float | None, n_right: int, n_found: int, n_gold: int) -> Point:
    precision = n_right / n_found if n_found else 1.0
    return Point(threshold, precision, n_right / n_gold if n_gold else 0.0)


def _between(low: float, high: float) -> float:
    """A number between two scores, or the higher where float32 has none."""
    middle = float(numpy.float32((low + high) / 2))
    return middle if low < middle else high
