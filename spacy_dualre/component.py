"""The pipeline component: `nlp.add_pipe("dual_relation_extractor")`."""

import logging
import multiprocessing
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import (
    Any,
    NamedTuple,
)

import numpy
import torch
from spacy.errors import Errors
from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.tokens import Doc, Span
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.util import filter_spans, minibatch
from spacy.vocab import Vocab
from thinc.api import Config, Model, Optimizer, set_dropout_rate

from .architectures import PairBatch, Scored, get_builder, get_max_tokens
from .candidates import Candidates, PairFinder, find_candidates, get_entities
from .concepts import JOIN, join_mentions
from .dual_encoder import joint_loss
from .instances import Pairs
from .predicates import (
    NO_RELATION,
    Predicate,
    PredicateData,
    describe,
    parse_predicates,
    to_data,
)
from .relations import Relation, get_relations, install_extension, set_relations
from .scorer import score_relations
from .shim import get_shim

logger = logging.getLogger("spacy")

TRAIN_DESCRIPTIONS = ("all", "hard", "random")

DEFAULT_CONFIG = """
[model]
@architectures = "spacy-dualre.DualEncoder.v1"

[candidates]
@misc = "spacy-dualre.candidate_pairs.v1"

[scorer]
@scorers = "spacy-dualre.relation_scorer.v1"
"""
_DEFAULTS = Config().from_str(DEFAULT_CONFIG)


@Language.factory(
    "dual_relation_extractor",
    assigns=["doc._.relations", "doc.spans"],
    requires=["doc.ents"],
    default_config={
        "model": _DEFAULTS["model"],
        "candidates": _DEFAULTS["candidates"],
        "scorer": _DEFAULTS["scorer"],
        "predicates": None,
        "threshold": None,
        "spans_key": None,
        "relations_key": "relations",
        "use_gold_ents": True,
        "train_descriptions": "all",
        "n_descriptions": 2,
        "negative_ratio": None,
        "concepts": None,
        "single_direction": False,
    },
    default_score_weights={
        "rel_micro_f": 1.0,
        "rel_micro_p": None,
        "rel_micro_r": None,
        "rel_macro_f": None,
        "rel_boundary_p": None,
        "rel_boundary_r": None,
        "rel_boundary_f": None,
        "rel_candidate_recall": None,
        "rel_per_type": None,
    },
)
def make_dual_relation_extractor(
    nlp: Language,
    name: str,
    model: Model[list[Doc], list[Scored]],
    candidates: PairFinder,
    scorer: Callable | None,
    predicates: dict[str, Any] | list[dict[str, Any]] | None,
    threshold: float | None,
    spans_key: str | None,
    relations_key: str,
    use_gold_ents: bool,
    train_descriptions: str,
    n_descriptions: int,
    negative_ratio: float | None,
    concepts: str | None,
    single_direction: bool,
) -> "DualRelationExtractor":
    """Make the component. The arguments are those of `DualRelationExtractor`."""
    _refuse_lossy_labels(predicates or {})
    return DualRelationExtractor(
        nlp.vocab,
        model,
        name,
        candidates=candidates,
        predicates=predicates,
        threshold=threshold,
        spans_key=spans_key,
        relations_key=relations_key,
        use_gold_ents=use_gold_ents,
        train_descriptions=train_descriptions,
        n_descriptions=n_descriptions,
        negative_ratio=negative_ratio,
        concepts=concepts,
        single_direction=single_direction,
        scorer=scorer,
    )


class Gold(NamedTuple):
    """The gold predicates of the candidate pairs of one Doc.

    labels (ndarray): The index of each pair's predicate, 0 for no relation, (P,).
    lost (Mapping[str, int]): Gold relations that no candidate stands for, by reason.
    total (int): How many gold relations the Doc has.
    """

    labels: numpy.ndarray
    lost: Mapping[str, int]
    total: int


class DualRelationExtractor(TrainablePipe):
    """Finds relations between the entities of a Doc.

    vocab (Vocab): The shared vocabulary.
    model (Model[List[Doc], List[Scored]]): The dual encoder.
    name (str): The name of the component.
    candidates (PairFinder): Chooses which pairs are scored.
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
    train_descriptions (str): Which descriptions a training pair is scored against:
        "all"; or its gold predicate, "no_relation" and `n_descriptions` others, those
        which the auxiliary head ranks highest ("hard") or any ("random").
    n_descriptions (int): See `train_descriptions`.
    negative_ratio (Optional[float]): Pairs without relation that are kept in a batch
        for each pair with one, chosen at random. None: all.
    concepts (Optional[str]): Whether the mention pairs of two concepts (`kb_id_`) give
        one relation between them, from the "max" or the "mean" of their probabilities.
        None: every mention pair for itself.
    single_direction (bool): Whether two entities that are found related in both
        directions keep only the more probable one.
    scorer (Optional[Callable]): The scoring method.
    RAISES (ValueError): If an argument can't be used.
    """

    def __init__(
        self,
        vocab: Vocab,
        model: Model[list[Doc], list[Scored]],
        name: str = "dual_relation_extractor",
        *,
        candidates: PairFinder,
        predicates: PredicateData | None = None,
        threshold: float | None = None,
        spans_key: str | None = None,
        relations_key: str = "relations",
        use_gold_ents: bool = True,
        train_descriptions: str = "all",
        n_descriptions: int = 2,
        negative_ratio: float | None = None,
        concepts: str | None = None,
        single_direction: bool = False,
        scorer: Callable | None = score_relations,
    ) -> None:
        if threshold is not None and not 0 <= threshold <= 1:
            raise ValueError(f"threshold must be in [0, 1] or null, not {threshold}.")
        if train_descriptions not in TRAIN_DESCRIPTIONS:
            raise ValueError(
                f"train_descriptions must be one of {', '.join(TRAIN_DESCRIPTIONS)}, "
                f"not {train_descriptions!r}."
            )
        if train_descriptions == "hard" and model.attrs["settings"].alpha == 0:
            raise ValueError(
                "train_descriptions can't be hard where alpha is 0, because the "
                "auxiliary head, which ranks them, is not trained."
            )
        if negative_ratio is not None and negative_ratio < 0:
            raise ValueError(f"negative_ratio can't be negative: {negative_ratio}.")
        if concepts not in (None, *JOIN):
            raise ValueError(
                f"concepts must be one of {', '.join(JOIN)} or null, not {concepts!r}."
            )
        if n_descriptions < 0:
            raise ValueError(f"n_descriptions can't be negative: {n_descriptions}.")
        if not relations_key or relations_key == spans_key:
            raise ValueError(
                "relations_key must name a span group of its own, but is "
                f"{relations_key!r} (spans_key is {spans_key!r})."
            )
        self.vocab = vocab
        self.model = model
        self.name = name
        self.scorer = scorer
        self.find_pairs = candidates
        self.use_gold_ents = use_gold_ents
        self.train_descriptions = train_descriptions
        self.n_descriptions = n_descriptions
        self.negative_ratio = negative_ratio
        self.cfg: dict[str, Any] = {
            "predicates": [],
            "threshold": threshold,
            "spans_key": spans_key,
            "relations_key": relations_key,
            "concepts": concepts,
            "single_direction": single_direction,
        }
        self._predicates: tuple[Predicate, ...] = ()
        self._warned: set[str] = set()
        # While learning, evaluation predicts without entities before `score` copies the
        # gold ones, which is nothing to warn of.
        self._learning = False
        self.model.attrs["find_candidates"] = self.find_candidates
        install_extension(relations_key)
        if predicates:
            self._set_predicates(parse_predicates(predicates))

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
        """RETURNS (Optional[float]): The threshold, live from `cfg`."""
        return self.cfg["threshold"]

    def add_label(self, label: str) -> int:
        """Add a predicate, with a description made from its label.

        label (str): The label.
        RETURNS (int): 1 if it was added, 0 if it was there.
        RAISES (ValueError): If the label is no string, or the model is initialized: the
            auxiliary head has one output for each predicate that it was trained with.
        """
        if not isinstance(label, str):
            raise ValueError(Errors.E187)
        if label in self.labels or label == NO_RELATION:
            return 0
        if self._initialized:
            raise ValueError(
                f"Can't add the predicate '{label}' to '{self.name}': its model is "
                "trained. Add the label before `initialize`, or train a new component."
            )
        known = to_data(self._predicates)
        added = {"label": label, "description": describe(label)}
        self._set_predicates(parse_predicates([*known, added]))
        return 1

    def find_candidates(self, doc: Doc) -> Candidates:
        """Find the pairs of a Doc that are scored.

        doc (Doc): A Doc with entities.
        RETURNS (Candidates): The candidates.
        """
        return find_candidates(
            doc, self._predicates, self.find_pairs, self.cfg["spans_key"]
        )

    def predict(self, docs: Iterable[Doc]) -> list[Scored]:
        """Score the candidate pairs of some Docs, without changing the Docs.

        docs (Iterable[Doc]): The Docs.
        RETURNS (List[Scored]): For each Doc its candidates and their probabilities.
        """
        docs = list(docs)
        _limit_threads()
        if not self._learning:
            self._warn_without_entities(docs)
        scored = self.model.predict(docs)
        clipped = get_builder(self.model).clipped
        if clipped["middle"] or clipped["span"]:
            self._warn_once(
                f"'{self.name}' met pairs that do not fit in the encoder whole, even "
                "without context: of those too far apart the text between the spans is "
                "shortened, of too long spans the ends are kept (said once)."
            )
        return scored

    def set_annotations(self, docs: Iterable[Doc], scores: list[Scored]) -> None:
        """Write relations to some Docs, in place of those of an earlier run.

        docs (Iterable[Doc]): The Docs.
        scores (List[Scored]): What `predict` returned.
        """
        for doc, scored in zip(docs, scores):
            set_relations(doc, self._decode(scored), self.cfg["relations_key"])

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from a batch of examples.

        The pairs go through the model in parts that fit in `max_tokens`; the gradients
        of all parts are added up before the weights change.

        examples (Iterable[Example]): Examples with gold relations.
        drop (float): Dropout after the LayerNorm.
        sgd (Optional[Optimizer]): The optimizer, or None to accumulate gradients only.
        losses (Optional[Dict[str, float]]): Losses by component name, to be updated.
        RETURNS (Dict[str, float]): The updated losses.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        self._learning = self.use_gold_ents
        examples = list(examples)
        validate_examples(examples, "DualRelationExtractor.update")
        builder = get_builder(self.model)
        examples = self._with_gold_entities(examples)
        batch = [self.find_candidates(example.predicted) for example in examples]
        if not any(len(found.pairs) for found in batch):
            self._warn_without_entities([found.doc for found in batch])
            return losses
        set_dropout_rate(self.model, drop)
        pairs = builder.featurize(batch)
        gold = numpy.concatenate(
            [self._gold(eg, found).labels for eg, found in zip(examples, batch)]
        )
        rows = self._sample(gold)
        if not len(rows):
            return losses
        wanted = self._wanted_descriptions(pairs.allowed, gold)
        n_hard = self.n_descriptions if self.train_descriptions == "hard" else 0
        dual_encoder = self.model.get_ref("dual_encoder")
        for part in self._parts(pairs, rows, wanted):
            part_batch = PairBatch(builder, pairs, part, wanted[part], n_hard)
            scores, backprop = dual_encoder.begin_update(part_batch)
            loss, gradients = self.get_loss(gold[part], scores)
            share = len(part) / len(rows)
            backprop(tuple(None if d is None else d * share for d in gradients))
            losses[self.name] += loss * share
        if sgd not in (None, False):
            self.finish_update(sgd)
        return losses

    def get_loss(
        self,
        gold: numpy.ndarray,
        scores: tuple[torch.Tensor | None, torch.Tensor],
    ) -> tuple[float, tuple[torch.Tensor | None, torch.Tensor]]:
        """Compute the loss, and its gradient with respect to the scores.

        gold (ndarray): The gold predicate of each pair, int, (n,).
        scores (Tuple[Optional[Tensor], Tensor]): z and l, both (n, R + 1).
        RETURNS (Tuple[float, Tuple[Optional[Tensor], Tensor]]): The loss, averaged over
            the pairs, and the gradients of z and l.
        """
        outputs = [None if y is None else y.detach().requires_grad_() for y in scores]
        target = torch.from_numpy(gold).to(scores[1].device)
        alpha = self.model.attrs["settings"].alpha
        z, logits = outputs
        assert logits is not None
        loss = joint_loss(z, logits, target, alpha)
        loss.backward()
        return loss.item(), (None if z is None else z.grad, logits.grad)  # type: ignore[return-value]

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
            predicates, a signature names an entity type that the data does not have,
            or a corpus reader is set to lose gold relations.
        """
        validate_get_examples(get_examples, "DualRelationExtractor.initialize")
        if nlp is not None:
            _refuse_lossy_corpora(nlp.config)
        given = bool(labels) or bool(self._predicates)
        if labels:
            self._set_predicates(parse_predicates(labels))
        examples = self._with_gold_entities(get_examples())
        seen_labels: Counter = Counter()
        types = set()
        for example in examples:
            for _, _, label, _ in self._gold_relations(example):
                seen_labels[label] += 1
            for entity in get_entities(example.reference, self.cfg["spans_key"]):
                types.add(entity.label_)
        missing = {k: n for k, n in seen_labels.items() if k not in self.labels}
        missing.pop(NO_RELATION, None)
        if missing and given:
            raise ValueError(
                f"The training data has relations that '{self.name}' has no predicate "
                f"for: {_counts(missing)}. Add them to the predicates (known: "
                f"{', '.join(self.labels)}), or remove them from the data."
            )
        if missing:
            self._set_predicates(
                parse_predicates({k: describe(k) for k in sorted(missing)})
            )
        self._require_labels()
        self._check_types(types)
        self.model.attrs["entity_types"] = sorted(types)
        self.model.initialize(X=[eg.predicted for eg in islice(examples, 10)])
        self._log_data(examples)

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Score a batch of examples.

        examples (Iterable[Example]): The examples. With `use_gold_ents`, those whose
            predicted Doc no component has set entities on are predicted again with the
            gold entities.
        RETURNS (Dict[str, Any]): The scorer's scores, and `rel_candidate_recall`: the
            share of gold relations whose pair is a candidate, a bound on recall.
        """
        if self.scorer is None:
            return {}
        examples = list(examples)
        ensured = self._with_gold_entities(examples)
        changed = [new for new, old in zip(ensured, examples) if new is not old]
        for part in minibatch(changed, 64):
            docs = [example.predicted for example in part]
            self.set_annotations(docs, self.predict(docs))
        symmetric = [p.label for p in self._predicates if p.symmetric]
        scores = super().score(ensured, **{"symmetric": symmetric, **kwargs})
        golds = [self._gold(eg, self.find_candidates(eg.predicted)) for eg in ensured]
        total = sum(gold.total for gold in golds)
        found = total - sum(sum(gold.lost.values()) for gold in golds)
        return {**scores, "rel_candidate_recall": found / total if total else None}

    def finish_update(self, sgd: Optimizer) -> None:
        """Apply the accumulated gradients.

        sgd (Optimizer): The optimizer.
        """
        self.model.finish_update(sgd)

    def from_bytes(
        self, bytes_data: bytes, *, exclude: Iterable[str] = ()
    ) -> "DualRelationExtractor":
        """Load the component from bytes.

        bytes_data (bytes): The data.
        exclude (Iterable[str]): Names of what is not to be loaded.
        RETURNS (DualRelationExtractor): The component.
        """
        super().from_bytes(bytes_data, exclude=exclude)
        self._restore()
        return self

    def from_disk(
        self, path: str | Path, *, exclude: Iterable[str] = ()
    ) -> "DualRelationExtractor":
        """Load the component from a directory.

        path (Union[str, Path]): The directory.
        exclude (Iterable[str]): Names of what is not to be loaded.
        RETURNS (DualRelationExtractor): The component.
        RAISES (ValueError): If a file is damaged, with its path.
        """
        try:
            super().from_disk(path, exclude=exclude)
            self._restore()
        except FileNotFoundError:
            raise
        except Exception as e:
            raise ValueError(
                f"Can't load '{self.name}' from {Path(path).absolute()}: a file in it "
                f"is damaged or belongs to another config ({type(e).__name__}: {e})."
            ) from e
        return self

    @property
    def _initialized(self) -> bool:
        return get_shim(self.model).tokenizer is not None

    def _set_predicates(self, predicates: tuple[Predicate, ...]) -> None:
        self._predicates = predicates
        self.cfg["predicates"] = to_data(predicates)
        self.model.attrs["predicates"] = self.cfg["predicates"]
        for label in self.labels:
            self.vocab.strings.add(label)

    def _restore(self) -> None:
        install_extension(self.cfg["relations_key"])
        if self.cfg["predicates"]:
            self._set_predicates(parse_predicates(self.cfg["predicates"]))

    def _decode(self, scored: Scored) -> list[Relation]:
        """The relations that the probabilities of one Doc's pairs amount to."""
        candidates, probabilities = scored
        if self.cfg["concepts"] is not None:
            candidates, probabilities = join_mentions(
                candidates, probabilities, self._predicates, self.cfg["concepts"]
            )
        if not len(probabilities):
            return []
        threshold = self.threshold
        if threshold is None:
            best = probabilities.argmax(axis=1)
            found = best > 0
            highest = probabilities.max(axis=1)
        else:
            best = probabilities[:, 1:].argmax(axis=1) + 1
            highest = numpy.take_along_axis(probabilities, best[:, None], axis=1)[:, 0]
            found = (highest >= threshold) & (highest > 0)
        rows = numpy.flatnonzero(found)
        if self.cfg["single_direction"]:
            # Best first; of equals the one that reads from left to right.
            order = rows[numpy.argsort(-highest[rows], kind="stable")]
            first: dict[frozenset, int] = {}
            for row in order.tolist():
                first.setdefault(frozenset(candidates.pairs[row].tolist()), row)
            rows = numpy.asarray(list(first.values()), dtype="int64")
        relations = []
        for row in rows:
            subject, object_ = (candidates.entities[i] for i in candidates.pairs[row])
            label = self._predicates[best[row]].label
            score = min(float(highest[row]), 1.0)
            relations.append(Relation(subject, object_, label, score))
        return relations

    def _with_gold_entities(self, examples: Iterable[Example]) -> list[Example]:
        """Copy entities and sentence boundaries from the gold Doc of each example where
        no component has set them. Examples that need neither are returned as they are.
        """
        if not self.use_gold_ents:
            return list(examples)
        key = self.cfg["spans_key"]
        result = []
        for example in examples:
            gold = example.reference
            needs = _lacks_entities(example.predicted, key)
            if not needs or _lacks_entities(gold, key):
                result.append(example)
                continue
            example = Example(example.predicted.copy(), gold)
            doc = example.predicted
            align = _aligner(example)
            spans = [align(span) for span in get_entities(gold, key)]
            aligned = [span for span in spans if span is not None]
            if key is None:
                doc.ents = filter_spans(aligned)
            else:
                doc.spans[key] = aligned
            if gold.has_annotation("SENT_START") and not doc.has_annotation(
                "SENT_START"
            ):
                for token, start in zip(doc, example.get_aligned_sent_starts()):
                    token.is_sent_start = start
            result.append(example)
        return result

    def _gold_relations(self, example: Example) -> tuple[Relation, ...]:
        return get_relations(example.reference, self.cfg["relations_key"])

    def _gold(self, example: Example, found: Candidates) -> Gold:
        """Find the gold predicate of each candidate pair."""
        labels = numpy.zeros(len(found.pairs), dtype="int64")
        lost: Counter = Counter()
        rows = found.rows()
        index = {predicate.label: r for r, predicate in enumerate(self._predicates)}
        by_type = {(e.start, e.end, e.label_): i for i, e in enumerate(found.entities)}
        by_span = {(e.start, e.end): i for i, e in enumerate(found.entities)}
        relations = self._gold_relations(example)
        align = _aligner(example)
        for relation in relations:
            pair: list[int] = []
            for span in (align(relation.subject), align(relation.object)):
                if span is not None:
                    at = (span.start, span.end)
                    entity = by_type.get((*at, span.label_), by_span.get(at, -1))
                    pair.append(entity)
            predicate = index.get(relation.label)
            if predicate is None:
                lost["label"] += 1
            elif len(pair) < 2 or -1 in pair:
                lost["entity"] += 1
            else:
                if self._predicates[predicate].symmetric:
                    pair.sort()
                row = rows.get((pair[0], pair[1]))
                if not self._predicates[predicate].admits(
                    *(found.entities[i].label_ for i in pair)
                ):
                    lost["signature"] += 1
                elif row is None:
                    lost["distance"] += 1
                elif labels[row] == 0:
                    labels[row] = predicate
        return Gold(labels, lost, len(relations))

    def _sample(self, gold: numpy.ndarray) -> numpy.ndarray:
        """Choose the training pairs of a batch: row numbers, in order."""
        if self.negative_ratio is None:
            return numpy.arange(len(gold))
        positive, negative = numpy.flatnonzero(gold), numpy.flatnonzero(gold == 0)
        n = int(numpy.ceil(self.negative_ratio * max(len(positive), 1)))
        kept = numpy.random.permutation(negative)[:n]
        return numpy.sort(numpy.concatenate([positive, kept]))

    def _wanted_descriptions(
        self, allowed: numpy.ndarray, gold: numpy.ndarray
    ) -> numpy.ndarray:
        """Choose the descriptions that training pairs are scored against for sure."""
        if self.train_descriptions == "all":
            return allowed
        wanted = numpy.zeros_like(allowed)
        wanted[:, 0] = True
        wanted[numpy.arange(len(gold)), gold] = True
        if self.train_descriptions == "random":
            order = numpy.random.random(allowed.shape)
            order[wanted | ~allowed] = numpy.inf
            chosen = order.argsort(axis=1)[:, : self.n_descriptions]
            numpy.put_along_axis(wanted, chosen, True, axis=1)
        return wanted & allowed

    def _parts(
        self, pairs: Pairs, rows: numpy.ndarray, wanted: numpy.ndarray
    ) -> Iterator[numpy.ndarray]:
        """Split training pairs into parts of at most `max_tokens` wordpieces."""
        spans = (pairs.spans[:, 1::2] - pairs.spans[:, ::2]).sum(axis=1)
        builder = get_builder(self.model)
        n_descriptions = wanted.sum(axis=1)
        if self.train_descriptions == "hard":
            n_descriptions = n_descriptions + self.n_descriptions
        lengths = pairs.window[:, 1] - pairs.window[:, 0] + 6
        tokens = lengths + n_descriptions * (spans + builder.description_length)
        rows = rows[numpy.argsort(-lengths[rows], kind="stable")]
        limit = get_max_tokens(self.model.get_ref("dual_encoder"))
        part = (numpy.cumsum(tokens[rows]) // limit).astype("int64")
        yield from numpy.split(rows, numpy.flatnonzero(numpy.diff(part)) + 1)

    def _check_types(self, types: Iterable[str]) -> None:
        for predicate in self._predicates:
            unknown = {*predicate.subject_types, *predicate.object_types} - set(types)
            if unknown:
                warnings.warn(
                    f"The signature of '{predicate.label}' names entity types that the "
                    f"training data lacks: {', '.join(sorted(unknown))} (it has "
                    f"{', '.join(sorted(types)) or 'no entities'})."
                )

    def _log_data(self, examples: list[Example]) -> None:
        """Log what there is to learn from, and what is lost."""
        n_pairs = n_positive = total = second = 0
        lost: Counter = Counter()
        dropped: Counter = Counter()
        violations: Counter = Counter()
        builder = get_builder(self.model)
        builder.clipped.clear()
        for example in examples:
            found = self.find_candidates(example.predicted)
            gold = self._gold(example, found)
            builder.featurize([found])
            n_pairs += len(found.pairs)
            n_positive += int((gold.labels > 0).sum())
            total += gold.total
            lost.update(gold.lost)
            second += (
                gold.total - sum(gold.lost.values()) - int((gold.labels > 0).sum())
            )
            dropped.update(found.dropped)
            if gold.lost["signature"]:
                violations.update(self._violations(example))
        recall = (total - sum(lost.values())) / total if total else 1.0
        # spaCy's command line shows warnings only: whatever is lost must be among them.
        level = logging.WARNING if lost or second else logging.INFO
        logger.log(
            level,
            "%s: %d docs, %d candidate pairs, %d positive; candidate recall %.1f%% of "
            "%d gold relations (lost by reason: %s; further labels of a pair: %d); "
            "pairs dropped: %s; pairs clipped to the encoder's length: %s",
            *(self.name, len(examples), n_pairs, n_positive, 100 * recall, total),
            *(_counts(lost), second, _counts(dropped), _counts(builder.clipped)),
        )
        if violations:
            warnings.warn(
                "Gold relations that violate the signature of their predicate can't be "
                f"learned or found: {_counts(violations)}."
            )
        if total and not n_positive:
            warnings.warn(
                f"None of the {total} gold relations is between candidates, so '"
                f"{self.name}' has nothing to learn. Lost by reason: {_counts(lost)}."
            )

    def _violations(self, example: Example) -> Iterator[str]:
        predicates = {predicate.label: predicate for predicate in self._predicates}
        for subject, object_, label, _ in self._gold_relations(example):
            if not predicates[label].admits(subject.label_, object_.label_):
                yield f"{label} ({subject.label_} -> {object_.label_})"

    def _warn_without_entities(self, docs: Sequence[Doc]) -> None:
        key = self.cfg["spans_key"]
        if docs and all(_lacks_entities(doc, key) for doc in docs):
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


def _limit_threads() -> None:
    """Give the workers of `nlp.pipe(n_process=...)` one thread each, so that together
    they do not ask for more cores than there are; and a forked worker would hang in
    OpenMP if it started threads. OMP_NUM_THREADS takes precedence.
    """
    in_worker = multiprocessing.parent_process() is not None
    if in_worker and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)


def _lacks_entities(doc: Doc, spans_key: str | None) -> bool:
    """Whether no component has looked for entities, which is not finding none."""
    if spans_key is None:
        return len(doc) > 0 and not doc.has_annotation("ENT_IOB")
    return spans_key not in doc.spans


def _aligner(example: Example) -> Callable[[Span], Span | None]:
    """Build a function that finds gold spans in the predicted Doc.

    example (Example): The example.
    RETURNS (Callable[[Span], Optional[Span]]): Takes a span of the gold Doc; returns
        that of the predicted Doc, with its type and ids, or None where there is none
        with the same text.
    """
    doc, gold = example.predicted, example.reference
    same_tokens = [t.idx for t in doc] == [
        t.idx for t in gold
    ] and doc.text == gold.text

    def align(span: Span) -> Span | None:
        start, end = span.start, span.end
        if not same_tokens:
            aligned = example.get_aligned_spans_y2x([span], allow_overlap=True)
            if not aligned or aligned[0].text != span.text:
                return None
            start, end = aligned[0].start, aligned[0].end
        return Span(
            doc, start, end, label=span.label, kb_id=span.kb_id, span_id=span.id
        )

    return align


def _refuse_lossy_corpora(config: Config) -> None:
    """Refuse corpus readers that would drop gold relations without a word."""
    for name, corpus in config.interpolate().get("corpora", {}).items():
        # One function may return all corpora; then these are its arguments.
        if not isinstance(corpus, dict) or corpus.get("@readers") != "spacy.Corpus.v1":
            continue
        for setting, harmless in (("max_length", 0), ("gold_preproc", False)):
            if corpus.get(setting, harmless) != harmless:
                raise ValueError(
                    f"corpora.{name}.{setting} = {corpus[setting]} makes spaCy cut "
                    "Docs into sentences, which drops their gold relations. Set it to "
                    f"{str(harmless).lower()}: max_tokens bounds the memory."
                )


def _refuse_lossy_labels(predicates: PredicateData) -> None:
    """Refuse labels that are not the same after the config is saved and read, where
    ":", "=", "." and others mean something in a key.
    """
    if not isinstance(predicates, Mapping):
        return
    for label, properties in predicates.items():
        config = {"predicates": {label: properties}}
        try:
            kept = Config().from_str(Config(config).to_str()) == config
        except ValueError:
            kept = False
        if not kept:
            raise ValueError(
                f"The label '{label}' can't be a key in a config file. Give the "
                'predicates as a list, [{"label": ..., "description": ...}, ...], or '
                "read them from a file with spacy-dualre.read_predicates.v1."
            )


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {k}" for k, n in sorted(counts.items()) if n) or "none"
