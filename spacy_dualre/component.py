"""The pipeline component: `nlp.add_pipe("dual_relation_extractor")`."""

import logging
import multiprocessing
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy
import torch
from spacy.errors import Errors
from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.util import minibatch
from spacy.vocab import Vocab
from thinc.api import Config, Model, Optimizer, set_dropout_rate

from .architectures import PairBatch, Scored, get_builder, get_max_tokens
from .candidates import Candidates, PairFinder, find_candidates, get_entities
from .concepts import JOIN
from .corpus import refuse_lossy_corpora
from .data_report import check_types, report_data
from .decoding import decode
from .dual_encoder import joint_loss
from .gold import Gold, copy_gold_entities, find_gold, gold_relations, lacks_entities
from .predicates import (
    NO_RELATION,
    Predicate,
    PredicateData,
    describe,
    parse_predicates,
    refuse_lossy_labels,
    to_data,
)
from .relations import install_extension, set_relations
from .sampling import (
    RANKED_BY_HEAD,
    TRAIN_DESCRIPTIONS,
    choose_descriptions,
    sample_pairs,
    split_pairs,
)
from .scorer import score_relations
from .shim import get_shim

logger = logging.getLogger("spacy")

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
        "rel_candidate_f": None,
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
    refuse_lossy_labels(predicates or {})
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
        which the auxiliary head ranks highest ("hard") or any ("random"); or "mixed",
        all for pairs with a relation and hard ones for the others.
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
        ranked = train_descriptions in RANKED_BY_HEAD
        if ranked and model.attrs["settings"].alpha == 0:
            raise ValueError(
                f"train_descriptions can't be {train_descriptions} where alpha is 0, "
                "because the auxiliary head, which ranks them, is not trained."
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
            relations = decode(
                scored,
                self._predicates,
                threshold=self.cfg["threshold"],
                concepts=self.cfg["concepts"],
                single_direction=self.cfg["single_direction"],
            )
            set_relations(doc, relations, self.cfg["relations_key"])

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
        examples = self._ensure_entities(examples)
        batch = [self.find_candidates(example.predicted) for example in examples]
        if not any(len(found.pairs) for found in batch):
            self._warn_without_entities([found.doc for found in batch])
            return losses
        set_dropout_rate(self.model, drop)
        pairs = builder.featurize(batch)
        gold = numpy.concatenate(
            [self._find_gold(eg, found).labels for eg, found in zip(examples, batch)]
        )
        rows = sample_pairs(gold, self.negative_ratio)
        if not len(rows):
            return losses
        wanted = choose_descriptions(
            pairs.allowed, gold, self.train_descriptions, self.n_descriptions
        )
        ranked = self.train_descriptions in RANKED_BY_HEAD
        n_hard = self.n_descriptions if ranked else 0
        dual_encoder = self.model.get_ref("dual_encoder")
        n_wanted = wanted.sum(axis=1) + n_hard
        max_tokens = get_max_tokens(dual_encoder)
        length = builder.description_length
        levitated = self.model.attrs["settings"].levitated_markers
        for part in split_pairs(pairs, rows, n_wanted, length, max_tokens, levitated):
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
            refuse_lossy_corpora(nlp.config)
        given = bool(labels) or bool(self._predicates)
        if labels:
            self._set_predicates(parse_predicates(labels))
        examples = self._ensure_entities(get_examples())
        seen_labels: Counter = Counter()
        types = set()
        for example in examples:
            for relation in gold_relations(example, self.cfg["relations_key"]):
                seen_labels[relation.label] += 1
            for entity in get_entities(example.reference, self.cfg["spans_key"]):
                types.add(entity.label_)
        missing = sorted(set(seen_labels) - set(self.labels))
        if missing and given:
            counts = ", ".join(f"{seen_labels[label]} {label}" for label in missing)
            raise ValueError(
                f"The training data has relations that '{self.name}' has no predicate "
                f"for: {counts}. Add them to the predicates (known: "
                f"{', '.join(self.labels)}), or remove them from the data."
            )
        if missing:
            self._set_predicates(
                parse_predicates({label: describe(label) for label in missing})
            )
        self._require_labels()
        check_types(self._predicates, sorted(types))
        self.model.attrs["entity_types"] = sorted(types)
        self.model.initialize(X=[eg.predicted for eg in islice(examples, 10)])
        self._report_data(examples)

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
        examples = list(examples)
        ensured = self._ensure_entities(examples)
        changed = [new for new, old in zip(ensured, examples) if new is not old]
        for part in minibatch(changed, 64):
            docs = [example.predicted for example in part]
            self.set_annotations(docs, self.predict(docs))
        symmetric = [p.label for p in self._predicates if p.symmetric]
        scores = super().score(ensured, **{"symmetric": symmetric, **kwargs})
        golds = [
            self._find_gold(eg, self.find_candidates(eg.predicted)) for eg in ensured
        ]
        total = sum(gold.total for gold in golds)
        found = total - sum(sum(gold.lost.values()) for gold in golds)
        scores["rel_candidate_recall"] = found / total if total else None
        scores["rel_candidate_f"] = None
        p, r = scores.get("rel_micro_p"), scores.get("rel_micro_r")
        if found and p is not None and r is not None:
            r *= total / found
            scores["rel_candidate_f"] = 2 * p * r / ((p + r) or 1.0)
        return scores

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

    def _ensure_entities(self, examples: Iterable[Example]) -> list[Example]:
        if not self.use_gold_ents:
            return list(examples)
        return copy_gold_entities(examples, self.cfg["spans_key"])

    def _find_gold(self, example: Example, found: Candidates) -> Gold:
        key = self.cfg["relations_key"]
        return find_gold(example, found, self._predicates, key)

    def _report_data(self, examples: list[Example]) -> None:
        docs = [example.predicted for example in examples]
        key = self.cfg["spans_key"]
        if not self.use_gold_ents and all(lacks_entities(doc, key) for doc in docs):
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
        report_data(
            self.name,
            data,
            self._predicates,
            get_builder(self.model),
            self.cfg["relations_key"],
        )

    def _warn_without_entities(self, docs: Sequence[Doc]) -> None:
        key = self.cfg["spans_key"]
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


def _limit_threads() -> None:
    """Give the workers of `nlp.pipe(n_process=...)` one thread each, so that together
    they do not ask for more cores than there are; and a forked worker would hang in
    OpenMP if it started threads. OMP_NUM_THREADS takes precedence.
    """
    in_worker = multiprocessing.parent_process() is not None
    if in_worker and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
