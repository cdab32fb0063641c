"""The corpora whose predicates a model is asked about without having seen them."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import srsly
from spacy.tokens import Doc
from spacy.training import Example

from benchmarks.datasets import ROOT
from spacy_dualre.predicates import (
    NO_RELATION,
    Predicate,
    parse_predicates,
    read_predicates,
)
from spacy_dualre.relations import get_relations, set_relations

WRITTEN = ROOT / "assets" / "general" / "written"
FEWREL = ROOT / "assets" / "general" / "fewrel.yml"
N_HELD_OUT = 16


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


def labels_of(corpus: str) -> list[str]:
    """RETURNS (List[str]): The labels that are asked for in one of `CORPORA`."""
    domains = domains_of(corpus)
    if domains:
        return sorted({label for labels in domains.values() for label in labels})
    return [predicate.label for predicate in CORPORA[corpus].read_predicates()[1:]]


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
    return id_of(example).rsplit("-", 2)[0]


def choose_docs(examples: Iterable[Example], limit: int) -> list[Example]:
    """RETURNS (List[Example]): As many examples, the same each time; with 0 all."""
    if not limit:
        return list(examples)
    return sorted(examples, key=lambda eg: hash_of(id_of(eg)))[:limit]


def id_of(example: Example) -> str:
    """RETURNS (str): The id of an example's text, or else the text."""
    return str(example.reference.user_data.get("doc_id", example.text))


def hash_of(text: str) -> str:
    """RETURNS (str): A number that is the same everywhere, to draw by."""
    return hashlib.sha256(text.encode("utf8")).hexdigest()


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
