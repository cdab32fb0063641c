"""Measures the modes of a component side by side."""

import statistics
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy
import torch
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import minibatch
from thinc.util import to_numpy
from tqdm import tqdm

import spacy_dualre.component
from benchmarks.datasets import NAME
from benchmarks.speed.measure import MatrixRate, Memory, Watch, multiply_adds
from benchmarks.speed.naive import BATCH_SIZE, score_batch
from benchmarks.speed.rows import KEYS
from spacy_dualre.component import DualRelationExtractor
from spacy_dualre.encoding.descriptions import Descriptions
from spacy_dualre.encoding.levitated import LevitatedReading
from spacy_dualre.encoding.marked import MarkedReading
from spacy_dualre.encoding.reading import Reading
from spacy_dualre.model.architectures import with_settings
from spacy_dualre.model.compiled import CompiledEncoders
from spacy_dualre.model.description_cache import DescriptionCache
from spacy_dualre.model.devices import has_bfloat16
from spacy_dualre.model.dual_encoder import DualEncoder
from spacy_dualre.model.scores import Scores
from spacy_dualre.model.shim import DualEncoderShim, get_shim
from spacy_dualre.output.probabilities import Scored, to_probabilities
from spacy_dualre.pruning import choose_measure
from spacy_dualre.training.sampler import build_sampler


@dataclass
class Mode:
    """A way to score pairs.

    name (str): Its name.
    dtype (str): The precision of the encoders.
    settings (Dict[str, Any]): What differs from `EXACT` in the model's settings.
    warm (bool): Whether descriptions that it has read before are in the cache.
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

    @property
    def compiles(self) -> bool:
        """RETURNS (bool): Whether it runs compiled encoders."""
        return bool(self.settings.get("compile"))


# Whatever a trained pipeline's config says: a mode must be what its name says.
EXACT: dict[str, Any] = {
    "mixed_precision": False,
    "compile": False,
    "prune": 0.0,
    "predict_with": "dual",
}
BFLOAT16: dict[str, Any] = {"mixed_precision": True}
HEAD: dict[str, Any] = {"predict_with": "head"}
COMPILED: dict[str, Any] = {"compile": True}
NAIVE = Mode("naive")
MODES = [
    NAIVE,
    Mode("exact"),
    Mode("exact, warm cache", warm=True),
    Mode("bfloat16", "bfloat16", BFLOAT16),
    Mode("head", "float32", HEAD),
    Mode("head bfloat16", "bfloat16", {**HEAD, **BFLOAT16}),
    Mode("compiled", settings=COMPILED),
    Mode("compiled bfloat16", "bfloat16", {**COMPILED, **BFLOAT16}),
    Mode("compiled head", settings={**COMPILED, **HEAD}),
    Mode("compiled head bfloat16", "bfloat16", {**COMPILED, **HEAD, **BFLOAT16}),
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
    dual (Optional[ndarray]): z, (pairs, R + 1), nan where there is none.
    head (Optional[ndarray]): l, alike.
    f1 (Optional[float]): The F1 that the pipeline was trained for, if it was.
    """

    seconds: list[float] = field(default_factory=list)
    n_pairs: int = 0
    n_docs: int = 0
    peak_mb: float = 0.0
    wordpieces: int = 0
    real: int = 0
    needed: float = 0.0
    dual: numpy.ndarray | None = None
    head: numpy.ndarray | None = None
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
        self.model = self.component.model
        self.shim = get_shim(self.model)
        self.module: DualEncoder = self.shim.module
        self.device = self.module.log_scale.device
        self.settings = self.shim.settings
        if self.settings.reading is None:
            raise ValueError(
                f"'{NAME}' has no instance encoder of its own, whose modes could be "
                "measured: its text is read by another component."
            )
        self.reading = self.settings.reading
        self.descriptions = self.shim.describe(self.component.predicates)
        self.rate = MatrixRate(self.device)
        found = [self.component.find_candidates(doc) for doc in docs]
        self.pairs = self.shim.pair_tokenizer.locate(found)
        self.allowed = numpy.concatenate([own.allowed for own in found])
        marked = MarkedReading().build(self.pairs, numpy.arange(len(self.pairs)))
        everything = numpy.ones(len(self.pairs), dtype=bool)
        lengths = [marked.lengths, *self._distinct(everything)]
        longest = int(max(part.max(initial=1) for part in lengths))
        self.naive_length = max(naive_length or self.settings.max_length, longest)
        self.memory = Memory()
        self._models: dict[str, Any] = {}

    @property
    def kind(self) -> str:
        """RETURNS (str): What the model is, to name its rows; "" for the usual one."""
        name, reading = "", self.reading
        if isinstance(reading, LevitatedReading):
            name = "levitated-both " if reading.markers == "both" else "levitated "
        if self.settings.alpha == 1:
            return name + "linear "
        return name + ("" if self.settings.fill_spans else "no-spans ")

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

    def use(self, mode: Mode) -> DualEncoderShim:
        """Bring the component into a mode.

        mode (Mode): The mode.
        RETURNS (DualEncoderShim): The shim that it has now.
        """
        settings = {**EXACT, **mode.settings}
        model = self._models.setdefault(
            str(settings), with_settings(self.model, **settings)
        )
        self.component.model = model
        shim = get_shim(model)
        if not mode.warm:
            shim.cache = DescriptionCache(shim.cache.size)
        return shim

    def _warm_up(self, modes: list[Mode]) -> None:
        self._score_naive(numpy.arange(1))
        for mode in modes:
            if mode.name == "naive":
                continue
            self.use(mode)
            with warnings.catch_warnings():
                # A mode must be what its name says.
                warnings.filterwarnings("error", message="compile has no effect")
                # All, so that what is compiled is compiled for any number of inputs.
                self.component.predict(self.docs[: None if mode.compiles else 1])

    def _run(self, mode: Mode, runs: Runs) -> None:
        misses = _Missing(self.use(mode).cache)
        watch = Watch()
        if mode.compiles:
            watch.add("encoders", CompiledEncoders, "__call__")
        else:
            watch.add_encoders(self.module)
        parts: list[Scores] = []
        scored: list[Scored] = []
        with misses, self.memory.peak() as peak, watch:
            for docs in minibatch(self.docs, self.nlp.batch_size):
                found = [self.component.find_candidates(doc) for doc in docs]
                parts.append(self.component.model.predict(found))
                scored += to_probabilities(parts[-1])
        runs.seconds.append(watch.total)
        runs.n_pairs, runs.n_docs = len(self.pairs), len(self.docs)
        runs.peak_mb = max(runs.peak_mb, peak[0])
        runs.wordpieces += watch.wordpieces
        runs.real += watch.real
        dual, head = (
            [to_numpy(y) for y in scores if y is not None]
            for scores in zip(*(part[1:3] for part in parts))
        )
        runs.dual = numpy.concatenate(dual) if dual else None
        runs.head = numpy.concatenate(head) if head else None
        runs.needed = self._needed(misses.lengths, self.reading)
        if self.trained and runs.f1 is None:
            runs.f1 = self._f1(scored)

    def _run_naive(self, runs: Runs, batches: list[numpy.ndarray]) -> None:
        if runs.dual is None or runs.head is None:
            runs.dual = numpy.full(self.allowed.shape, numpy.nan, dtype="float32")
            runs.head = runs.dual.copy()
            runs.seconds = [0.0]
        self.module.eval()
        watch = Watch().add_encoders(self.module)
        with self.memory.peak() as peak, watch:
            for rows in batches:
                z, logits = self._score_naive(rows)
                runs.dual[rows], runs.head[rows] = z.cpu(), logits.cpu()
                runs.n_pairs += len(rows)
        runs.seconds[0] += watch.total
        runs.peak_mb = max(runs.peak_mb, peak[0])
        runs.wordpieces += watch.wordpieces
        runs.real += watch.real
        scored = ~numpy.isnan(runs.dual[:, 0])
        runs.needed = self._needed(self._distinct(scored), MarkedReading(), scored)
        share = runs.n_pairs / len(self.pairs)
        runs.n_docs = round(share * len(self.docs))

    def _score_naive(self, rows: numpy.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        length = self.naive_length
        return score_batch(self.module, self.descriptions, self.pairs, rows, length)

    def _distinct(self, rows: numpy.ndarray) -> list[numpy.ndarray]:
        """Wordpieces of the distinct descriptions of some pairs."""
        asked = self.allowed[:, self.descriptions.of_predicate]
        row, description = numpy.nonzero(asked & rows[:, None])
        surfaces = self.descriptions.surfaces(self.pairs)[self.pairs.surfaces[row]]
        distinct = numpy.unique(numpy.column_stack([surfaces, description]), axis=0)
        return [_lengths(set(self.descriptions.build(self.pairs, *distinct.T).keys()))]

    def _needed(
        self,
        descriptions: list[numpy.ndarray],
        reading: Reading,
        rows: numpy.ndarray | None = None,
    ) -> float:
        """Multiply-adds of all instances and of descriptions of these lengths."""
        chosen = numpy.arange(len(self.pairs)) if rows is None else rows.nonzero()[0]
        instances = reading.build(self.pairs, chosen).lengths
        lengths = numpy.concatenate([*descriptions, numpy.zeros(0, dtype="int64")])
        reads_instances = self.module.instance_encoder
        assert reads_instances is not None
        encoder = self.module.predicate_encoder or reads_instances
        return multiply_adds(reads_instances.config, instances) + multiply_adds(
            encoder.config, lengths
        )

    def _f1(self, scored: list[Scored]) -> float | None:
        self.component.set_annotations(self.docs, scored)
        examples = [Example(x, y) for x, y in zip(self.docs, self.gold)]
        scores = self.component.score(examples)
        for doc in self.docs:
            doc.spans.pop(self.component.relations_key, None)
        weights = self.nlp.config["training"]["score_weights"]
        f1: float | None = scores[choose_measure(weights, scores)]
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
            if isinstance(self.settings.reading, MarkedReading):
                row["max_score_diff"] = self._difference(runs, naive)
        return row

    def _difference(self, runs: Runs, naive: Runs) -> float:
        """The largest difference of the scores that both have computed."""
        ours, theirs = runs.dual, naive.dual
        if ours is None:  # the head alone
            ours, theirs = runs.head, naive.head
        assert ours is not None and theirs is not None
        computed = self.allowed & numpy.isfinite(ours)
        # Where the head is sure, none was computed, and its choice has 0.
        computed &= computed.sum(axis=1, keepdims=True) > 1
        both = computed & numpy.isfinite(theirs)
        return float(numpy.abs(ours[both] - theirs[both]).max(initial=0))

    def choose(self, names: list[str] | None) -> list[Mode]:
        """Choose the modes that are measured.

        names (Optional[List[str]]): Their names. None: all but those that compile.
        RETURNS (List[Mode]): Those of them that this model can run.
        """
        return [
            mode
            for mode in MODES
            if (mode.name in names if names is not None else not mode.compiles)
            and (self.trained or not mode.trained)
            and (self.settings.alpha < 1 or not mode.reads_descriptions)
            and (mode.dtype != "bfloat16" or has_bfloat16(self.device))
        ]

    def pipeline_row(self) -> dict[str, Any]:
        """Measure the component inside `nlp.pipe`, and where the time goes.

        RETURNS (Dict[str, Any]): A row, with the share of each part of the time.
        """
        shim = self.use(Mode("exact"))
        docs = [doc.copy() for doc in self.docs]
        watch = self._watch_parts()
        watch.add("cache", shim.cache, "fetch")
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
        shim = self.use(Mode("exact"))
        self.component.sampler = build_sampler()
        state = {k: v.clone() for k, v in self.module.state_dict().items()}
        chosen = [
            (doc, gold)
            for doc, gold in zip(self.docs, self.gold)
            if len(self.component.find_candidates(doc).pairs)
        ][: steps + 1]
        optimizer = self.nlp.create_optimizer()
        watch = self._watch_parts()
        watch.add("backprop", torch.autograd, "backward")
        watch.add("optimizer", shim, "finish_update")
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

    def _watch_parts(self) -> Watch:
        watch = Watch().add_encoders(self.module)
        watch.add("candidates", spacy_dualre.component, "find_candidates")
        watch.add("features", self.shim.pair_tokenizer, "locate")
        watch.add("features", self.settings.reading, "build")
        return watch.add("features", Descriptions, "build")

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
