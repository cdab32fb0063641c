"""Measures a trained pipeline on predicates that it never saw.

python benchmarks/scores/zero_shot.py split IN.spacy OUT.spacy --split 0
python benchmarks/scores/zero_shot.py fewrel MODEL CORPORA --split 0
python benchmarks/scores/zero_shot.py negatives MODEL CORPORA
python benchmarks/scores/zero_shot.py few MODEL CORPORA --sizes 5,10 --draws 3
python benchmarks/scores/zero_shot.py table

What was measured is in benchmarks/results/zero-shot.jsonl. See docs/zero-shot.md.
"""

import gc
import hashlib
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from itertools import product
from pathlib import Path
from statistics import mean, stdev
from typing import Annotated, Any, NamedTuple, cast

import numpy
import spacy
import srsly
import torch
import typer
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import filter_spans, load_config, minibatch
from spacy.vocab import Vocab
from thinc.api import Config, to_numpy
from tqdm import tqdm
from wasabi import msg

sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks.datasets import MINILM, NAME, ROOT
from benchmarks.pages import folded, make_table, replace_generated
from spacy_dualre.cli.config import complete_config
from spacy_dualre.component import DualRelationExtractor
from spacy_dualre.doc_bins import new_doc_bin, read_docs
from spacy_dualre.encoding.markers import marked_types
from spacy_dualre.evaluation import predict_examples
from spacy_dualre.model.architectures import with_settings
from spacy_dualre.model.shim import get_shim
from spacy_dualre.output.scorer import gold_triples
from spacy_dualre.pairs.candidates import Candidates, find_candidates
from spacy_dualre.predicates import (
    NO_RELATION,
    Predicate,
    parse_predicates,
    read_predicates,
)
from spacy_dualre.relations import get_relations, set_relations
from spacy_dualre.training.corpus import build_corpus
from spacy_dualre.training.gold import complete, find_gold, refuse_unknown_labels

PAGE = ROOT / "docs" / "zero-shot.md"
RESULTS = ROOT / "benchmarks" / "results" / "zero-shot.jsonl"
WRITTEN = ROOT / "assets" / "general" / "written"
FEWREL = ROOT / "assets" / "general" / "fewrel.yml"
N_HELD_OUT = 16
WAYS = (5, 10, 15)
N_SUBSETS = 5


class Corpus(NamedTuple):
    """A corpus whose predicates are new to the model.

    part (str): The `.spacy` file, in the folder with the corpora.
    predicates (str): Its predicates, relative to `ROOT`.
    single_direction (bool): Whether a pair of entities is related one way at most.
    """

    part: str
    predicates: str
    single_direction: bool = False

    def read_predicates(self) -> tuple[Predicate, ...]:
        """RETURNS (Tuple[Predicate, ...]): "no_relation" and its predicates."""
        return parse_predicates(read_predicates(str(ROOT / self.predicates)))


# Choices are made on this one only.
CHOSEN_ON = "written-dev"
CORPORA = {
    CHOSEN_ON: Corpus("written/dev", "assets/general/written/predicates.yml"),
    "written-test": Corpus("written/test", "assets/general/written/predicates.yml"),
    # Sentences of the domains that train does not have.
    "domains-dev": Corpus("written/dev", "assets/general/written/predicates.yml"),
    "domains-test": Corpus("written/test", "assets/general/written/predicates.yml"),
    "semeval2010": Corpus(
        "semeval2010/test", "assets/semeval2010/predicates.yml", single_direction=True
    ),
    "scierc": Corpus("scierc/test", "assets/scierc/predicates.yml"),
    "chemprot": Corpus("chemprot/test", "assets/chemprot/predicates.yml"),
    "fire": Corpus("fire/test", "assets/general/fire.yml"),
}
# Labels of the written dev and test that FewRel and Re-DocRED have in other words.
RELATED = {
    *("sibling_of", "died_in", "composed", "headquartered_in", "twinned_with"),
    *("plays_for", "member_of", "claimed_by", "seceded_from", "distributes"),
    *("administered_by", "plays_home_at", "stored_in"),
}
# "first": only the first description of each predicate is asked.
JOINS = ("max", "mean", "first")
# What is taken off the scores of each predicate: nothing; the mean over the corpus' own
# pairs, whose labels are not looked at, or over a bank of so many other pairs.
# "-spread": they are divided by the standard deviation too.
HUBS = ("none", "own", "own-spread", "bank64", "bank64-spread")
FEW_CORPORA = ("semeval2010", "scierc")
# With few examples most relations stay below "no_relation", so that a low threshold is
# measured beside the default: the same for all, from other draws and the dev splits.
FEW_THRESHOLD = 0.05
SYSTEMS: dict[str, dict[str, Any]] = {
    "linear": {"model.alpha": 1.0},
    "dual": {},
    "general": {},
}
DECISIONS = ("default", "threshold")
# What the page shows of a corpus with negatives, if there is any; the rest is folded.
SHOWN = {"model": "general", "join": "max", "hub": "none"}
FOLDED = "Other choices, and the models before"


def held_out(split: int) -> list[str]:
    """Choose the properties of FewRel that a model is measured on.

    split (int): Which choice.
    RETURNS (List[str]): The sixteen properties, the same everywhere.
    """
    labels = [predicate.label for predicate in fewrel_predicates()[1:]]
    labels.sort(key=lambda label: hash_of(f"{split}:{label}"))
    return sorted(labels[:N_HELD_OUT])


def fewrel_predicates() -> tuple[Predicate, ...]:
    """RETURNS (Tuple[Predicate, ...]): "no_relation" and the properties of FewRel."""
    return parse_predicates(read_predicates(str(FEWREL)))


def hash_of(text: str) -> str:
    """RETURNS (str): A number that is the same everywhere, to draw by."""
    return hashlib.sha256(text.encode("utf8")).hexdigest()


class Pairs(NamedTuple):
    """Scored pairs. P pairs, D descriptions, R + 1 predicates, "no_relation" first.

    predicates (Tuple[Predicate, ...]): The predicates.
    of (ndarray): The predicate of each description, int, (D,).
    z (ndarray): The scores, without type signatures, (P, D); -inf where a predicate is
        not asked for.
    fits (ndarray): What the signatures admit, bool, (P, R + 1).
    positive (ndarray): What is annotated, bool, (P, R + 1).
    known (ndarray): The pairs that the annotation decides, bool, (P,).
    mirror (ndarray): The row of the same pair the other way round, or -1, int, (P,).
    totals (ndarray): The annotated relations of each predicate, int, (R + 1,).
    """

    predicates: tuple[Predicate, ...]
    of: numpy.ndarray
    z: numpy.ndarray
    fits: numpy.ndarray
    positive: numpy.ndarray
    known: numpy.ndarray
    mirror: numpy.ndarray
    totals: numpy.ndarray

    def join(self, how: str, signatures: bool = False) -> numpy.ndarray:
        """Join the scores of several descriptions.

        how (str): One of `JOINS`.
        signatures (bool): Whether predicates that do not fit are left out.
        RETURNS (ndarray): z, (P, R + 1).
        """
        z = numpy.full(self.fits.shape, -numpy.inf, dtype="float32")
        for r in range(len(self.predicates)):
            own = self.z[:, self.of == r]
            if how == "first":
                own = own[:, :1]
            if own.size:
                z[:, r] = own.mean(axis=1) if how == "mean" else own.max(axis=1)
        if signatures:
            z[~self.fits] = -numpy.inf
        return z


class Reader:
    """Scores pairs with a trained pipeline, against any predicates.

    path (Path): The pipeline.
    hide_types (bool): Whether it reads all entity types as types that it never saw.
        Signatures are looked at nevertheless.
    """

    def __init__(self, path: Path, *, hide_types: bool = False) -> None:
        self.nlp = spacy.load(path)
        pipe = self.nlp.get_pipe(NAME)
        self.component = cast(DualRelationExtractor, pipe)
        self.trained_with = get_shim(self.component.model).labels
        self.model = with_settings(
            self.component.model, predict_with="dual", prune=0.0, cache_size=65536
        )
        # The one that it was trained with.
        self.no_relation = self.component.predicates[0]
        types = marked_types(get_shim(self.model).tokenizer) if hide_types else ()
        self.type_map = dict.fromkeys(types, "hidden")

    def read(self, path: Path) -> list[Example]:
        """Read a corpus.

        path (Path): A `.spacy` file.
        RETURNS (List[Example]): The examples, with gold entities.
        """
        examples = build_corpus(str(path))(self.nlp)
        return [complete(example, self.component.spans_key) for example in examples]

    def find(self, example: Example, predicates: tuple[Predicate, ...]) -> Candidates:
        """RETURNS (Candidates): The candidates of an example."""
        component = self.component
        return find_candidates(
            example.predicted,
            predicates,
            component.find_pairs,
            component.spans_key,
            self.type_map,
        )

    def score(self, found: Iterable[Candidates], title: str) -> numpy.ndarray:
        """RETURNS (ndarray): z of all pairs of some Docs, one below the other."""
        parts = []
        for batch in minibatch(
            tqdm(list(found), desc=title, unit="doc", disable=None), 64
        ):
            parts.append(to_numpy(self.model.predict(batch).dual))
        return numpy.concatenate(parts)

    def score_bank(
        self, path: Path, predicates: tuple[Predicate, ...], n: int
    ) -> Pairs:
        """Score pairs of other texts.

        path (Path): A `.spacy` file.
        predicates (Tuple[Predicate, ...]): The new predicates, after "no_relation".
        n (int): How many pairs, each of another text.
        RETURNS (Pairs): The pairs. All fit, and nothing is annotated.
        """
        single, of = split_descriptions((self.no_relation, *predicates[1:]))
        found: list[Candidates] = []
        examples = self.read(path)
        for example in sorted(examples, key=lambda eg: hash_of(_id_of(eg))):
            own = self.find(example, single)
            if len(own.pairs) and len(found) < n:
                drawn = int(hash_of(f"pair {_id_of(example)}"), 16) % len(own.pairs)
                found.append(own.select(numpy.asarray([drawn])))
        z = self.score(found, f"bank {n}")
        shape = len(z), len(predicates)
        no, yes = numpy.zeros(shape, dtype=bool), numpy.ones(shape, dtype=bool)
        totals = numpy.zeros(len(predicates), dtype="int64")
        mirror = numpy.full(len(z), -1)
        return Pairs(predicates, of, z, yes, no, no[:, 0], mirror, totals)

    def score_corpus(
        self,
        examples: Sequence[Example],
        predicates: tuple[Predicate, ...],
        domains: Mapping[str, list[str]] | None = None,
    ) -> Pairs:
        """Score all pairs of some Docs.

        examples (Sequence[Example]): The examples.
        predicates (Tuple[Predicate, ...]): The new predicates, after "no_relation".
        domains (Optional[Mapping[str, List[str]]]): The labels that the sentences of
            each domain are annotated for. None or empty: all are for all.
        RETURNS (Pairs): The pairs.
        """
        key = self.component.relations_key
        bare = tuple(p._replace(subject_types=(), object_types=()) for p in predicates)
        single, of = split_descriptions((self.no_relation, *bare[1:]))
        labels = [predicate.label for predicate in predicates]
        groups: dict[tuple[str, ...], list[Example]] = {}
        for example in examples:
            own = tuple(sorted(domains[domain_of(example)]) if domains else labels)
            groups.setdefault(own, []).append(example)
        parts, mirrors, n_before = [], [], 0
        totals = numpy.zeros(len(predicates), dtype="int64")
        symmetric = [predicate.label for predicate in predicates if predicate.symmetric]
        for own, group in groups.items():
            asked_for = numpy.asarray(
                [r == 0 or x in own for r, x in enumerate(labels)]
            )
            columns = numpy.flatnonzero(asked_for[of])
            chosen = tuple(single[column] for column in columns)
            found = [self.find(example, chosen) for example in group]
            scores = self.score(found, f"{len(own)} predicates")
            z = numpy.full((len(scores), len(single)), -numpy.inf, dtype="float32")
            z[:, columns] = scores
            for example, candidates in zip(group, found):
                gold = find_gold(example, replace(candidates, predicates=bare), key)
                refuse_unknown_labels(NAME, gold.unknown, labels)
                n = len(candidates.pairs)
                fits = _fitting(candidates, predicates) & asked_for
                parts.append((fits, gold.positive, gold.known, z[:n]))
                z = z[n:]
                rows = candidates.rows()
                mirrors += [
                    rows[o, s] + n_before if (o, s) in rows else -1 for s, o in rows
                ]
                n_before += n
                for triple in gold_triples(example, key, symmetric):
                    totals[labels.index(triple[-1])] += 1
        fits, positive, known, z = map(numpy.concatenate, zip(*parts))
        return Pairs(
            predicates, of, z, fits, positive, known, numpy.asarray(mirrors), totals
        )

    def score_marked(
        self, examples: Sequence[Example], predicates: tuple[Predicate, ...]
    ) -> tuple[Pairs, numpy.ndarray]:
        """Score the one annotated pair of each of some sentences.

        examples (Sequence[Example]): The examples.
        predicates (Tuple[Predicate, ...]): The new predicates, after "no_relation".
        RETURNS (Tuple[Pairs, ndarray]): The pairs, which may have all predicates, and
            the gold predicate of each, int, (P,).
        """
        bare = tuple(
            Predicate(predicate.label, predicate.descriptions)
            for predicate in predicates
        )
        single, of = split_descriptions((self.no_relation, *bare[1:]))
        found, golds = [], []
        for example in examples:
            own = self.find(example, single)
            key = self.component.relations_key
            labels = find_gold(example, replace(own, predicates=bare), key).labels
            rows = numpy.flatnonzero(labels)[:1]
            found.append(own.select(rows))
            golds.append(labels[rows])
        gold = numpy.concatenate(golds)
        z = self.score(found, "marked pairs")
        positive = numpy.equal(numpy.arange(len(bare)), gold[:, None])
        fits, known = numpy.ones_like(positive), numpy.ones(len(z), dtype=bool)
        mirror = numpy.full(len(z), -1)
        totals = positive.sum(axis=0)
        return Pairs(bare, of, z, fits, positive, known, mirror, totals), gold


def split_descriptions(
    predicates: Sequence[Predicate],
) -> tuple[tuple[Predicate, ...], numpy.ndarray]:
    """Make each description a predicate, so that each has its own score.

    predicates (Sequence[Predicate]): R + 1 predicates, "no_relation" first.
    RETURNS (Tuple[Tuple[Predicate, ...], ndarray]): D predicates without signature, and
        which each was made from, int, (D,).
    """
    single, of = [], []
    for r, predicate in enumerate(predicates):
        for d, text in enumerate(predicate.descriptions):
            label = predicate.label if d == 0 else f"{predicate.label} ({d})"
            single.append(Predicate(label, (text,), symmetric=predicate.symmetric))
            of.append(r)
    return tuple(single), numpy.asarray(of)


def correct_hubs(
    z: numpy.ndarray, others: numpy.ndarray, spread: bool
) -> numpy.ndarray:
    """Take off what a predicate scores with any pair. "no_relation" stays as it is, and
    so do the mean and the spread over all predicates.

    z (ndarray): Scores, (P, R + 1).
    others (ndarray): Scores of other pairs, or the same, (Q, R + 1).
    spread (bool): Whether the predicates are given the same standard deviation too.
    RETURNS (ndarray): The corrected scores.
    """
    columns = [column[numpy.isfinite(column)] for column in others.T[1:]]
    means = numpy.asarray([c.mean() if len(c) else numpy.nan for c in columns])
    spreads = numpy.asarray(
        [c.std() or numpy.nan if len(c) else numpy.nan for c in columns]
    )
    middle, common = numpy.nanmean(means), numpy.nanmean(spreads)
    means = numpy.nan_to_num(means, nan=middle)
    factor = numpy.nan_to_num(common / spreads, nan=1.0) if spread else 1.0
    corrected = z.copy()
    corrected[:, 1:] = (z[:, 1:] - means) * factor + middle
    return corrected


def variants_of(
    pairs: Pairs,
    banks: dict[int, Pairs],
    joins: Iterable[str],
    hubs: Iterable[str],
    signatures: bool = False,
) -> Iterator[tuple[str, str, numpy.ndarray]]:
    """Score the same pairs in several ways.

    pairs (Pairs): The pairs.
    banks (Dict[int, Pairs]): Other pairs against the same predicates, by their number.
    joins (Iterable[str]): Of `JOINS`.
    hubs (Iterable[str]): Of `HUBS`.
    signatures (bool): Whether predicates that do not fit are left out.
    YIELDS (Tuple[str, str, ndarray]): How descriptions are joined, how hubs are
        corrected, and z, (P, R + 1).
    """
    for how, hub in product(joins, hubs):
        z = pairs.join(how, signatures)
        source, _, spread = hub.partition("-")
        if source == "own":
            z = correct_hubs(z, z, bool(spread))
        elif source != "none":
            bank = banks[int(source.removeprefix("bank"))].join(how)
            z = correct_hubs(z, bank, bool(spread))
        yield how, hub, z


@dataclass(frozen=True)
class Best:
    """The best predicate of each pair.

    r (ndarray): The predicate, never "no_relation", int, (P,).
    probability (ndarray): Its probability, (P,).
    margin (ndarray): By how much it scores above "no_relation", (P,).
    """

    r: numpy.ndarray
    probability: numpy.ndarray
    margin: numpy.ndarray

    @classmethod
    def of(cls, z: numpy.ndarray) -> "Best":
        """RETURNS (Best): The best predicates by z, (P, R + 1)."""
        r = z[:, 1:].argmax(axis=1) + 1
        best = z[numpy.arange(len(z)), r]
        highest = numpy.maximum(best, z[:, 0])
        share = numpy.exp(z - highest[:, None]).sum(axis=1)
        return cls(r, numpy.exp(best - highest) / share, best - z[:, 0])

    def decide(self, threshold: float | None) -> numpy.ndarray:
        """Decide which pairs are related.

        threshold (Optional[float]): The lowest probability. None: above that of
            "no_relation".
        RETURNS (ndarray): The predicate of each pair, 0 for none, int, (P,).
        """
        if threshold is None:
            return numpy.where(self.margin > 0, self.r, 0)
        return numpy.where(self.probability >= threshold, self.r, 0)

    def choose(self, pairs: Pairs) -> float:
        """RETURNS (float): The threshold with the best micro F1."""
        right = pairs.positive[numpy.arange(len(self.r)), self.r] & pairs.known
        judged = pairs.known & numpy.isfinite(self.margin)
        values = self.probability[judged].astype("float64")
        return best_cutoff(values, right[judged], int(pairs.totals[1:].sum()))


def best_cutoff(values: numpy.ndarray, right: numpy.ndarray, total: int) -> float:
    """Find above which value answers give the best F1.

    values (ndarray): How sure each answer is, (n,).
    right (ndarray): Whether it is right, bool, (n,).
    total (int): How many right answers there are.
    RETURNS (float): The value, between two of those given.
    """
    order = numpy.argsort(-values, kind="stable")
    values, right = values[order], right[order]
    f1 = 2 * right.cumsum() / (numpy.arange(1, len(values) + 1) + total)
    # Equal values are all above or none.
    f1[:-1][values[:-1] == values[1:]] = 0.0
    best = int(f1.argmax())
    return float(values[best : best + 2].mean())


def measure(
    pairs: Pairs, best: Best, related: numpy.ndarray, single_direction: bool
) -> dict[str, Any]:
    """Score decisions. Every annotated relation counts.

    pairs (Pairs): The pairs.
    best (Best): The best predicate of each.
    related (ndarray): The predicate of each pair, 0 for none, int, (P,).
    single_direction (bool): Whether of two directions the more probable one is kept.
    RETURNS (Dict[str, Any]): Micro and macro precision, recall and F1, over the labels
        that are annotated; the share of unrelated pairs, of those that fit a signature,
        that are given a relation; and right, wrong and missed relations by label.
    """
    related = numpy.where(pairs.known, related, 0)
    if single_direction:
        row, mirror = numpy.arange(len(related)), pairs.mirror
        p, other = best.probability, best.probability[mirror]
        loses = (other > p) | ((other == p) & (mirror < row))
        related = numpy.where((mirror >= 0) & (related[mirror] > 0) & loses, 0, related)
    rows = numpy.flatnonzero(related)
    right = pairs.positive[rows, related[rows]]
    n = len(pairs.totals)
    tp = numpy.bincount(related[rows[right]], minlength=n)[1:]
    fp = numpy.bincount(related[rows[~right]], minlength=n)[1:]
    fn = pairs.totals[1:] - tp
    micro = prf(tp.sum(), fp.sum(), fn.sum())
    each = numpy.asarray(prf(tp, fp, fn))[:, tp + fn > 0]
    macro = each.mean(axis=1).tolist()
    unrelated = pairs.known & pairs.positive[:, 0] & pairs.fits[:, 1:].any(axis=1)
    labels = [predicate.label for predicate in pairs.predicates[1:]]
    counts = numpy.stack([tp, fp, fn], axis=1).tolist()
    return {
        **{f"micro_{x}": float(value) for x, value in zip("prf", micro)},
        **{f"macro_{x}": float(value) for x, value in zip("prf", macro)},
        "unrelated_found": float((related[unrelated] > 0).mean()),
        "n_related": int(pairs.totals.sum()),
        "n_unrelated": int(unrelated.sum()),
        "counts": {x: own for x, own in zip(labels, counts) if any(own)},
    }


def prf(tp: Any, fp: Any, fn: Any) -> tuple[Any, Any, Any]:
    """RETURNS (Tuple): Precision, recall and F1 of numbers or arrays; 0 where there is
    nothing to divide by.
    """
    p, r, f = (
        numpy.divide(a, numpy.maximum(b, 1))
        for a, b in ((tp, tp + fp), (tp, tp + fn), (2 * tp, 2 * tp + fp + fn))
    )
    return p, r, f


def n_way(z: numpy.ndarray, gold: numpy.ndarray) -> tuple[float, float, float]:
    """Score the choice of the best of N predicates.

    z (ndarray): Scores, without "no_relation", (P, N).
    gold (ndarray): The right one, int, (P,).
    RETURNS (Tuple[float, float, float]): Precision and recall, averaged over the
        predicates, and the F1 of these averages.
    """
    chosen, n = z.argmax(axis=1), z.shape[1]
    tp = numpy.bincount(gold[chosen == gold], minlength=n)
    fp = numpy.bincount(chosen[chosen != gold], minlength=n)
    fn = numpy.bincount(gold[chosen != gold], minlength=n)
    p, r, _ = (float(numpy.mean(values)) for values in prf(tp, fp, fn))
    return p, r, 2 * p * r / ((p + r) or 1.0)


def leave_out(docs: Iterable[Doc], labels: Iterable[str]) -> Iterator[Doc]:
    """Take predicates out of training data. What relates their pairs is then unknown.

    docs (Iterable[Doc]): Gold Docs.
    labels (Iterable[str]): The predicates' labels.
    YIELDS (Doc): The Docs, without those that have nothing left to learn from.
    """
    out = set(labels)
    for doc in docs:
        relations = get_relations(doc)
        kept = [relation for relation in relations if relation.label not in out]
        data = doc.user_data
        if len(kept) < len(relations):
            is_partial = data.get("complete") is False
            if is_partial and all(r.label == NO_RELATION for r in kept):
                continue
            set_relations(doc, kept)
            ends = [
                tuple(at for span in r[:2] for at in (span.start_char, span.end_char))
                for r in relations
                if r.label in out
            ]
            data["unknown_pairs"] = (*data.get("unknown_pairs", ()), *ends)
        if data.get("labels") is not None:
            data["labels"] = tuple(x for x in data["labels"] if x not in out)
        rows = data.get("concept_relations")
        if rows is not None:
            data["concept_relations"] = tuple(r for r in rows if r[2] not in out)
        yield doc


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


def choose_docs(examples: Iterable[Example], limit: int) -> list[Example]:
    """RETURNS (List[Example]): As many examples, the same each time; with 0 all."""
    if not limit:
        return list(examples)
    return sorted(examples, key=lambda eg: hash_of(_id_of(eg)))[:limit]


def domains_of(corpus: str) -> dict[str, list[str]]:
    """RETURNS (Dict[str, List[str]]): The domains of a written corpus, and the labels
    that a sentence of each is annotated for. Empty for other corpora.
    """
    kind, _, part = corpus.partition("-")
    if kind not in ("written", "domains"):
        return {}
    domains = srsly.read_yaml(WRITTEN / "domains.yml")
    new = kind == "domains"
    return {k: v for k, v in domains[part].items() if new != (k in domains["train"])}


def domain_of(example: Example) -> str:
    """RETURNS (str): The domain of a written sentence."""
    return _id_of(example).rsplit("-", 2)[0]


def labels_of(corpus: str) -> list[str]:
    """RETURNS (List[str]): The labels that are asked for in one of `CORPORA`."""
    domains = domains_of(corpus)
    if domains:
        return sorted({label for labels in domains.values() for label in labels})
    return [predicate.label for predicate in CORPORA[corpus].read_predicates()[1:]]


def record(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Record rows, in place of those of the same measurement.

    path (Path): Where they go.
    rows (Iterable[Dict]): The rows. Their "is" identifies the measurement.
    """
    known = {json.dumps(row["is"]): row for row in read_rows(path)}
    known.update({json.dumps(row["is"]): row for row in rows})
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(row) + "\n" for row in known.values()]
    path.write_text("".join(lines), encoding="utf8")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """RETURNS (List[Dict]): The recorded rows."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf8").splitlines()]


def make_tables(rows: list[dict[str, Any]]) -> str:
    """RETURNS (str): The recorded rows as tables, in Markdown."""
    modes: dict[str, list] = {"fewrel": [], "negatives": [], "few": []}
    for row in rows:
        modes[row["is"]["mode"]].append(row)
    lines = []
    if modes["fewrel"]:
        lines += ["### N-way FewRel", "", *fewrel_table(modes["fewrel"]), ""]
    corpora = {row["is"]["corpus"] for row in modes["negatives"]}
    for corpus in (own for own in CORPORA if own in corpora):
        own = [row for row in modes["negatives"] if row["is"]["corpus"] == corpus]
        shown = [row for row in own if SHOWN.items() <= row["is"].items()] or own
        rest = [row for row in own if row not in shown]
        lines += [f"### {corpus}", "", *negatives_table(shown), ""]
        lines += folded(FOLDED, [*negatives_table(rest), ""]) if rest else []
    for corpus in FEW_CORPORA:
        own = [row for row in modes["few"] if row["is"]["corpus"] == corpus]
        if own:
            lines += [f"### {corpus}, few sentences", "", *few_table(own), ""]
    return "\n".join(lines)


def fewrel_table(rows: list[dict[str, Any]]) -> list[str]:
    """RETURNS (List[str]): A line for each model, split and way to score."""
    sizes = sorted({row["is"]["n"] for row in rows})
    lines: dict[tuple[str, ...], dict[int, str]] = {}
    for row in rows:
        own = row["is"]
        names = ("model", "split", "per_relation", "join", "hub")
        key = (*(str(own[name]) for name in names), ", ".join(row["seen"]) or "-")
        lines.setdefault(key, {})[own["n"]] = percent(row["f"])
    header = ["model", "split", "sentences of each", "descriptions", "hubs", "seen"]
    return make_table(
        [*header, *(f"F1, N = {n}" for n in sizes)],
        [[*key, *(own.get(n, "-") for n in sizes)] for key, own in lines.items()],
    )


def negatives_table(rows: list[dict[str, Any]]) -> list[str]:
    """RETURNS (List[str]): A line for each row."""
    numbers = ("micro_p", "micro_r", "micro_f", "macro_p", "macro_r", "macro_f")
    header = ["model", "Docs", "signatures", "descriptions", "hubs", "decision"]
    header += [name.replace("_", " ").replace(" f", " F1") for name in numbers]
    header += ["unrelated found", "micro F1 without relatives"]
    body = []
    for row in rows:
        own = row["is"]
        counts = [c for label, c in row["counts"].items() if label not in RELATED]
        without = prf(*numpy.sum(counts, axis=0))[2] if counts else 0.0
        body.append(
            [
                *(own["model"], str(own["limit"] or "all")),
                "with" if own["signatures"] else "without",
                *(own["join"], own["hub"], own["decision"]),
                *(percent(row[name]) for name in numbers),
                percent(row["unrelated_found"]),
                percent(without) if own["corpus"].startswith("written") else "-",
            ]
        )
    return make_table(header, body)


def few_table(rows: list[dict[str, Any]]) -> list[str]:
    """RETURNS (List[str]): A line for each system, a column for each size."""
    found = {row["is"]["size"] for row in rows}
    sizes = sorted(found, key=lambda size: size or numpy.inf)
    measure = "macro_f" if rows[0]["is"]["corpus"] == "semeval2010" else "micro_f"
    lines: dict[tuple[str, ...], dict[int | None, list[float]]] = {}
    for row in rows:
        own = row["is"]
        names = own["system"], own["model"], str(own["limit"] or "all")
        line = lines.setdefault((*names, "default"), {})
        line.setdefault(own["size"], []).append(row[measure])
        if "threshold" in row:
            line = lines.setdefault((*names, str(row["threshold"]["at"])), {})
            line.setdefault(own["size"], []).append(row["threshold"][measure])
    header = ["trained", "from", "Docs", "threshold"]
    header += [str(size or "all") for size in sizes]
    body = []
    for key, values in lines.items():
        cells = []
        for size in sizes:
            own = values.get(size, [])
            spread = f" ± {100 * stdev(own):.1f}" if len(own) > 1 else ""
            cells.append(percent(mean(own)) + spread if own else "-")
        body.append([*key, *cells])
    return make_table(header, body)


def percent(value: float) -> str:
    """RETURNS (str): A share in percent."""
    return f"{100 * value:.1f}"


def _id_of(example: Example) -> str:
    return str(example.reference.user_data.get("doc_id", example.text))


def _fitting(found: Candidates, predicates: tuple[Predicate, ...]) -> numpy.ndarray:
    """What the signatures admit, of what is asked: bool, (p, R + 1)."""
    types = [entity.label_ for entity in found.entities]
    rows = [
        [
            p.admits(types[s], types[o]) and (s < o or not p.symmetric)
            for p in predicates
        ]
        for s, o in found.pairs.tolist()
    ]
    return numpy.asarray(rows, dtype=bool).reshape((-1, len(predicates)))


app = typer.Typer(help=__doc__, no_args_is_help=True)
MODEL = typer.Argument(help="A trained pipeline", exists=True)
FOLDER = typer.Argument(help="The folder with the converted corpora", exists=True)
NAME_OPTION = typer.Option(help="The model's name in the rows; by default its folder's")
GPU = typer.Option(help="The GPU's number, or -1")
RESULTS_OPTION = typer.Option(help="Where the rows go")


# fmt: off
@app.command("split")
def split_command(
    source: Annotated[Path, typer.Argument(help="A .spacy file", exists=True)],
    target: Annotated[Path, typer.Argument(help="The .spacy file to write")],
    split: Annotated[
        int | None, typer.Option(help="Which sixteen properties of FewRel to leave out")
    ] = None,
    corpus: Annotated[
        list[str] | None, typer.Option(help="A corpus whose labels to leave out")
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option(help="Another label to leave out")
    ] = None,
    predicates: Annotated[
        Path | None, typer.Option(help="JSON of predicates, written beside the target")
    ] = None,
) -> None:
    """Write training data without the predicates that are measured."""
    # fmt: on
    labels = [] if split is None else held_out(split)
    labels += [label for own in corpus or [] for label in labels_of(own)]
    labels += drop or []
    docs = list(read_docs(source, Vocab()))
    kept = list(leave_out(docs, labels))
    target.parent.mkdir(parents=True, exist_ok=True)
    new_doc_bin(kept).to_disk(target)
    if predicates is not None:
        data = read_predicates(str(predicates))
        left = [own for own in data if own["label"] not in labels]
        srsly.write_json(target.with_name(predicates.with_suffix(".json").name), left)
    msg.good(f"Left out {', '.join(labels)}: {len(kept)} of {len(docs)} Docs")


# fmt: off
@app.command("fewrel")
def fewrel_command(
    model: Annotated[Path, MODEL],
    corpora: Annotated[Path, FOLDER],
    split: Annotated[int, typer.Option(help="Which sixteen properties")],
    per_relation: Annotated[
        int, typer.Option(help="Sentences of each at most; 0 for all")
    ] = 40,
    join: Annotated[list[str], typer.Option()] = ["max"],  # noqa: B006
    hub: Annotated[list[str], typer.Option()] = [  # noqa: B006
        "none", "own-spread", "bank64-spread"
    ],
    name: Annotated[str | None, NAME_OPTION] = None,
    gpu: Annotated[int, GPU] = -1,
    results: Annotated[Path, RESULTS_OPTION] = RESULTS,
) -> None:
    """N-way FewRel: the best of N unseen predicates, for pairs that have one."""
    # fmt: on
    reader = load_reader(model, gpu)
    labels = held_out(split)
    every = fewrel_predicates()
    predicates = (every[0], *(p for p in every if p.label in labels))
    seen = sorted(set(labels) & set(reader.trained_with))
    if seen:
        msg.warn(f"The model was trained with {', '.join(seen)}")
    taken: Counter = Counter()
    examples = []
    everything = reader.read(corpora / "fewrel" / "train.spacy")
    for example in sorted(everything, key=lambda eg: hash_of(_id_of(eg))):
        (label,) = {r.label for r in get_relations(example.reference)} - {NO_RELATION}
        taken[label] += 1
        enough = per_relation and taken[label] > per_relation
        if label in labels and not enough:
            examples.append(example)
    pairs, gold = reader.score_marked(examples, predicates)
    banks = score_banks(reader, corpora, predicates, hub)
    draw = random.Random(split)
    subsets = {
        n: [sorted(draw.sample(range(1, N_HELD_OUT + 1), n)) for _ in range(N_SUBSETS)]
        for n in WAYS
    }
    subsets[N_HELD_OUT] = [list(range(1, N_HELD_OUT + 1))]
    rows = []
    for n, own in subsets.items():
        scores: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
        for subset in own:
            chosen = numpy.isin(gold, subset)
            part = select(pairs, chosen, subset)
            part_banks = {
                size: select(bank, None, subset) for size, bank in banks.items()
            }
            answers = numpy.searchsorted(subset, gold[chosen])
            for how, hubs, z in variants_of(part, part_banks, join, hub):
                scores.setdefault((how, hubs), []).append(n_way(z[:, 1:], answers))
        for (how, hubs), values in scores.items():
            p, r, f = (sum(column) / len(column) for column in zip(*values))
            rows.append(
                {
                    "is": {
                        **identity("fewrel", model, name),
                        "split": split,
                        "n": n,
                        "per_relation": per_relation,
                        "join": how,
                        "hub": hubs,
                    },
                    "p": p,
                    "r": r,
                    "f": f,
                    "subsets": [f for _, _, f in values],
                    "seen": seen,
                }
            )
    record(results, rows)
    for row in rows:
        msg.text("{n}-way {join} {hub}: ".format(**row["is"]) + f"{100 * row['f']:.1f}")


def select(
    pairs: Pairs, rows: numpy.ndarray | None, predicates: Sequence[int]
) -> Pairs:
    """Select pairs and predicates.

    pairs (Pairs): The pairs.
    rows (Optional[ndarray]): Which are kept, bool, (P,). None: all.
    predicates (Sequence[int]): Which predicates are kept, beside "no_relation".
    RETURNS (Pairs): Those pairs. They have no mirror.
    """
    kept = [0, *predicates]
    chosen = numpy.ones(len(pairs.z), dtype=bool) if rows is None else rows
    columns = numpy.isin(pairs.of, kept)
    positive = pairs.positive[chosen][:, kept]
    return Pairs(
        tuple(pairs.predicates[r] for r in kept),
        numpy.searchsorted(kept, pairs.of[columns]),
        pairs.z[chosen][:, columns],
        pairs.fits[chosen][:, kept],
        positive,
        pairs.known[chosen],
        numpy.full(len(positive), -1),
        positive.sum(axis=0),
    )


# fmt: off
@app.command("negatives")
def negatives_command(
    model: Annotated[Path, MODEL],
    corpora: Annotated[Path, FOLDER],
    corpus: Annotated[
        list[str], typer.Option(help=f"Of {', '.join(CORPORA)}")
    ] = list(CORPORA),  # noqa: B006
    limit: Annotated[int, typer.Option(help="Docs of each corpus; 0 for all")] = 0,
    join: Annotated[
        list[str], typer.Option(help=f"Of {', '.join(JOINS)}; {CHOSEN_ON} has all")
    ] = ["max"],  # noqa: B006
    hub: Annotated[
        list[str], typer.Option(help=f"Of {', '.join(HUBS)}; {CHOSEN_ON} has all")
    ] = ["none", "own", "bank64"],  # noqa: B006
    hide_types: Annotated[
        bool, typer.Option("--hide-types", help="Read types as never seen ones")
    ] = False,
    name: Annotated[str | None, NAME_OPTION] = None,
    gpu: Annotated[int, GPU] = -1,
    results: Annotated[Path, RESULTS_OPTION] = RESULTS,
) -> None:
    """Relations among all pairs of gold entities, most of which have none."""
    # fmt: on
    unknown = [own for own in corpus if own not in CORPORA]
    if unknown:
        msg.fail(f"No corpus is named {', '.join(unknown)}", exits=1)
    reader = load_reader(model, gpu, hide_types=hide_types)
    own_name = (name or model.resolve().name) + ", types hidden" * hide_types
    thresholds: dict[tuple[bool, str, str], float] = {}
    for corpus_name in dict.fromkeys([CHOSEN_ON, *corpus]):
        is_chosen_on = corpus_name == CHOSEN_ON
        joins, hubs = (JOINS, HUBS) if is_chosen_on else (join, hub)
        own = CORPORA[corpus_name]
        examples = reader.read(corpora / f"{own.part}.spacy")
        domains = domains_of(corpus_name)
        if domains:
            examples = [eg for eg in examples if domain_of(eg) in domains]
        examples = choose_docs(examples, limit)
        every, used = own.read_predicates(), labels_of(corpus_name)
        predicates = (every[0], *(p for p in every if p.label in used))
        msg.divider(corpus_name)
        pairs = reader.score_corpus(examples, predicates, domains)
        banks = score_banks(reader, corpora, predicates, hubs)
        rows = []
        for signatures in (True, False):
            for how, hubs_by, z in variants_of(pairs, banks, joins, hubs, signatures):
                best = Best.of(z)
                key = signatures, how, hubs_by
                if is_chosen_on:
                    thresholds[key] = best.choose(pairs)
                for decision in DECISIONS:
                    threshold = thresholds[key] if decision == "threshold" else None
                    related = best.decide(threshold)
                    rows.append(
                        {
                            "is": {
                                **identity("negatives", model, own_name),
                                "corpus": corpus_name,
                                "limit": limit,
                                "signatures": signatures,
                                "join": how,
                                "hub": hubs_by,
                                "decision": decision,
                            },
                            **measure(pairs, best, related, own.single_direction),
                            "threshold": threshold,
                            "seen": sorted(
                                {p.label for p in predicates[1:]}
                                & set(reader.trained_with)
                            ),
                        }
                    )
        record(results, rows)
        for row in rows:
            if row["is"]["hub"] == "none" and row["is"]["join"] == "max":
                kind = "with" if row["is"]["signatures"] else "without"
                msg.text(
                    f"{kind} signatures, {row['is']['decision']}: micro F1 "
                    f"{100 * row['micro_f']:.1f}, macro F1 {100 * row['macro_f']:.1f}, "
                    f"unrelated found {100 * row['unrelated_found']:.1f} %"
                )


# fmt: off
@app.command("few")
def few_command(
    model: Annotated[Path, MODEL],
    corpora: Annotated[Path, FOLDER],
    corpus: Annotated[
        list[str], typer.Option(help=f"Of {', '.join(FEW_CORPORA)}")
    ] = list(FEW_CORPORA),  # noqa: B006
    system: Annotated[
        list[str], typer.Option(help=f"Of {', '.join(SYSTEMS)}")
    ] = list(SYSTEMS),  # noqa: B006
    sizes: Annotated[
        str, typer.Option(help="Numbers of sentences, and all")
    ] = "5,10,20,50,100,300,all",
    draws: Annotated[int, typer.Option(help="Draws of each size")] = 3,
    limit: Annotated[int, typer.Option(help="Docs that are scored; 0 for all")] = 0,
    encoder: Annotated[
        str, typer.Option(help="The encoder of those that do not start from the model")
    ] = MINILM,
    work: Annotated[
        Path, typer.Option(help="Where the drawn sentences go")
    ] = Path("training/zero-shot"),
    name: Annotated[str | None, NAME_OPTION] = None,
    gpu: Annotated[int, GPU] = -1,
    results: Annotated[Path, RESULTS_OPTION] = RESULTS,
) -> None:
    """Train with few annotated sentences. What is recorded is not trained again."""
    # fmt: on
    if gpu >= 0:
        spacy.require_gpu(gpu)
    model_name = identity("few", model, name)["model"]
    numbers = [None if x == "all" else int(x) for x in sizes.split(",")]
    jobs = [
        Job(c, s, n, draw, model_name if s == "general" else Path(encoder).name, limit)
        for n, draw, c, s in product(numbers, range(draws), corpus, system)
    ]
    done = [row["is"] for row in read_rows(results)]
    jobs = [job for job in jobs if job.identity not in done]
    docs = {
        own: list(read_docs(corpora / own / "train.spacy", Vocab()))
        for own in {job.corpus for job in jobs}
    }
    failed = 0
    for job in jobs:
        msg.divider(str(job.identity))
        path = work / f"{job.corpus}-{job.size or 'all'}-{job.draw}.spacy"
        path.parent.mkdir(parents=True, exist_ok=True)
        drawn = draw_sentences(docs[job.corpus], job.size, job.draw)
        new_doc_bin(drawn).to_disk(path)
        start = model if job.system == "general" else None
        seconds = time.perf_counter()
        test = corpora / f"{CORPORA[job.corpus].part}.spacy"
        try:
            config = make_config(job, path, encoder, start, gpu)
            scores = train_and_score(config, test, limit, gpu)
        except Exception as e:  # the others go on
            failed += 1
            msg.warn(f"{type(e).__name__}: {e}")
            continue
        seconds = time.perf_counter() - seconds
        steps = config["training"]["max_steps"]
        row = {"is": job.identity, **scores, "steps": steps, "seconds": seconds}
        record(results, [row])
        msg.text(f"micro F1 {100 * scores['micro_f']:.1f} in {seconds:.0f} s")
        gc.collect()
        if gpu >= 0:
            torch.cuda.empty_cache()
    if failed:
        msg.fail(f"{failed} failed", exits=1)


@app.command("table")
def table_command(
    results: Annotated[Path, RESULTS_OPTION] = RESULTS,
    page: Annotated[Path, typer.Option(help="The page to update")] = PAGE,
) -> None:
    """Write what is recorded into a page, as tables."""
    tables = make_tables(read_rows(results))
    page.write_text(replace_generated(page.read_text("utf8"), tables), encoding="utf8")
    msg.good(f"Updated {page}")


def score_banks(
    reader: Reader,
    corpora: Path,
    predicates: tuple[Predicate, ...],
    hubs: Iterable[str],
) -> dict[int, Pairs]:
    """Score as many bank pairs as are needed.

    reader (Reader): Scores them.
    corpora (Path): The folder with the converted corpora.
    predicates (Tuple[Predicate, ...]): The new predicates, after "no_relation".
    hubs (Iterable[str]): How hubs are to be corrected.
    RETURNS (Dict[int, Pairs]): The pairs by their number.
    """
    sizes = {
        int(hub.partition("-")[0].removeprefix("bank"))
        for hub in hubs
        if hub.startswith("bank")
    }
    if not sizes:
        return {}
    path = corpora / "written" / "train.spacy"
    bank = reader.score_bank(path, predicates, max(sizes))
    every, number = range(1, len(predicates)), numpy.arange(len(bank.z))
    return {n: select(bank, number < n, every) for n in sizes}


def identity(mode: str, model: Path, name: str | None) -> dict[str, Any]:
    """RETURNS (Dict[str, Any]): What rows of a mode and a model have in common."""
    return {"mode": mode, "model": name or model.resolve().name}


def load_reader(model: Path, gpu: int, *, hide_types: bool = False) -> Reader:
    """RETURNS (Reader): The reader of a pipeline, on a GPU if its number is not -1."""
    if gpu >= 0:
        spacy.require_gpu(gpu)
    return Reader(model, hide_types=hide_types)


if __name__ == "__main__":
    app()
