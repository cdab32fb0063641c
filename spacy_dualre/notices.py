"""What a component says, once, of the Docs that it is given and what comes of them."""

import warnings
from collections.abc import Sequence

import numpy
from spacy.tokens import Doc

from .output.decoder import Threshold
from .output.probabilities import Scored
from .pairs.candidates import source_of
from .predicates import Predicate
from .training.gold import TO_BE_COMPLETED, Gold, lacks_entities

NO_ENTITIES = (
    "'{}' has no entities to relate: nothing has set {}. Add a component that does "
    "(such as 'ner') before it, and in training list it in "
    "training.annotating_components. "
    "(Evaluation with use_gold_ents = true goes on with the gold entities.)"
)
NO_TYPES = (
    "'{}' finds no relations here: of the entity types on these Docs ({}) none is in a "
    "signature of its predicates, which relate {}. Where the component that finds the "
    "entities has other names for these types, say so in type_map. (Said once.)"
)
NO_NUMBERS = (
    "Some scores of '{}' are not numbers, so that no relations are found there: its "
    "weights are damaged, or training diverged (try a lower learning rate)."
)
NO_PREDICATE = (
    "The threshold of '{}' names {}, and it has no such predicate (it has {}): there "
    "it has no effect. (Said once.)"
)
NO_GOLD = (
    "None of the examples ({}) that '{}' is scored on has gold relations in "
    "doc.spans['{}'], so that it has no scores (spaCy prints 0.00 for them, and can't "
    "tell which model is best). Is it the right file?"
)


class Notices:
    """Warnings of a component. Each is given once."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def of_docs(
        self, name: str, docs: Sequence[Doc], spans_key: str | None, completes: bool
    ) -> None:
        """Warn of Docs on which nothing has looked for entities.

        name (str): The component's name.
        docs (Sequence[Doc]): The Docs.
        spans_key (Optional[str]): Where the entities are, as in `get_entities`.
        completes (bool): Whether those that wait for gold entities get them.
        """
        if completes:
            docs = [doc for doc in docs if TO_BE_COMPLETED not in doc.user_data]
        if docs and all(lacks_entities(doc, spans_key) for doc in docs):
            self._give(NO_ENTITIES, name, source_of(spans_key))

    def of_scores(
        self, name: str, scored: Sequence[Scored], predicates: Sequence[Predicate]
    ) -> None:
        """Warn of scores that are no numbers, and where no type fits any signature.

        name (str): The component's name.
        scored (Sequence[Scored]): The pairs of each Doc.
        predicates (Sequence[Predicate]): The predicates, "no_relation" first.
        """
        if any(numpy.isnan(probabilities).any() for _, probabilities in scored):
            self._give(NO_NUMBERS, name)
        if any(len(found.pairs) for found, _ in scored):
            return
        several = [found for found, _ in scored if len(found.entities) > 1]
        types = {found.type_of(e) for found in several for e in found.entities}
        signatures = [{*p.subject_types, *p.object_types} for p in predicates[1:]]
        known = set().union(*signatures)
        if types and all(signatures) and not types & known:
            self._give(NO_TYPES, name, _join(types), _join(known))

    def of_threshold(
        self, name: str, threshold: Threshold, predicates: Sequence[Predicate]
    ) -> None:
        """Warn of a threshold for what is no predicate.

        name (str): The component's name.
        threshold (Optional[Union[float, Dict[str, float]]]): The threshold.
        predicates (Sequence[Predicate]): The predicates, "no_relation" first.
        """
        labels = {predicate.label for predicate in predicates[1:]}
        unknown = {*threshold} - labels if isinstance(threshold, dict) else set()
        if unknown:
            self._give(NO_PREDICATE, name, _join(unknown), _join(labels))

    def of_golds(self, name: str, golds: Sequence[Gold], relations_key: str) -> None:
        """Warn where there is nothing to score.

        name (str): The component's name.
        golds (Sequence[Gold]): The gold predicates of each example.
        relations_key (str): Where the gold relations are.
        """
        if golds and not any(gold.total for gold in golds):
            self._give(NO_GOLD, len(golds), name, relations_key)

    def _give(self, message: str, *values: object) -> None:
        if message not in self._given:
            self._given.add(message)
            warnings.warn(message.format(*values))


def _join(names: set[str]) -> str:
    return f"{', '.join(sorted(names)):.300}"
