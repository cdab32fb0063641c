"""The report on annotated data: what there is to learn from, and what is lost."""

import logging
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy
from spacy.training import Example

from ..output.scorer import ConceptTriple, concept_triples, order_concepts
from ..pairs.candidates import Candidates, concepts_of
from ..predicates import Predicate
from .gold import Gold, find_gold, gold_relations

logger = logging.getLogger("spacy")


class DataReport:
    """What some examples have to learn from, or to be scored on.

    relations (int): The gold relations, a symmetric one once, whichever way round.
    labels (Counter): The gold relations as they are listed, by label.
    pairs (List[int]): The candidate pairs of each Doc.
    positive (int): Candidate pairs with a relation.
    further (int): Gold relations between pairs that have another one already.
    lost (Counter): Gold relations that no candidate stands for, by reason.
    dropped (Counter): Ordered pairs that are no candidates, by reason.
    violations (Counter): Gold relations that the signature of their predicate does not
        admit, as "label (subject type -> object type)".
    concepts (int): Gold relations between concepts, in each Doc once.
    concepts_found (int): Those of which a pair of mentions is a candidate.
    """

    def __init__(self) -> None:
        self.relations = 0
        self.labels: Counter[str] = Counter()
        self.pairs: list[int] = []
        self.positive = 0
        self.further = 0
        self.lost: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.violations: Counter[str] = Counter()
        self.concepts = self.concepts_found = 0

    def add(self, example: Example, found: Candidates, relations_key: str) -> None:
        """Add an example.

        example (Example): The example.
        found (Candidates): The candidates of its predicted Doc.
        relations_key (str): Where the gold relations are.
        """
        gold = find_gold(example, found, relations_key)
        relations = gold_relations(example, relations_key)
        self.relations += gold.total
        self.labels.update(relation.label for relation in relations)
        self.pairs.append(len(found.pairs))
        self.positive += int((gold.labels > 0).sum())
        self.further += gold.further
        self.lost.update(gold.lost)
        self.dropped.update(found.dropped)
        if gold.lost.get("signature"):
            self.violations.update(_violations(example, found, relations_key))
        symmetric = [p.label for p in found.predicates if p.symmetric]
        concepts = concept_triples(
            example.reference, relations_key, symmetric, found.type_map
        )
        self.concepts += len(concepts)
        self.concepts_found += len(concepts & _concepts_of(found, gold, symmetric))

    @property
    def candidate_recall(self) -> float:
        """RETURNS (float): The share of gold relations whose pair is a candidate."""
        if not self.relations:
            return 1.0
        return 1.0 - self.lost.total() / self.relations


def check_types(predicates: Sequence[Predicate], types: Sequence[str]) -> None:
    """Warn of signatures that name entity types which the data does not have.

    predicates (Sequence[Predicate]): The predicates.
    types (Sequence[str]): The entity types of the training data.
    """
    for predicate in predicates:
        unknown = {*predicate.subject_types, *predicate.object_types} - set(types)
        if unknown:
            warnings.warn(
                f"The signature of '{predicate.label}' names entity types that the "
                f"training data lacks: {', '.join(sorted(unknown)):.300} (it has "
                f"{', '.join(sorted(types)) or 'no entities':.300})."
            )


def report_data(
    name: str,
    examples: Iterable[Example],
    candidates: Iterable[Candidates],
    relations_key: str,
) -> None:
    """Log one line on the training data, as a warning if gold relations are lost, since
    spaCy's command line shows no less; and warn of what can't be learned.

    name (str): The component's name.
    examples (Iterable[Example]): The training data.
    candidates (Iterable[Candidates]): The candidates of each predicted Doc.
    relations_key (str): Where the gold relations are.
    """
    report = DataReport()
    for example, found in zip(examples, candidates):
        report.add(example, found, relations_key)
    lost, total = count_by_reason(report.lost), report.relations
    capped = report.lost["max_pairs_per_concept"]
    between = ""
    if capped:  # of two concepts other mentions may be candidates
        recall = 100 * report.concepts_found / max(report.concepts, 1)
        between = f", and {recall:.1f}% of {report.concepts} between concepts"
    missed = report.concepts > report.concepts_found or report.lost.total() > capped
    logger.log(
        logging.WARNING if missed or report.further else logging.INFO,
        "%s: %d docs, %d candidate pairs, %d positive; candidate recall %.1f%% of %d "
        "gold relations (lost by reason: %s; further labels of a pair: %d)%s; pairs "
        "that are no candidates: %s",
        *(name, len(report.pairs), sum(report.pairs), report.positive),
        *(100 * report.candidate_recall, total, lost, report.further, between),
        count_by_reason(report.dropped),
    )
    if report.violations:
        warnings.warn(
            "Gold relations that violate the signature of their predicate can't be "
            f"learned or found: {count_by_reason(report.violations):.1000}."
        )
    if total and not report.positive:
        warnings.warn(
            f"None of the {total} gold relations is between candidates, so '{name}' "
            f"has nothing to learn. Lost by reason: {lost}."
        )


def report_batch(
    name: str,
    examples: Sequence[Example],
    candidates: Sequence[Candidates],
    golds: Sequence[Gold],
    relations_key: str,
    told: set[str],
) -> None:
    """Log the line of `report_data` on a batch, where a training goes on without
    `initialize`: on the first batch, and where relations are lost for a new reason.

    name (str): The component's name.
    examples (Sequence[Example]): The batch.
    candidates (Sequence[Candidates]): The candidates of each predicted Doc.
    golds (Sequence[Gold]): The gold predicates of each.
    relations_key (str): Where the gold relations are.
    told (Set[str]): The reasons so far, which is updated.
    """
    reasons = {"first batch", *(reason for gold in golds for reason in gold.lost)}
    if not reasons <= told:
        told |= reasons
        report_data(f"{name}, of one batch", examples, candidates, relations_key)


def count_by_reason(counts: Mapping[str, int]) -> str:
    """RETURNS (str): Counts as text, such as "3 entity, 1 signature", or "none"."""
    return ", ".join(f"{n} {k}" for k, n in sorted(counts.items()) if n) or "none"


def _violations(
    example: Example, found: Candidates, relations_key: str
) -> Iterator[str]:
    by_label = {predicate.label: predicate for predicate in found.predicates}
    for subject, object_, label, _ in gold_relations(example, relations_key):
        types = found.type_of(subject), found.type_of(object_)
        if label in by_label and not by_label[label].admits(*types):
            yield f"{label} ({types[0]} -> {types[1]})"


def _concepts_of(
    found: Candidates, gold: Gold, symmetric: Sequence[str]
) -> set[ConceptTriple]:
    """The relations between concepts that candidates stand for."""
    concepts = [concepts_of(entity, found.type_map) for entity in found.entities]
    triples = set()
    for row, r in numpy.argwhere(gold.positive[:, 1:]).tolist():
        label = found.predicates[r + 1].label
        s, o = found.pairs[row].tolist()
        for subject in concepts[s]:
            for object_ in concepts[o]:
                triples.add(order_concepts(subject, object_, label, symmetric))
    return triples
