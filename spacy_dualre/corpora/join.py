"""Joining corpora that were annotated with different predicates.

Each Doc says with which labels it was annotated, so that training asks for those, and
takes none of the others for a relation that does not hold.
"""

from collections.abc import Sequence
from pathlib import Path

import srsly
from spacy.tokens import Doc
from spacy.vocab import Vocab

from ..doc_bins import new_doc_bin, read_docs
from ..predicates import (
    NO_RELATION,
    Predicate,
    parse_predicates,
    read_predicates,
    to_data,
)
from ..relations import get_relations


def join_corpora(
    corpora: Sequence[tuple[Path, Path]],
) -> tuple[list[Doc], list[Predicate]]:
    """Join corpora, and their predicates.

    corpora (Sequence[Tuple[Path, Path]]): For each its `.spacy` file and its predicates
        file.
    RETURNS (Tuple[List[Doc], List[Predicate]]): All Docs, those that do not say it
        themselves with the labels of their corpus in `doc.user_data["labels"]`; and all
        predicates that any Doc was annotated with, "no_relation" first. One that
        several corpora have has the wordings and the entity types of all.
    RAISES (ValueError): If a Doc has a label that its predicates file lacks, or corpora
        differ on whether a predicate is symmetric.
    """
    vocab = Vocab()
    docs: list[Doc] = []
    joined: dict[str, Predicate] = {}
    for path, predicates_path in corpora:
        predicates = parse_predicates(read_predicates(str(predicates_path)))
        labels = {predicate.label for predicate in predicates} - {NO_RELATION}
        own_docs = list(read_docs(path, vocab))
        for doc in own_docs:
            own = doc.user_data.setdefault("labels", sorted(labels))
            known = {*own, NO_RELATION}
            unknown = {r.label for r in get_relations(doc) if r.label not in known}
            if unknown or not labels.issuperset(own):
                wrong = ", ".join(sorted(unknown or {*own} - labels))
                raise ValueError(
                    f"{path}: document {doc.user_data.get('doc_id')} has labels that "
                    f"{predicates_path} lacks: {wrong}. Add them there."
                )
            docs.append(doc)
        used = {label for doc in own_docs for label in doc.user_data["labels"]}
        for predicate in predicates:
            if predicate.label not in {*used, NO_RELATION}:
                continue  # of another part of the corpus, and not to be learned of
            before = joined.get(predicate.label)
            joined[predicate.label] = _join(before, predicate) if before else predicate
    return docs, list(joined.values())


def write_joined(
    docs: Sequence[Doc], predicates: Sequence[Predicate], output: Path
) -> None:
    """Write joined corpora.

    docs (Sequence[Doc]): The Docs.
    predicates (Sequence[Predicate]): The predicates.
    output (Path): The folder for `train.spacy` and `predicates.json`.
    """
    output.mkdir(parents=True, exist_ok=True)
    new_doc_bin(docs).to_disk(output / "train.spacy")
    srsly.write_json(output / "predicates.json", to_data(predicates))


def _join(one: Predicate, other: Predicate) -> Predicate:
    if one.symmetric != other.symmetric:
        raise ValueError(
            f"Corpora differ on whether '{one.label}' is symmetric. Give one of them "
            "another label."
        )
    sides = [
        # No types are all types.
        tuple(dict.fromkeys([*own, *others])) if own and others else ()
        for own, others in zip(one[2:4], other[2:4])
    ]
    wordings = tuple(dict.fromkeys([*one.descriptions, *other.descriptions]))
    return Predicate(one.label, wordings, sides[0], sides[1], one.symmetric)
