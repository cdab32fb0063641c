"""The report on the training data: what there is to learn from, and what is lost."""

import logging
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from spacy.training import Example

from ..pairs.candidates import Candidates
from ..predicates import Predicate
from .gold import Gold, find_gold, gold_relations

logger = logging.getLogger("spacy")


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
    lost: Counter = Counter()
    dropped: Counter = Counter()
    violations: Counter = Counter()
    n_docs = n_pairs = n_positive = total = further = 0
    for example, found in zip(examples, candidates):
        gold = find_gold(example, found, relations_key)
        n_docs += 1
        n_pairs += len(found.pairs)
        n_positive += int((gold.labels > 0).sum())
        total += gold.total
        further += gold.further
        lost.update(gold.lost)
        dropped.update(found.dropped)
        if gold.lost.get("signature"):
            violations.update(_violations(example, found.predicates, relations_key))
    recall = (total - sum(lost.values())) / total if total else 1.0
    logger.log(
        logging.WARNING if lost or further else logging.INFO,
        "%s: %d docs, %d candidate pairs, %d positive; candidate recall %.1f%% of %d "
        "gold relations (lost by reason: %s; further labels of a pair: %d); pairs that "
        "are no candidates: %s",
        *(name, n_docs, n_pairs, n_positive, 100 * recall, total),
        *(count_by_reason(lost), further, count_by_reason(dropped)),
    )
    if violations:
        warnings.warn(
            "Gold relations that violate the signature of their predicate can't be "
            f"learned or found: {count_by_reason(violations):.1000}."
        )
    if total and not n_positive:
        warnings.warn(
            f"None of the {total} gold relations is between candidates, so '{name}' "
            f"has nothing to learn. Lost by reason: {count_by_reason(lost)}."
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
    example: Example, predicates: Sequence[Predicate], relations_key: str
) -> Iterator[str]:
    by_label = {predicate.label: predicate for predicate in predicates}
    for subject, object_, label, _ in gold_relations(example, relations_key):
        if label in by_label and not by_label[label].admits(
            subject.label_, object_.label_
        ):
            yield f"{label} ({subject.label_} -> {object_.label_})"
