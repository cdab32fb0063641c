"""The pipeline component: from Docs with entities to Docs with relations."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.util import minibatch
from spacy.vocab import Vocab
from thinc.api import Model, Optimizer, set_dropout_rate

from .changeable import ChangeablePipe
from .model.scores import Scores
from .notices import Notices
from .output.decoder import Decoder, Threshold
from .output.probabilities import Scored, to_probabilities
from .output.scorer import score_candidates
from .pairs.candidates import Candidates, PairFinder, find_candidates
from .predicates import Predicate, PredicateData, describe
from .relations import get_relations, install_extension, set_relations
from .threads import limit_threads
from .training.corpus import refuse_lossy_corpora
from .training.gold import (
    Gold,
    can_complete,
    complete,
    count_labels,
    find_gold,
    lacks_entities,
    refuse_unknown_labels,
)
from .training.loss import compute_loss
from .training.report import check_types, report_batch, report_data
from .training.sampler import Sampler


class DualRelationExtractor(ChangeablePipe):
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
    threshold (Optional[Union[float, Dict[str, float]]]): How probable a predicate must
        be. None: more than "no_relation". A number: at least that. Numbers by label: at
        least that of its label; as with None for labels without.
    type_map (Optional[Mapping[str, str]]): Entity types, and as what predicates and
        model read them: {"PERSON": "Peop"} for a model that was trained with "Peop".
    spans_key (Optional[str]): The span group that holds the entities, which may nest
        and overlap. None: `doc.ents`.
    relations_key (str): The span group that holds the relations, and the name of the
        extension, `doc._.<relations_key>`.
    use_gold_ents (bool): Whether training and evaluation take entities and sentence
        boundaries from the gold Doc where no component has set them.
    multi_label (bool): Whether a pair may have several predicates, in training as in
        prediction. Otherwise it has the most probable one.
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
        threshold: Threshold = None,
        type_map: Mapping[str, str] | None = None,
        spans_key: str | None = None,
        relations_key: str = "relations",
        use_gold_ents: bool = True,
        multi_label: bool = False,
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
        self.multi_label = multi_label
        self._notices = Notices()
        # Reasons of which the data report told in `update`; None after `initialize`.
        self._told: set[str] | None = set()
        install_extension(relations_key)
        self.set_up(predicates, threshold, type_map)

    def find_candidates(self, doc: Doc) -> Candidates:
        """Find the pairs of a Doc that are scored.

        doc (Doc): A Doc with entities.
        RETURNS (Candidates): The candidates.
        """
        return self._find_candidates(doc, self._predicates)

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
        batch = [self._find_candidates(doc, predicates) for doc in docs]
        scored = to_probabilities(self.model.predict(batch))
        self._notices.of_scores(self.name, scored, predicates)
        self._notices.of_threshold(self.name, self.threshold, predicates)
        return scored

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Find the relations of a stream of Docs. Where a batch fails, its Docs are
        tried one by one, so that the error handler is given those that are at fault.

        stream (Iterable[Doc]): The Docs.
        batch_size (int): How many are tried at once.
        YIELDS (Doc): The Docs, in order, without those that the error handler took.
        """
        for docs in minibatch(stream, size=batch_size):
            try:
                self.set_annotations(docs, self.predict(docs))
                yield from docs
            except Exception:  # out of memory, too
                yield from (doc for doc in map(self, docs) if doc is not None)

    def set_annotations(self, docs: Iterable[Doc], scores: list[Scored]) -> None:
        """Write relations to some Docs.

        docs (Iterable[Doc]): The Docs.
        scores (List[Scored]): What `predict` returned.
        """
        for doc, scored in zip(docs, scores):
            relations = self.decoder(scored, self.threshold, self.multi_label)
            if not self.overwrite:
                kept = get_relations(doc, self.relations_key)
                known = {relation.fact for relation in kept}
                new = (found for found in relations if found.fact not in known)
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
        golds = self._find_golds(examples, batch)
        for gold in golds:
            refuse_unknown_labels(self.name, gold.unknown, self.labels)
        if self._told is not None:
            key = self.relations_key
            report_batch(self.name, examples, batch, golds, key, self._told)
        if not any(len(found.pairs) for found in batch):
            self._warn_without_entities([found.doc for found in batch])
        batch = self.sampler(batch, golds)
        if not any(len(found.doc) for found in batch):
            return losses
        n_pairs = max(sum(len(found.pairs) for found in batch), 1)
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
        golds = self._find_golds(examples, scores.candidates)
        return compute_loss(scores, golds, self.multi_label)

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
        seen = count_labels(examples, self.relations_key)
        if not self._predicates and seen:
            self.set_predicates({label: describe(label) for label in sorted(seen)})
        self._require_labels()
        unknown = {label: n for label, n in seen.items() if label not in self.labels}
        refuse_unknown_labels(self.name, unknown, self.labels)
        gold_candidates = [self.find_candidates(eg.reference) for eg in examples]
        types = {found.type_of(e) for found in gold_candidates for e in found.entities}
        check_types(self._predicates, sorted(types))
        self.model.initialize(X=gold_candidates)
        completed = self._complete(examples)
        bare = all(lacks_entities(eg.predicted, self.spans_key) for eg in completed)
        if bare and not self.use_gold_ents:
            return  # what there is to learn depends on the components before this one
        found = (self.find_candidates(example.predicted) for example in completed)
        report_data(self.name, completed, found, self.relations_key)
        self._told = None

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
            bare = [can_complete(example, self.spans_key) for example in part]
            part = self._complete(part)
            again = [
                example.predicted
                for example, is_bare in zip(part, bare)
                if is_bare and self.use_gold_ents
            ]
            scored = self.predict(again) if again else []
            self.set_annotations(again, scored)
            found = {id(own.doc): own for own, _ in scored}
            for example in part:
                doc = example.predicted
                own = found.get(id(doc)) or self.find_candidates(doc)
                golds.append(find_gold(example, own, self.relations_key))
            ready += part
        self._notices.of_golds(self.name, golds, self.relations_key)
        settings = {
            "symmetric": [p.label for p in self._predicates if p.symmetric],
            "relations_key": self.relations_key,
            "type_map": self.type_map,
        }
        scores = super().score(ready, **{**settings, **kwargs})
        return {**scores, **score_candidates(golds, scores)}

    def _find_candidates(
        self, doc: Doc, predicates: tuple[Predicate, ...]
    ) -> Candidates:
        return find_candidates(
            doc, predicates, self.find_pairs, self.spans_key, self.type_map
        )

    def _find_golds(
        self, examples: Iterable[Example], batch: Iterable[Candidates]
    ) -> list[Gold]:
        key = self.relations_key
        return [find_gold(eg, found, key) for eg, found in zip(examples, batch)]

    def _complete(self, examples: Iterable[Example]) -> list[Example]:
        """Give the examples that lack them the gold entities."""
        examples = list(examples)
        if not self.use_gold_ents:
            return examples
        return [complete(example, self.spans_key) for example in examples]

    def _warn_without_entities(self, docs: list[Doc]) -> None:
        key, completes = self.spans_key, self.use_gold_ents
        self._notices.of_docs(self.name, docs, key, completes)
