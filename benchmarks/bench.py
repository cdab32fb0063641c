"""Measures the modes of a component side by side."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy
import torch
from measure import MatrixRate, Memory, Watch, multiply_adds
from naive import BATCH_SIZE, score_batch
from rows import KEYS
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import minibatch
from tqdm import tqdm
from workloads import NAME

import spacy_dualre.component
from spacy_dualre.architectures import PairBatch, get_builder, has_bfloat16
from spacy_dualre.component import DualRelationExtractor
from spacy_dualre.description_cache import DescriptionCache
from spacy_dualre.dual_encoder import DualEncoder
from spacy_dualre.shim import get_shim

# The methods of the builder that make the encoders' inputs.
FEATURES = ("featurize", "instances", "shared_instances", "descriptions")


@dataclass
class Mode:
    """A way to score pairs.

    name (str): Its name.
    dtype (str): The precision of the encoders.
    settings (Dict[str, Any]): What differs from `EXACT` in the model's settings.
    warm (bool): Whether the descriptions of the mode before are still in the cache.
    trained (bool): Whether it depends on what the head has learned.
    """

    name: str
    dtype: str = "float32"
    settings: dict[str, Any] = field(default_factory=dict)
    warm: bool = False
    trained: bool = False

    @property
    def reads_descriptions(self) -> bool:
        """RETURNS (bool): Whether it needs a predicate encoder."""
        return self.name != "naive" and self.settings.get("predict_with") != "head"


# Whatever a trained pipeline's config says: a mode must be what its name says.
EXACT: dict[str, Any] = {"mixed_precision": False, "prune": 0.0, "predict_with": "dual"}
BFLOAT16: dict[str, Any] = {"mixed_precision": True}
HEAD: dict[str, Any] = {"predict_with": "head"}
NAIVE = Mode("naive")
MODES = [
    NAIVE,
    Mode("exact"),
    Mode("exact, warm cache", warm=True),
    Mode("bfloat16", "bfloat16", BFLOAT16),
    Mode("head", "float32", HEAD),
    Mode("head bfloat16", "bfloat16", {**HEAD, **BFLOAT16}),
    Mode("prune 0.01", settings={"prune": 0.01}, trained=True),
    Mode("prune 0.05", settings={"prune": 0.05}, trained=True),
    Mode("prune 0.2", settings={"prune": 0.2}, trained=True),
    Mode("prune 0.05 bfloat16", "bfloat16", {"prune": 0.05, **BFLOAT16}, trained=True),
]

# Not modes of scoring, but rows beside them.
NLP_PIPE, TRAINING_STEP = "nlp.pipe", "training step"


@dataclass
class Runs:
    """What was measured of a mode.

    seconds (List[float]): How long each run took.
    n_pairs (int): The pairs of a run.
    n_docs (int): The Docs of a run.
    peak_mb (float): The highest memory above the loaded model.
    wordpieces (int): Wordpieces encoded in all runs, padding included.
    real (int): Those that are no padding.
    needed (float): Multiply-adds that a run can't do without.
    scores (Optional[ndarray]): z, or l where the head predicts; (pairs, R + 1), nan
        where there is none.
    f1 (Optional[float]): Of the predicted relations, with trained weights.
    """

    seconds: list[float] = field(default_factory=list)
    n_pairs: int = 0
    n_docs: int = 0
    peak_mb: float = 0.0
    wordpieces: int = 0
    real: int = 0
    needed: float = 0.0
    scores: numpy.ndarray | None = None
    logits: numpy.ndarray | None = None
    f1: float | None = None


class Bench:
    """Measures a component on some Docs.

    nlp (Language): The pipeline.
    docs (List[Doc]): Docs with entities, without relations.
    gold (List[Doc]): The same Docs with gold relations.
    trained (bool): Whether the weights are trained, so that F1 means something.
    naive_length (Optional[int]): What the naive mode pads to, if nothing is longer: the
        corpus' usual length. A trained pipeline's own limit may be far higher, which
        would only make the naive mode slower. None: the pipeline's limit.
    """

    def __init__(
        self,
        nlp: Language,
        docs: list[Doc],
        gold: list[Doc],
        trained: bool = False,
        naive_length: int | None = None,
    ) -> None:
        self.nlp, self.docs, self.gold, self.trained = nlp, docs, gold, trained
        self.component: DualRelationExtractor = nlp.get_pipe(NAME)  # type: ignore[assignment]
        self.layer = self.component.model.get_ref("dual_encoder")
        self.module: DualEncoder = get_shim(self.layer).module
        self.device = self.module.log_scale.device
        self.settings = self.component.model.attrs["settings"]
        self.builder = get_builder(self.component.model)
        self.rate = MatrixRate(self.device)
        found = [self.component.find_candidates(doc) for doc in docs]
        self.pairs = self.builder.featurize(found)
        instances = self.builder.instances(self.pairs, numpy.arange(len(self.pairs)))
        everything = numpy.ones(len(self.pairs), dtype=bool)
        lengths = [instances.lengths, *self._distinct(everything)]
        longest = int(max(part.max(initial=1) for part in lengths))
        self.naive_length = max(naive_length or self.builder.max_length, longest)
        self.memory = Memory()

    @property
    def kind(self) -> str:
        """RETURNS (str): What the model is, to name its rows; "" for the usual one."""
        names = {None: "", "object": "levitated ", "both": "levitated-both "}
        levitated = names[self.settings.levitated_markers]
        if self.settings.alpha == 1:
            return levitated + "linear "
        return levitated + ("" if self.settings.fill_spans else "no-spans ")

    def measure(
        self,
        modes: list[Mode],
        repeats: int,
        naive_pairs: int | None = None,
        progress: bool = True,
    ) -> list[dict[str, Any]]:
        """Measure modes in turns, so that a change of the machine's load meets all.

        modes (List[Mode]): The modes.
        repeats (int): How often each runs over all pairs. The naive one runs once, a
            part of it in each turn.
        naive_pairs (Optional[int]): How many pairs the naive mode scores at most.
        progress (bool): Whether to show a progress bar.
        RETURNS (List[Dict[str, Any]]): One row for each mode.
        """
        runs = {mode.name: Runs() for mode in modes}
        n = min(len(self.pairs), naive_pairs or len(self.pairs))
        batches = numpy.split(numpy.arange(n), range(BATCH_SIZE, n, BATCH_SIZE))
        self._warm_up(modes)
        n_runs = repeats * len(modes)
        bar = tqdm(total=n_runs, desc="Measure", unit="run", disable=not progress)
        for turn in range(repeats):
            for dtype in sorted({mode.dtype for mode in modes}):
                self.rate.sample(dtype)
            for mode in modes:
                bar.set_postfix_str(mode.name)
                if mode.name == "naive":
                    self._run_naive(runs["naive"], batches[turn::repeats])
                else:
                    self._run(mode, runs[mode.name])
                bar.update()
        bar.close()
        return [self._row(mode, runs[mode.name], runs.get("naive")) for mode in modes]

    def use(self, mode: Mode) -> None:
        """Bring the component into a mode.

        mode (Mode): The mode.
        """
        only_head = HEAD if self.settings.alpha == 1 else {}
        for name, value in {**EXACT, **mode.settings, **only_head}.items():
            setattr(self.settings, name, value)
        if not mode.warm:
            size = self.layer.attrs["cache"].size
            self.layer.attrs["cache"] = DescriptionCache(size)

    def _warm_up(self, modes: list[Mode]) -> None:
        score_batch(
            self.module, self.builder, self.pairs, numpy.arange(1), self.naive_length
        )
        for mode in modes:
            if mode.name != "naive":
                self.use(mode)
                self.component.predict(self.docs[:1])

    def _run(self, mode: Mode, runs: Runs) -> None:
        self.use(mode)
        misses = _Missing(self.layer.attrs["cache"])
        outputs: list[Any] = []
        forward = self.layer._func

        def record(model: Any, batch: PairBatch, is_train: bool) -> Any:
            result = forward(model, batch, is_train)
            outputs.append(result[0])
            return result

        self.layer._func = record
        watch = Watch().add_encoders(self.module)
        try:
            with misses, self.memory.peak() as peak, watch:
                scored = [
                    result
                    for part in minibatch(self.docs, self.nlp.batch_size)
                    for result in self.component.predict(part)
                ]
        finally:
            self.layer._func = forward
        runs.seconds.append(watch.total)
        runs.n_pairs, runs.n_docs = len(self.pairs), len(self.docs)
        runs.peak_mb = max(runs.peak_mb, peak[0])
        runs.wordpieces += watch.wordpieces
        runs.real += watch.real
        logits = [output[1].float().cpu().numpy() for output in outputs]
        runs.logits = numpy.concatenate(logits)
        if outputs[0][0] is not None:
            scores = [z.float().cpu().numpy() for z, _ in outputs]
            runs.scores = numpy.concatenate(scores)
        runs.needed = self._needed(misses.lengths)
        if self.trained and runs.f1 is None:
            runs.f1 = self._f1(scored)

    def _run_naive(self, runs: Runs, batches: list[numpy.ndarray]) -> None:
        shape = self.pairs.allowed.shape
        if runs.scores is None or runs.logits is None:
            runs.scores = numpy.full(shape, numpy.nan, dtype="float32")
            runs.logits = runs.scores.copy()
            runs.seconds = [0.0]
        self.module.eval()
        watch = Watch().add_encoders(self.module)
        with self.memory.peak() as peak, watch:
            for rows in batches:
                z, logits = score_batch(
                    self.module, self.builder, self.pairs, rows, self.naive_length
                )
                runs.scores[rows], runs.logits[rows] = z.cpu(), logits.cpu()
                runs.n_pairs += len(rows)
        runs.seconds[0] += watch.total
        runs.peak_mb = max(runs.peak_mb, peak[0])
        runs.wordpieces += watch.wordpieces
        runs.real += watch.real
        scored = ~numpy.isnan(runs.scores[:, 0])
        runs.needed = self._needed(self._distinct(scored), scored)
        share = runs.n_pairs / len(self.pairs)
        runs.n_docs = round(share * len(self.docs))

    def _distinct(self, rows: numpy.ndarray) -> list[numpy.ndarray]:
        """Wordpieces of the distinct descriptions of some pairs."""
        row, r = numpy.nonzero(self.pairs.allowed & rows[:, None])
        surfaces = self.pairs.surfaces[row]
        distinct = numpy.unique(numpy.column_stack([surfaces, r]), axis=0)
        keys = set(self.builder.descriptions(self.pairs, *distinct.T).keys())
        return [_lengths(keys)]

    def _needed(
        self, descriptions: list[numpy.ndarray], rows: numpy.ndarray | None = None
    ) -> float:
        """Multiply-adds of all instances and of descriptions of these lengths."""
        module = self.module
        chosen = numpy.arange(len(self.pairs)) if rows is None else rows.nonzero()[0]
        levitated = self.settings.levitated_markers
        if levitated and rows is None:
            shared = self.builder.shared_instances(self.pairs, chosen, levitated)
            instances = shared.lengths
        else:
            instances = self.builder.instances(self.pairs, chosen).lengths
        lengths = numpy.concatenate([*descriptions, numpy.zeros(0, dtype="int64")])
        encoder = module.predicate_encoder or module.instance_encoder
        return multiply_adds(module.instance_encoder.config, instances) + multiply_adds(
            encoder.config, lengths
        )

    def _f1(self, scored: list[Any]) -> float | None:
        self.component.set_annotations(self.docs, scored)
        examples = [Example(x, y) for x, y in zip(self.docs, self.gold)]
        f1: float | None = self.component.score(examples)["rel_micro_f"]
        for doc in self.docs:
            doc.spans.pop(self.component.cfg["relations_key"], None)
        return f1

    def _row(self, mode: Mode, runs: Runs, naive: Runs | None) -> dict[str, Any]:
        seconds = statistics.median(runs.seconds)
        speed = runs.n_pairs / seconds
        row: dict[str, Any] = {
            "mode": self.kind + mode.name,
            "dtype": mode.dtype,
            "device": self.device.type,
            "pairs": runs.n_pairs,
            "seconds": seconds,
            "pairs_per_s": speed,
            "ratio_to_naive": None,
            "share_of_ceiling": runs.needed / self.rate.best[mode.dtype] / seconds,
            "padding": 1 - runs.real / max(runs.wordpieces, 1),
            "peak_mb": runs.peak_mb,
            "max_score_diff": None,
            "docs_per_s": runs.n_docs / seconds,
            "runs": runs.seconds,
            "f1": runs.f1,
        }
        if naive is not None and naive.n_pairs:
            row["ratio_to_naive"] = speed * sum(naive.seconds) / naive.n_pairs
            if not self.settings.levitated_markers:  # which is another model
                row["max_score_diff"] = self._difference(runs, naive)
        return row

    def _difference(self, runs: Runs, naive: Runs) -> float:
        """The largest difference of the scores that both have computed."""
        ours, theirs = runs.scores, naive.scores
        if ours is None:  # the head alone
            ours, theirs = runs.logits, naive.logits
        assert ours is not None and theirs is not None
        both = self.pairs.allowed & numpy.isfinite(ours) & numpy.isfinite(theirs)
        return float(numpy.abs(ours[both] - theirs[both]).max(initial=0))

    def choose(self, names: list[str] | None) -> list[Mode]:
        """Choose the modes that are measured.

        names (Optional[List[str]]): Their names. None: all.
        RETURNS (List[Mode]): Those of them that this model can run.
        """
        return [
            mode
            for mode in MODES
            if (names is None or mode.name in names)
            and (self.trained or not mode.trained)
            and (self.settings.alpha < 1 or not mode.reads_descriptions)
            and (mode.dtype != "bfloat16" or has_bfloat16(self.device))
        ]

    def pipeline_row(self) -> dict[str, Any]:
        """Measure the component inside `nlp.pipe`, and where the time goes.

        RETURNS (Dict[str, Any]): A row, with the share of each part of the time.
        """
        self.use(Mode("exact"))
        docs = [doc.copy() for doc in self.docs]
        watch = Watch().add_encoders(self.module)
        watch.add("candidates", spacy_dualre.component, "find_candidates")
        watch.add("features", self.builder, *FEATURES)
        watch.add("cache", self.layer.attrs["cache"], "fetch")
        watch.add("annotations", self.component, "set_annotations")
        with self.memory.peak() as peak, watch:
            for _ in self.nlp.pipe(docs):
                pass
        row = self._watched_row(NLP_PIPE, watch, peak[0])
        row["docs_per_s"] = len(docs) / watch.total
        return row

    def training_row(self, steps: int = 4) -> dict[str, Any]:
        """Measure training steps of one Doc each, with all pairs and descriptions.

        Backpropagation is counted with the encoders, although a little of it is that of
        the layers behind them.

        steps (int): How many.
        RETURNS (Dict[str, Any]): A row, with the share of each part of the time. Its
            `seconds` are those of a step.
        """
        self.use(Mode("exact"))
        self.component.train_descriptions = "all"
        self.component.negative_ratio = None
        state = {k: v.clone() for k, v in self.module.state_dict().items()}
        chosen = [
            (doc, gold)
            for doc, gold in zip(self.docs, self.gold)
            if len(self.component.find_candidates(doc).pairs)
        ][: steps + 1]
        optimizer = self.nlp.create_optimizer()
        watch = Watch().add_encoders(self.module)
        watch.add("candidates", spacy_dualre.component, "find_candidates")
        watch.add("features", self.builder, *FEATURES)
        watch.add("backprop", torch.autograd, "backward")
        watch.add("optimizer", get_shim(self.layer), "finish_update")
        n_pairs, peak_mb = 0, 0.0
        for i in range(steps + 1):
            doc, gold = chosen[i % len(chosen)]
            example = Example(doc.copy(), gold)
            if i == 0:  # the first step makes the optimizer's state
                self.nlp.update([example], sgd=optimizer)
                continue
            with self.memory.peak() as peak, watch:
                self.nlp.update([example], sgd=optimizer)
            peak_mb = max(peak_mb, peak[0])
            n_pairs += len(self.component.find_candidates(doc).pairs)
        self.module.load_state_dict(state)
        self.module.zero_grad()
        row = self._watched_row(TRAINING_STEP, watch, peak_mb, n_pairs)
        row["seconds"] = watch.total / steps
        row["docs_per_s"] = steps / watch.total
        return row

    def _watched_row(
        self, name: str, watch: Watch, peak_mb: float, n_pairs: int | None = None
    ) -> dict[str, Any]:
        n_pairs = len(self.pairs) if n_pairs is None else n_pairs
        parts = {part: s / watch.total for part, s in watch.seconds.items()}
        row: dict[str, Any] = dict.fromkeys(KEYS)
        row.update(
            mode=self.kind + name,
            dtype="float32",
            device=self.device.type,
            pairs=n_pairs,
            seconds=watch.total,
            pairs_per_s=n_pairs / watch.total,
            padding=1 - watch.real / max(watch.wordpieces, 1),
            peak_mb=peak_mb,
            parts={**parts, "rest": 1 - sum(parts.values())},
        )
        encoders = parts["encoders"] + parts.get("backprop", 0.0)
        row["outside_encoders"] = 1 - encoders
        return row


def _lengths(keys: Iterable[bytes]) -> numpy.ndarray:
    """Wordpieces of descriptions, from their keys, which have 4 bytes for each."""
    return numpy.asarray([len(key) // 4 for key in keys], dtype="int64")


class _Missing:
    """Records the lengths of the descriptions that a cache has to have encoded."""

    def __init__(self, cache: DescriptionCache) -> None:
        self.cache = cache
        self.lengths: list[numpy.ndarray] = []

    def __enter__(self) -> "_Missing":
        fetch = self.cache.fetch

        def recording(keys: Any, version: Any, encode: Any) -> torch.Tensor:
            def recorded(rows: list[int]) -> torch.Tensor:
                self.lengths.append(_lengths(keys[row] for row in rows))
                vectors: torch.Tensor = encode(rows)
                return vectors

            return fetch(keys, version, recorded)

        self.cache.fetch = recording  # type: ignore[method-assign]
        return self

    def __exit__(self, *args: Any) -> None:
        del self.cache.fetch
