"""The pipeline component: from Docs with entities to Docs with relations."""

import logging
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy
import srsly
from spacy.errors import Errors
from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.util import ensure_path, minibatch
from spacy.vocab import Vocab
from thinc.api import Model, Optimizer, set_dropout_rate

from .model.scores import Scores
from .output.decoder import Decoder
from .output.probabilities import Scored, to_probabilities
from .pairs.candidates import Candidates, PairFinder, find_candidates
from .predicates import (
    NO_RELATION,
    Predicate,
    PredicateData,
    describe,
    parse_predicates,
    to_data,
)
from .relations import Relation, get_relations, install_extension, set_relations
from .saving import pack, unpack
from .threads import limit_threads
from .training.corpus import refuse_lossy_corpora
from .training.gold import (
    TO_BE_COMPLETED,
    Gold,
    can_complete,
    complete,
    find_gold,
    gold_relations,
    lacks_entities,
    refuse_unknown_labels,
)
from .training.loss import compute_loss
from .training.report import check_types, report_data
from .training.sampler import Sampler

logger = logging.getLogger("spacy")


class DualRelationExtractor(TrainablePipe):
    """Finds relations between the entities of a Doc.

    vocab (Vocab): The shared vocabulary.
    model (Model[List[Candidates], Scores]): The dual encoder.
    name (str): The name of the component.
    candidates (PairFinder): Chooses which pairs are scored.
    sampler (Sampler): Chooses what a training step learns from.
    decoder (Decoder): Reads the relations from the probabilities of the pairs.
    scorer (Optional[Callable]): The scoring method.
    predicates (Optional[PredicateData]): The predicates, as `parse_predicates` takes
        them. None: given to `initialize`, or made from the labels of the training data.
    threshold (Optional[float]): None: a pair's most probable predicate, "no_relation"
        included. A number: its most probable real predicate, wherever that reaches the
        threshold.
    spans_key (Optional[str]): The span group that holds the entities, which may nest
        and overlap. None: `doc.ents`.
    relations_key (str): The span group that holds the relations, and the name of the
        extension, `doc._.<relations_key>`.
    use_gold_ents (bool): Whether training and evaluation take entities and sentence
        boundaries from the gold Doc where no component has set them.
    overwrite (bool): Whether the relations that are already on a Doc are replaced, or
        joined with those that are found.
    RAISES (ValueError): If an argument can't be used.
    """

    def __init__(
        self,
        vocab: Vocab,
        model: Model[list[Candidates], Scores],
        name: str = "dual_relation_extractor",
        *,
        candidates: PairFinder,
        sampler: Sampler,
        decoder: Decoder,
        scorer: Callable | None,
        predicates: PredicateData | None = None,
        threshold: float | None = None,
        spans_key: str | None = None,
        relations_key: str = "relations",
        use_gold_ents: bool = True,
        overwrite: bool = False,
    ) -> None:
        if not relations_key or relations_key == spans_key:
            raise ValueError(
                "relations_key must name a span group of its own, but is "
                f"{relations_key!r} (spans_key is {spans_key!r})."
            )
        self.vocab, self.model, self.name = vocab, model, name
        self.find_pairs, self.sampler, self.decoder = candidates, sampler, decoder
        self.scorer = scorer
        self.spans_key, self.relations_key = spans_key, relations_key
        self.use_gold_ents, self.overwrite = use_gold_ents, overwrite
        self._warned: set[str] = set()
        install_extension(relations_key)
        # What can be changed after training. `spacy find-threshold` replaces it.
        self.cfg: dict[str, Any] = {"predicates": [], "threshold": None}
        self.threshold = threshold
        self._predicates: tuple[Predicate, ...] = ()
        if predicates:
            self.set_predicates(predicates)
        self._configured = dict(self.cfg)

    @property
    def predicates(self) -> tuple[Predicate, ...]:
        """RETURNS (Tuple[Predicate, ...]): The predicates, "no_relation" first."""
        return self._predicates

    @property
    def labels(self) -> tuple[str, ...]:
        """RETURNS (Tuple[str, ...]): The predicates' labels, without "no_relation"."""
        return tuple(predicate.label for predicate in self._predicates[1:])

    @property
    def label_data(self) -> list[dict[str, Any]]:
        """RETURNS (List[Dict[str, Any]]): The predicates as plain data."""
        return to_data(self._predicates)

    @property
    def threshold(self) -> float | None:
        """RETURNS (Optional[float]): The threshold. It can be set.
        RAISES (ValueError): If it is set to no probability.
        """
        return self.cfg["threshold"]

    @threshold.setter
    def threshold(self, value: float | None) -> None:
        if value is not None and not (
            isinstance(value, (int, float)) and 0 <= value <= 1
        ):
            raise ValueError(f"threshold must be in [0, 1] or null, not {value!r}.")
        self.cfg["threshold"] = value

    def set_predicates(self, predicates: PredicateData) -> None:
        """Replace the predicates, before training or after it.

        predicates (PredicateData): The predicates, as `parse_predicates` takes them.
        RAISES (ValueError): If they can't be used.
        """
        parsed = parse_predicates(predicates)
        for predicate in parsed:
            self.vocab.strings.add(predicate.label)
        self.cfg["predicates"] = to_data(parsed)
        self._predicates = parsed

    def add_label(self, label: str) -> int:
        """Add a predicate, with a description made from its label.

        label (str): The label.
        RETURNS (int): 1 if it was added, 0 if it was there.
        RAISES (ValueError): If the label is no string.
        """
        if not isinstance(label, str):
            raise ValueError(Errors.E187)
        if label in self.labels or label == NO_RELATION:
            return 0
        added = {"label": label, "description": describe(label)}
        self.set_predicates([*self.label_data, added])
        return 1

    def find_candidates(self, doc: Doc) -> Candidates:
        """Find the pairs of a Doc that are scored.

        doc (Doc): A Doc with entities.
        RETURNS (Candidates): The candidates.
        """
        return find_candidates(doc, self._predicates, self.find_pairs, self.spans_key)

    def predict(self, docs: Iterable[Doc]) -> list[Scored]:
        """Score the candidate pairs of some Docs, without changing the Docs.

        docs (Iterable[Doc]): The Docs.
        RETURNS (List[Scored]): For each Doc its candidates and their probabilities.
        """
        docs = list(docs)
        limit_threads()
        self._warn_without_entities(docs)
        # Once for all Docs: another thread may set predicates meanwhile.
        predicates = self._predicates
        batch = [
            find_candidates(doc, predicates, self.find_pairs, self.spans_key)
            for doc in docs
        ]
        scored = to_probabilities(self.model.predict(batch))
        if any(numpy.isnan(probabilities).any() for _, probabilities in scored):
            self._warn_once(
                f"Some scores of '{self.name}' are not numbers, so that no relations "
                "are found there: its weights are damaged, or training diverged (try "
                "a lower learning rate)."
            )
        return scored

    def set_annotations(self, docs: Iterable[Doc], scores: list[Scored]) -> None:
        """Write relations to some Docs.

        docs (Iterable[Doc]): The Docs.
        scores (List[Scored]): What `predict` returned.
        """
        for doc, scored in zip(docs, scores):
            relations = self.decoder(scored, self.threshold)
            if not self.overwrite:
                kept = get_relations(doc, self.relations_key)
                known = {_facts(relation) for relation in kept}
                new = (found for found in relations if _facts(found) not in known)
                relations = [*kept, *new]
            set_relations(doc, relations, self.relations_key)

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from a batch of examples.

        The pairs go through the model in parts that fit in memory; the gradients of all
        parts are added up before the weights change.

        examples (Iterable[Example]): Examples with gold relations.
        drop (float): Dropout after the LayerNorm.
        sgd (Optional[Optimizer]): The optimizer, or None to accumulate gradients only.
        losses (Optional[Dict[str, float]]): Losses by component name, to be updated.
        RETURNS (Dict[str, float]): The updated losses.
        RAISES (ValueError): If a gold relation has no predicate.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, "DualRelationExtractor.update")
        examples = self._complete(examples)
        batch = [self.find_candidates(example.predicted) for example in examples]
        golds = [self._find_gold(eg, found) for eg, found in zip(examples, batch)]
        for gold in golds:
            refuse_unknown_labels(self.name, gold.unknown, self.labels)
        if not any(len(found.pairs) for found in batch):
            self._warn_without_entities([found.doc for found in batch])
        batch = self.sampler(batch, [gold.labels for gold in golds])
        n_pairs = sum(len(found.pairs) for found in batch)
        if not n_pairs:
            return losses
        set_dropout_rate(self.model, drop)
        split = self.model.attrs.get("split", lambda model, batch: [batch])
        for part in split(self.model, batch):
            scores, backprop = self.model.begin_update(part)
            loss, gradients = self.get_loss(examples, scores)
            share = sum(len(found.pairs) for found in part) / n_pairs
            backprop(gradients.scaled(share))
            losses[self.name] += loss * share
        if sgd not in (None, False):
            self.finish_update(sgd)
        return losses

    def get_loss(
        self, examples: Iterable[Example], scores: Scores
    ) -> tuple[float, Scores]:
        """Compute the loss, and its gradient with respect to the scores.

        examples (Iterable[Example]): Examples with gold relations.
        scores (Scores): The scores of candidates of their predicted Docs.
        RETURNS (Tuple[float, Scores]): The loss, averaged over the pairs, and the
            gradients.
        """
        found = scores.candidates
        golds = [self._find_gold(eg, own).labels for eg, own in zip(examples, found)]
        return compute_loss(scores, numpy.concatenate(golds))

    def finish_update(self, sgd: Optimizer) -> None:
        """Apply the accumulated gradients.

        sgd (Optimizer): The optimizer.
        """
        self.model.finish_update(sgd)

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: list[dict[str, Any]] | None = None,
    ) -> None:
        """Load the pretrained encoders, fix the predicates and check the data.

        get_examples (Callable[[], Iterable[Example]]): Returns the training examples.
        nlp (Optional[Language]): The current nlp object.
        labels (Optional[List[Dict[str, Any]]]): The predicates, as `spacy init labels`
            or `spacy-dualre.read_predicates.v1` returns them. They replace those of
            the config.
        RAISES (ValueError): If the data has a label that is missing from the
            predicates, or a corpus reader is set to lose gold relations. A signature
            with an entity type that the data does not have is warned of.
        """
        validate_get_examples(get_examples, "DualRelationExtractor.initialize")
        if nlp is not None:
            refuse_lossy_corpora(nlp.config)
        if labels:
            self.set_predicates(labels)
        examples = list(get_examples())
        seen = Counter(
            relation.label
            for example in examples
            for relation in gold_relations(example, self.relations_key)
        )
        if not self._predicates and seen:
            self.set_predicates({label: describe(label) for label in sorted(seen)})
        self._require_labels()
        unknown = {label: n for label, n in seen.items() if label not in self.labels}
        refuse_unknown_labels(self.name, unknown, self.labels)
        gold_candidates = [self.find_candidates(eg.reference) for eg in examples]
        types = {e.label_ for found in gold_candidates for e in found.entities}
        check_types(self._predicates, sorted(types))
        self.model.initialize(X=gold_candidates)
        self._report_data(self._complete(examples))

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Score a batch of examples.

        examples (Iterable[Example]): The examples. With `use_gold_ents`, those whose
            predicted Doc no component has set entities on are predicted again with the
            gold entities.
        RETURNS (Dict[str, Any]): The scorer's scores, and `rel_candidate_recall`: the
            share of gold relations whose pair is a candidate, a bound on recall; and
            `rel_candidate_f`: micro F1 if only those gold relations are counted, as
            publications often do, to compare with them.
        """
        if self.scorer is None:
            return {}
        ready: list[Example] = []
        golds: list[Gold] = []
        for part in minibatch(examples, 64):
            bare = [self._lacks_gold_entities(example) for example in part]
            part = self._complete(part)
            again = [eg.predicted for eg, is_bare in zip(part, bare) if is_bare]
            scored = self.predict(again) if again else []
            self.set_annotations(again, scored)
            found = iter(candidates for candidates, _ in scored)
            for example, is_bare in zip(part, bare):
                pairs = (
                    next(found) if is_bare else self.find_candidates(example.predicted)
                )
                golds.append(self._find_gold(example, pairs))
            ready += part
        symmetric = [p.label for p in self._predicates if p.symmetric]
        settings = {"symmetric": symmetric, "relations_key": self.relations_key}
        scores = super().score(ready, **{**settings, **kwargs})
        total = sum(gold.total for gold in golds)
        n_found = total - sum(sum(gold.lost.values()) for gold in golds)
        scores["rel_candidate_recall"] = n_found / total if total else None
        scores["rel_candidate_f"] = None
        p, r = scores.get("rel_micro_p"), scores.get("rel_micro_r")
        if n_found and p is not None and r is not None:
            r *= total / n_found
            scores["rel_candidate_f"] = 2 * p * r / ((p + r) or 1.0)
        return scores

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """RETURNS (bytes): The component, without the files in `exclude`."""
        return srsly.msgpack_dumps(pack(self, self._configured, exclude))

    def from_bytes(
        self, bytes_data: bytes, *, exclude: Iterable[str] = ()
    ) -> "DualRelationExtractor":
        """Load what `to_bytes` returned. Arguments and errors as in `from_disk`."""
        files = srsly.msgpack_loads(bytes_data)
        return self._unpack(files.__getitem__, "bytes", exclude)

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Save the component.

        path (Union[str, Path]): A directory, which is made if it is not there.
        exclude (Iterable[str]): What is left out: "cfg", "model" or "vocab".
        """
        folder = ensure_path(path)
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in pack(self, self._configured, exclude).items():
            (folder / name).write_bytes(data)

    def from_disk(
        self, path: str | Path, *, exclude: Iterable[str] = ()
    ) -> "DualRelationExtractor":
        """Load the component.

        path (Union[str, Path]): The directory.
        exclude (Iterable[str]): What is not loaded.
        RETURNS (DualRelationExtractor): The component.
        RAISES (ValueError): If a file is damaged, with its name.
        """
        folder = ensure_path(path)

        def read(name: str) -> bytes:
            data: bytes = (folder / name).read_bytes()
            return data

        return self._unpack(read, str(folder.absolute()), exclude)

    def _unpack(
        self, read: Callable[[str], bytes], where: str, exclude: Iterable[str]
    ) -> "DualRelationExtractor":
        where = f"{where} ('{self.name}')"
        cfg = unpack(self, self._configured, read, where, exclude)
        self.threshold = cfg["threshold"]
        if cfg["predicates"]:
            self.set_predicates(cfg["predicates"])
        return self

    def _lacks_gold_entities(self, example: Example) -> bool:
        return self.use_gold_ents and can_complete(example, self.spans_key)

    def _complete(self, examples: Iterable[Example]) -> list[Example]:
        """Give the examples that lack them the gold entities."""
        examples = list(examples)
        if not self.use_gold_ents:
            return examples
        return [complete(example, self.spans_key) for example in examples]

    def _find_gold(self, example: Example, found: Candidates) -> Gold:
        return find_gold(example, found, self.relations_key)

    def _report_data(self, examples: list[Example]) -> None:
        docs = [example.predicted for example in examples]
        if not self.use_gold_ents and all(
            lacks_entities(doc, self.spans_key) for doc in docs
        ):
            logger.info(
                "%s: %d docs; what there is to learn depends on the entities that the "
                "components before it will find",
                *(self.name, len(docs)),
            )
            return
        data = []
        for example in examples:
            found = self.find_candidates(example.predicted)
            data.append((example, found, self._find_gold(example, found)))
        report_data(self.name, data, self.relations_key)

    def _warn_without_entities(self, docs: Sequence[Doc]) -> None:
        key = self.spans_key
        if self.use_gold_ents:
            docs = [doc for doc in docs if TO_BE_COMPLETED not in doc.user_data]
        if docs and all(lacks_entities(doc, key) for doc in docs):
            source = "doc.ents" if key is None else f"doc.spans['{key}']"
            self._warn_once(
                f"'{self.name}' has no entities to relate: nothing has set {source}. "
                "Add a component that does (such as 'ner') before it, and in training "
                "list it in training.annotating_components. (Evaluation with "
                "use_gold_ents = true goes on with the gold entities.)"
            )

    def _warn_once(self, message: str) -> None:
        if message not in self._warned:
            self._warned.add(message)
            warnings.warn(message)


def _facts(relation: Relation) -> tuple[int, int, int, int, str]:
    """What a relation says, whatever its score and the ids of its spans."""
    subject, object_, label, _ = relation
    return (subject.start, subject.end, object_.start, object_.end, label)
