"""Trainings with few annotated sentences."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, cast

from spacy.tokens import Doc, Span
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import filter_spans, load_config
from thinc.api import Config

from benchmarks.datasets import NAME, ROOT
from benchmarks.zero_shot.corpora import CORPORA, choose_docs, hash_of
from spacy_dualre.cli.config import complete_config
from spacy_dualre.component import DualRelationExtractor
from spacy_dualre.evaluation import predict_examples
from spacy_dualre.relations import get_relations, set_relations
from spacy_dualre.training.corpus import build_corpus

# The F1 that counts on each.
FEW_CORPORA = {"semeval2010": "macro", "scierc": "micro"}
# With few examples most relations stay below "no_relation", so that a low threshold is
# measured beside the default: the same for all, from other draws and the dev splits.
FEW_THRESHOLD = 0.05
SYSTEMS: dict[str, dict[str, Any]] = {
    "linear": {"model.alpha": 1.0},
    "dual": {},
    "general": {},
}


@dataclass(frozen=True)
class Job:
    """A training with few annotated sentences.

    corpus (str): Of `FEW_CORPORA`.
    system (str): Of `SYSTEMS`.
    size (Optional[int]): How many sentences. None: all.
    draw (int): Which draw, and the seed.
    model (str): The name of the pipeline that is started from, or of the encoder.
    limit (int): Docs that are scored. 0: all.
    """

    corpus: str
    system: str
    size: int | None
    draw: int
    model: str
    limit: int

    @property
    def identity(self) -> dict[str, Any]:
        """RETURNS (Dict[str, Any]): What identifies it in a row."""
        return {"mode": "few", **vars(self)}


def cut_sentences(doc: Doc) -> Iterator[Doc]:
    """Cut an annotated Doc into its sentences, those with a pair of entities.

    doc (Doc): A gold Doc.
    YIELDS (Doc): The sentences, with the entities and relations in them.
    """
    for i, sentence in enumerate(doc.sents):
        inside = range(sentence.start, sentence.end)
        entities = [
            e for e in doc.spans["entities"] if {e.start, e.end - 1} <= {*inside}
        ]
        if len(entities) < 2:
            continue
        own = Doc(
            doc.vocab,
            words=[token.text for token in sentence],
            spaces=[bool(token.whitespace_) for token in sentence],
            sent_starts=[k == 0 for k in range(len(sentence))],
        )

        def moved(span: Span, own: Doc = own, start: int = sentence.start) -> Span:
            return Span(own, span.start - start, span.end - start, span.label)

        own.spans["entities"] = [moved(entity) for entity in entities]
        own.ents = filter_spans(moved(entity) for entity in entities)
        set_relations(
            own,
            [
                (moved(relation.subject), moved(relation.object), relation.label)
                for relation in get_relations(doc)
                if {relation.subject.start, relation.object.start} <= {*inside}
            ],
        )
        own.user_data["doc_id"] = f"{doc.user_data['doc_id']} {i}"
        yield own


def draw_sentences(docs: Iterable[Doc], size: int | None, draw: int) -> list[Doc]:
    """Draw annotated sentences. Larger draws contain the smaller ones.

    docs (Iterable[Doc]): Gold Docs.
    size (Optional[int]): How many. None: all.
    draw (int): Which draw.
    RETURNS (List[Doc]): The sentences, each a Doc.
    """
    sentences = [sentence for doc in docs for sentence in cut_sentences(doc)]
    sentences.sort(key=lambda doc: hash_of(f"{draw}:{doc.user_data['doc_id']}"))
    return sentences[:size]


def make_config(
    job: Job, train: Path, encoder: str, start: Path | None, gpu: int
) -> Config:
    """Make the config of a training.

    job (Job): The training.
    train (Path): Its sentences.
    encoder (str): The encoder's name or path.
    start (Optional[Path]): The pipeline that is started from.
    gpu (int): The GPU's number, -1 for the CPU.
    RETURNS (Config): The config.
    """
    own = ROOT / "configs" / f"{job.corpus}.cfg"
    changes: dict[str, Any] = {
        "paths.train": str(train),
        "paths.dev": str(train),
        "paths.predicates": str(ROOT / CORPORA[job.corpus].predicates),
        "system.seed": job.draw,
        "system.gpu_allocator": "pytorch" if gpu >= 0 else None,
        "corpora.dev.limit": 1,  # nothing is chosen on it
        "training.batcher.size": 8,
        f"components.{NAME}.model.encoder": encoder,
        **{f"components.{NAME}.{k}": v for k, v in SYSTEMS[job.system].items()},
    }
    if start is not None:
        of_start = load_config(start / "config.cfg")["components"][NAME]["model"]
        changes[f"components.{NAME}.model.start"] = str(start)
        changes[f"components.{NAME}.model.fill_spans"] = of_start["fill_spans"]
    configured = load_config(own)["training"]["max_steps"]
    steps = configured if job.size is None else steps_of(job.size)
    changes["training.max_steps"] = changes["training.eval_frequency"] = steps
    changes["training.optimizer.learn_rate.warmup_steps"] = steps // 10
    return complete_config(load_config(own, interpolate=False), changes).interpolate()


def steps_of(size: int) -> int:
    """RETURNS (int): Training steps of 8 sentences, for so many in all."""
    return min(100 + 2 * size, 600)


def train_and_score(config: Config, test: Path, limit: int, gpu: int) -> dict[str, Any]:
    """Train a pipeline, which is not kept, and score it.

    config (Config): Its config.
    test (Path): A `.spacy` file.
    limit (int): Docs that are scored. 0: all.
    gpu (int): The GPU's number, -1 for the CPU.
    RETURNS (Dict[str, Any]): Micro precision, recall and F1, and macro F1, as the
        component decides, and by "threshold" those with `FEW_THRESHOLD`.
    """
    nlp, _ = train(
        init_nlp(config, use_gpu=gpu), use_gpu=gpu, stdout=StringIO(), stderr=StringIO()
    )
    component = cast(DualRelationExtractor, nlp.get_pipe(NAME))
    examples = choose_docs(build_corpus(str(test))(nlp), limit)
    predictions = predict_examples(nlp, NAME, examples)
    docs = [example.predicted for example in predictions.examples]
    names = ("micro_p", "micro_r", "micro_f", "macro_f")
    measures = []
    for threshold in (None, FEW_THRESHOLD):
        component.threshold = threshold
        component.set_annotations(docs, predictions.scored)
        scores = component.score(predictions.examples)
        measures.append({name: scores[f"rel_{name}"] for name in names})
    return {**measures[0], "threshold": {"at": FEW_THRESHOLD, **measures[1]}}
