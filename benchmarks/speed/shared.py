"""Compares models that read a Doc once, on the same spaCy transformer: the shared dual
encoder, its linear head alone, and a classifier of the pooled pair, which is what
explosion's tutorial on relation extraction builds.

python benchmarks/speed/shared.py CORPUS --steps 700 --json FILE
"""

import copy
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy
import typer
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import load_model_from_config, registry
from thinc.api import Config, Linear, Model, reduce_mean
from thinc.types import Floats2d, Ragged
from tqdm import tqdm
from wasabi import msg

sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks.datasets import DATASETS, MINILM, NAME, ROOT
from benchmarks.speed.speed import describe_machine
from spacy_dualre.encoding.batches import gather_ranges
from spacy_dualre.model.scores import Scores
from spacy_dualre.model.shared_encoder import ranges_of
from spacy_dualre.pairs.candidates import Candidates
from spacy_dualre.training.corpus import build_corpus
from spacy_dualre.training.gold import complete

SHARED = {"@architectures": "spacy-dualre.SharedEncoder.v1", "encoder": MINILM}
# thinc's Adam takes as long for a transformer's weights as the reading of one abstract.
DOCS_PER_STEP = 4
POOLED = {"@architectures": "spacy-dualre-benchmarks.PooledClassifier.v1"}
MODELS: dict[str, dict[str, Any]] = {
    "shared dual encoder": SHARED,
    "its linear head alone": {**SHARED, "alpha": 1.0},
    "pooled classifier": POOLED,
}


@registry.architectures("spacy-dualre-benchmarks.PooledClassifier.v1")
def build_pooled_classifier(
    tok2vec: Model[list[Doc], list[Floats2d]],
) -> Model[list[Candidates], Scores]:
    """Build a linear classifier of the means of subject and object.

    tok2vec (Model[List[Doc], List[Floats2d]]): The vectors of the tokens.
    RETURNS (Model[List[Candidates], Scores]): The model.
    """
    return Model(
        "pooled_classifier",
        _forward,
        init=_init,
        layers=[tok2vec, reduce_mean(), Linear()],
    )


def _init(
    model: Model, X: list[Candidates] | None = None, Y: Scores | None = None
) -> None:
    assert X
    tok2vec, _, linear = model.layers
    docs = [found.doc for found in X[:10]]
    tok2vec.initialize(X=docs)
    linear.set_dim("nI", 2 * tok2vec.predict(docs)[0].shape[1])
    linear.set_dim("nO", len(X[0].predicates))
    linear.initialize()


def _forward(
    model: Model, batch: Sequence[Candidates], is_train: bool
) -> tuple[Scores, Callable]:
    tok2vec, pool, linear = model.layers
    by_doc, backprop_vectors = tok2vec([found.doc for found in batch], is_train)
    sizes = [len(vectors) for vectors in by_doc]
    starts = numpy.cumsum([0, *sizes])
    ranges = numpy.concatenate([s + ranges_of(f) for s, f in zip(starts, batch)])
    spans = ranges[:, :2].reshape(-1, 2)
    vectors = model.ops.xp.concatenate(by_doc)
    at: Any
    lengths: Any
    at, lengths, _ = gather_ranges(
        numpy.arange(len(vectors)), spans[:, :1], spans[:, 1:]
    )
    pooled, backprop_pool = pool(Ragged(vectors[at], lengths.astype("i")), is_train)
    pairs = pooled.reshape(len(ranges), linear.get_dim("nI"))
    scores, backprop_linear = linear(pairs, is_train)
    allowed = numpy.concatenate([found.allowed for found in batch])

    def backprop(gradients: Scores) -> list[Doc]:
        gradient = backprop_linear(gradients.head).reshape(pooled.shape)
        of_vectors = model.ops.xp.zeros_like(vectors)
        if len(at):
            model.ops.scatter_add(of_vectors, at, backprop_pool(gradient).dataXd)
        return backprop_vectors(model.ops.xp.split(of_vectors, starts[1:-1]))

    head: Any = numpy.where(allowed, scores, -numpy.inf)
    return Scores(batch, None, head), backprop


def make_config(corpus: Path, model: dict[str, Any], steps: int, seed: int) -> Config:
    """Make the config of a pipeline with a transformer and a relation extractor.

    corpus (Path): A converted corpus, in a folder of its name.
    model (Dict[str, Any]): The relation extractor's model, without the Tok2Vec layer.
    steps (int): Training steps. 0: not trained.
    seed (int): The seed.
    RETURNS (Config): The config.
    """
    config = DATASETS[corpus.name].make_config(
        {
            "system.seed": seed,
            "paths.train": str(corpus / "train.spacy"),
            "paths.dev": str(corpus / "dev.spacy"),
            "training.max_steps": max(steps, 1),
            "training.eval_frequency": max(steps, 1),
            "training.batcher.size": DOCS_PER_STEP,
            "training.optimizer.learn_rate.warmup_steps": steps // 10,
        }
    )
    shared = Config().from_disk(ROOT / "configs" / "ner_relations.cfg").interpolate()
    parts = shared["components"]
    listener = parts[NAME]["model"]["tok2vec"]
    config["components"]["transformer"] = parts["transformer"]
    config["nlp"]["pipeline"] = ["transformer", NAME]
    config["components"][NAME]["model"] = {**model, "tok2vec": copy.deepcopy(listener)}
    return load_model_from_config(config, auto_fill=True).config.interpolate()


def find_relations(nlp: Language, docs: list[Doc]) -> tuple[float, float]:
    """RETURNS (Tuple[float, float]): The seconds that a pipeline takes for Docs with
    entities, and those of processor time, which other work disturbs less.
    """
    starts = time.perf_counter(), time.process_time()
    for _ in nlp.pipe(docs):
        pass
    return time.perf_counter() - starts[0], time.process_time() - starts[1]


# fmt: off
def main(
    corpus: Annotated[Path, typer.Argument(help="Converted corpus", exists=True)],
    steps: Annotated[int, typer.Option(help="Training steps, 0: speed alone")] = 0,
    seed: Annotated[int, typer.Option(help="The training's seed")] = 0,
    repeats: Annotated[int, typer.Option(help="Runs over the test split")] = 3,
    model: Annotated[
        list[str] | None, typer.Option(help=f"Of {'; '.join(MODELS)}")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Where the rows go")
    ] = None,
) -> None:
    """Compare models that read a Doc once."""
    # fmt: on
    pipelines = {}
    for name in model or MODELS:
        msg.divider(name)
        nlp = init_nlp(make_config(corpus, MODELS[name], steps, seed))
        pipelines[name] = train(nlp)[0] if steps else nlp
    rows: list[dict[str, Any]] = []
    for name, nlp in pipelines.items():
        extractor: Any = nlp.get_pipe(NAME)
        examples = [
            complete(example, extractor.spans_key)
            for example in build_corpus(str(corpus / "test.spacy"))(nlp)
        ]
        found = [extractor.find_candidates(example.predicted) for example in examples]
        n_pairs = sum(len(own.pairs) for own in found)
        scores = nlp.evaluate(examples) if steps else {}
        said = {"model": name, "steps": steps, "seed": seed, "pairs": n_pairs}
        f1 = scores.get("rel_micro_f")
        rows.append({**said, "f1": f1, "seconds": [], "cpu_seconds": []})
    docs = [example.predicted for example in examples]
    for _ in tqdm(range(repeats), desc="Measure", unit="turn"):
        for row, nlp in zip(rows, pipelines.values()):
            times = find_relations(nlp, [doc.copy() for doc in docs])
            for key, passed in zip(("seconds", "cpu_seconds"), times):
                row[key].append(passed)
    for row in rows:
        row["pairs_per_s"] = row["pairs"] / min(row["seconds"])
        row["pairs_per_cpu_s"] = row["pairs"] / min(row["cpu_seconds"])
    if json_file:
        json_file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf8")
    msg.divider(describe_machine())
    header = ("model", "F1", "pairs/s", "pairs/s of processor time")
    table = [
        (
            row["model"],
            "" if row["f1"] is None else f"{100 * row['f1']:.2f}",
            *(f"{row[key]:,.0f}" for key in ("pairs_per_s", "pairs_per_cpu_s")),
        )
        for row in rows
    ]
    msg.table(table, header=header, aligns=("l", "r", "r", "r"), divider=True)


if __name__ == "__main__":
    typer.run(main)
