"""Sweeps over synthetic Docs: does time grow linearly, and is memory bounded?"""

import os
import random
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import spacy
import torch
from spacy.language import Language
from spacy.tokens import Doc, Span
from tqdm import tqdm

from benchmarks.datasets import NAME
from benchmarks.speed.bench import NAIVE, Bench, Mode
from benchmarks.speed.measure import Memory, Watch
from benchmarks.speed.rows import KEYS
from benchmarks.speed.workloads import LIMIT, initialize, take_pairs
from spacy_dualre.model.shim import get_shim

WORDS = [f"w{i}" for i in range(1000)]
TYPES = ("A", "B")
PAIRS = (10, 30, 100, 300, 1000, 3000, 10000)
PREDICATES = (2, 5, 10, 20, 50, 100)
SENTENCE_WORDS = (16, 32, 64, 128, 240)
DOC_WORDS = (300, 1000, 3000, 10000, 30000)
FEW_PAIRS = 120
# Entities of a sentence; all of them are paired, in both orders.
PER_SENTENCE = 4


@Language.component("benchmark_threads")
def note_threads(doc: Doc) -> Doc:
    """Note how many threads torch has in the process that reads a Doc."""
    doc.user_data["benchmark_threads"] = os.getpid(), torch.get_num_threads()
    return doc


def make_small_encoder(folder: Path) -> str:
    """Write a small BERT with random weights, whose wordpieces are whole words.

    folder (Path): Where to write it.
    RETURNS (str): The folder, as an encoder's name.
    """
    from transformers import BertConfig, BertModel, BertTokenizerFast

    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocab), encoding="utf8")
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=512)
    tokenizer.save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocab),
        hidden_size=64,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=2,
    )
    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder, safe_serialization=True)
    return str(folder)


def make_doc(
    nlp: Language,
    n_sentences: int,
    n_words: int = 24,
    n_entities: int = PER_SENTENCE,
    plain_words: int = 0,
    seed: int = 0,
) -> Doc:
    """Make a Doc of random words.

    nlp (Language): The pipeline whose vocabulary is used.
    n_sentences (int): Sentences with entities.
    n_words (int): Words of each sentence.
    n_entities (int): Entities of each of them, one word each.
    plain_words (int): Words of further sentences, which have no entities.
    seed (int): The seed.
    RETURNS (Doc): The Doc.
    """
    rng = random.Random(seed)
    total = n_sentences * n_words + plain_words
    starts: list[bool | int | None] = [i % n_words == 0 for i in range(total)]
    doc = Doc(nlp.vocab, words=rng.choices(WORDS, k=total), sent_starts=starts)
    doc.ents = [
        Span(doc, at, at + 1, label=rng.choice(TYPES))
        for sentence in range(n_sentences)
        for i in sorted(rng.sample(range(n_words), n_entities))
        for at in (sentence * n_words + i,)
    ]
    return doc


def make_synthetic_pipeline(
    encoder: str,
    n_predicates: int = 5,
    max_length: int = 256,
    max_sentences: int | None = 1,
) -> Language:
    """Make a pipeline for synthetic Docs, with untrained weights.

    encoder (str): The encoder.
    n_predicates (int): Predicates beside "no_relation".
    max_length (int): Wordpieces of an input at most.
    max_sentences (Optional[int]): How many sentences a pair may touch.
    RETURNS (Language): The pipeline, initialized.
    """
    nlp = spacy.blank("en")
    rng = random.Random(0)
    config = {
        "predicates": [
            {
                "label": f"p{i}",
                "description": f"{{subject}} {' '.join(rng.choices(WORDS, k=8))} "
                "{object}",
            }
            for i in range(n_predicates)
        ],
        "candidates": {
            "@misc": "spacy-dualre.candidate_pairs.v1",
            "max_sentences": max_sentences,
        },
        "model": {
            "@architectures": "spacy-dualre.DualEncoder.v1",
            "encoder": encoder,
            "max_length": max_length,
        },
    }
    docs = [make_doc(nlp, 8, seed=-1)]
    doc = docs[0]
    doc._.relations = [(doc.ents[0], doc.ents[1], f"p{n_predicates - 1}")]
    nlp.add_pipe(NAME, config=config)
    initialize(nlp, docs)
    return nlp


def run_sweeps(
    folder: Path, encoder: str | None, max_pairs: int, n_docs: int, n_entities: int
) -> list[dict[str, Any]]:
    """Run all sweeps.

    folder (Path): Where a small encoder can be written.
    encoder (Optional[str]): The encoder. None: the small one.
    max_pairs (int): The most pairs in a Doc.
    n_docs (int): How many short Docs go through `nlp.pipe`. 0: none.
    n_entities (int): The entities of the largest Doc. 0: no such Doc.
    RETURNS (List[Dict[str, Any]]): Rows as the benchmark's, with the sweep's name as
        "sweep" and the swept number as "value".
    """
    encoder = encoder or make_small_encoder(folder)
    nlp = make_synthetic_pipeline(encoder)
    rows = list(
        tqdm(_sweep(nlp, encoder, max_pairs), desc="Sweep", unit="point", disable=None)
    )
    if n_entities:
        wide = make_synthetic_pipeline(encoder, max_length=64, max_sentences=None)
        rows.append(_many_entities(wide, n_entities))
    if n_docs:
        rows.append(_many_docs(nlp, n_docs))
        rows += [_processes(nlp, n_docs, n) for n in (1, 2)]
    return rows


def _sweep(nlp: Language, encoder: str, max_pairs: int) -> Iterator[dict[str, Any]]:
    few = PER_SENTENCE * (PER_SENTENCE - 1)
    for n in PAIRS:
        if n <= max_pairs:
            doc = make_doc(nlp, -(-n // few))
            doc.user_data[LIMIT] = n
            yield _point(nlp, doc, "pairs", n)
    n_sentences = min(FEW_PAIRS, max_pairs) // few or 1
    for n in PREDICATES:
        # "no_relation" is one of them
        point = make_synthetic_pipeline(encoder, n_predicates=n - 1)
        yield _point(point, make_doc(point, n_sentences), "predicates", n)
    for n in SENTENCE_WORDS:
        doc = make_doc(nlp, n_sentences, n_words=n)
        yield _point(nlp, doc, "words per sentence", n)
    for n in DOC_WORDS:
        plain = max(n - n_sentences * 24, 0)
        doc = make_doc(nlp, n_sentences, plain_words=plain)
        yield _point(nlp, doc, "words per document", n)


def _point(nlp: Language, doc: Doc, sweep: str, value: int) -> dict[str, Any]:
    docs = take_pairs(nlp.get_pipe(NAME), [doc], 0)  # type: ignore[arg-type]
    bench = Bench(nlp, docs, [doc])
    row = bench.measure(
        [NAIVE, Mode("exact")], repeats=3, naive_pairs=64, progress=False
    )[1]
    return {**row, "mode": f"{sweep}: {value:,}", "sweep": sweep, "value": value}


def _row(nlp: Language, name: str, pairs: int, seconds: float) -> dict[str, Any]:
    shim = get_shim(nlp.get_pipe(NAME).model)  # type: ignore[attr-defined]
    row: dict[str, Any] = dict.fromkeys(KEYS)
    row.update(
        mode=name,
        dtype="float32",
        device=shim.module.log_scale.device.type,
        pairs=pairs,
        seconds=seconds,
        pairs_per_s=pairs / seconds,
    )
    return row


def _many_entities(nlp: Language, n_entities: int) -> dict[str, Any]:
    """A Doc with very many pairs: how far does the memory rise?"""
    component: Any = nlp.get_pipe(NAME)
    n_sentences = -(-n_entities // PER_SENTENCE)
    doc = make_doc(nlp, n_sentences)
    doc.ents = doc.ents[:n_entities]
    nlp(make_doc(nlp, 2))
    memory, watch = Memory(), Watch()
    watch.add_encoders(get_shim(component.model).module)
    with warnings.catch_warnings(), memory.peak() as peak, watch:
        warnings.simplefilter("ignore")  # most of these pairs are shortened
        nlp(doc)
    n_pairs = len(component.find_candidates(doc).pairs)
    name = f"a Doc with {n_entities} entities"
    row = _row(nlp, name, n_pairs, watch.total)
    padding = 1 - watch.real / max(watch.wordpieces, 1)
    return {**row, "padding": padding, "peak_mb": peak[0]}


def _many_docs(nlp: Language, n_docs: int) -> dict[str, Any]:
    """Very many Docs: does the memory grow from the first fifth of them on?"""
    docs = (make_doc(nlp, 1, n_entities=2, seed=i) for i in range(n_docs))
    memory, watch = Memory(), Watch()
    grown = None
    with watch:
        for i, _ in enumerate(
            tqdm(nlp.pipe(docs), total=n_docs, desc="nlp.pipe", disable=None)
        ):
            if i == n_docs // 5:
                memory.base = memory.now()
        grown = memory.now() - memory.base
    row = _row(nlp, f"nlp.pipe over {n_docs:,} Docs", 2 * n_docs, watch.total)
    note = f"memory grew by {grown:.1f} MB from Doc {n_docs // 5:,} to the end"
    row.update(docs_per_s=n_docs / watch.total, growth_mb=grown, note=note)
    return row


def _processes(nlp: Language, n_docs: int, n_process: int) -> dict[str, Any]:
    """Several processes: do they ask for more threads than there are cores?"""
    if "benchmark_threads" not in nlp.pipe_names:
        nlp.add_pipe("benchmark_threads")
    docs = [make_doc(nlp, 1, n_entities=2, seed=i) for i in range(n_docs // 5)]
    with Watch() as watch:
        done = list(nlp.pipe(docs, n_process=n_process, batch_size=50))
    noted = sorted({tuple(doc.user_data["benchmark_threads"]) for doc in done})
    threads = [n for _, n in noted]
    name = f"nlp.pipe with n_process={n_process}"
    row = _row(nlp, name, 2 * len(docs), watch.total)
    note = (
        f"{sum(threads)} threads in {len(threads)} processes on {os.cpu_count()} cores"
    )
    row.update(docs_per_s=len(docs) / watch.total, threads=threads, note=note)
    return row
