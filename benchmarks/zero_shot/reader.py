"""Scores pairs with a trained pipeline, against any predicates."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy
import spacy
from spacy.training import Example
from spacy.util import minibatch
from thinc.api import to_numpy
from tqdm import tqdm

from benchmarks.datasets import NAME
from benchmarks.zero_shot.corpora import domain_of, hash_of, id_of
from benchmarks.zero_shot.pairs import Pairs, select, split_descriptions
from spacy_dualre.component import DualRelationExtractor
from spacy_dualre.encoding.markers import marked_types
from spacy_dualre.model.architectures import with_settings
from spacy_dualre.model.shim import get_shim
from spacy_dualre.output.scorer import gold_triples
from spacy_dualre.pairs.candidates import Candidates, find_candidates
from spacy_dualre.predicates import Predicate
from spacy_dualre.training.corpus import build_corpus
from spacy_dualre.training.gold import complete, find_gold, refuse_unknown_labels


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
        for example in sorted(examples, key=lambda eg: hash_of(id_of(eg))):
            own = self.find(example, single)
            if len(own.pairs) and len(found) < n:
                drawn = int(hash_of(f"pair {id_of(example)}"), 16) % len(own.pairs)
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
                fits = fitting(candidates, predicates) & asked_for
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


def load_reader(model: Path, gpu: int, *, hide_types: bool = False) -> Reader:
    """RETURNS (Reader): The reader of a pipeline, on a GPU if its number is not -1."""
    if gpu >= 0:
        spacy.require_gpu(gpu)
    return Reader(model, hide_types=hide_types)


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


def fitting(found: Candidates, predicates: tuple[Predicate, ...]) -> numpy.ndarray:
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
