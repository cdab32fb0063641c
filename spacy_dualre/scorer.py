"""Scores of relations."""

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Any

from spacy.scorer import PRFScore
from spacy.tokens import Doc
from spacy.training import Example

from .relations import DEFAULT_KEY, get_relations

# Subject start, end, type, object start, end, type, label; characters.
Triple = tuple[int, int, str, int, int, str, str]


def build_relation_scorer() -> Callable[..., dict[str, Any]]:
    """RETURNS (Callable): `score_relations`, as a component's scorer."""
    return partial(score_relations)


def score_relations(
    examples: Iterable[Example],
    *,
    relations_key: str = DEFAULT_KEY,
    symmetric: Collection[str] = (),
    **cfg: Any,
) -> dict[str, Any]:
    """Score predicted relations against gold relations.

    Every gold relation counts, whether or not its pair was a candidate.

    examples (Iterable[Example]): Examples with predicted and gold relations.
    relations_key (str): Where the relations are.
    symmetric (Collection[str]): Labels that hold both ways round.
    RETURNS (Dict[str, Any]): `rel_micro_p/r/f`: a relation is right if both spans, both
        entity types and the label are. `rel_boundary_p/r/f`: the same without entity
        types. `rel_macro_f`: the mean of the F1 of all labels of the gold relations.
        `rel_per_type`: label -> p, r, f. All None where there are no gold relations.
    """
    strict, boundary = PRFScore(), PRFScore()
    per_type: dict[str, PRFScore] = {}
    n_gold = 0
    for example in examples:
        predicted = triples(example.predicted, relations_key, symmetric)
        gold = triples(example.reference, relations_key, symmetric)
        n_gold += len(gold)
        strict.score_set(predicted, gold)
        boundary.score_set(_untyped(predicted), _untyped(gold))
        for label in {triple[-1] for triple in predicted | gold}:
            score = per_type.setdefault(label, PRFScore())
            score.score_set(
                {triple for triple in predicted if triple[-1] == label},
                {triple for triple in gold if triple[-1] == label},
            )
    names = [f"rel_{kind}_{part}" for kind in ("micro", "boundary") for part in "prf"]
    if not n_gold:
        return dict.fromkeys([*names, "rel_macro_f", "rel_per_type"])
    values = [value for prf in (strict, boundary) for value in _values(prf)]
    in_gold = [prf for prf in per_type.values() if prf.tp + prf.fn]
    return {
        **dict(zip(names, values)),
        "rel_macro_f": sum(prf.fscore for prf in in_gold) / len(in_gold),
        "rel_per_type": {k: prf.to_dict() for k, prf in sorted(per_type.items())},
    }


def triples(doc: Doc, relations_key: str, symmetric: Collection[str]) -> set[Triple]:
    """Read a Doc's relations as comparable triples.

    doc (Doc): The Doc.
    relations_key (str): Where the relations are.
    symmetric (Collection[str]): Labels that hold both ways round; their spans are
        brought into text order.
    RETURNS (Set[Triple]): The triples.
    """
    result = set()
    for subject, object_, label, _ in get_relations(doc, relations_key):
        spans = [(s.start_char, s.end_char, s.label_) for s in (subject, object_)]
        if label in symmetric:
            spans.sort()
        result.add((*spans[0], *spans[1], label))
    return result


def _untyped(relations: set[Triple]) -> set[tuple[int, int, int, int, str]]:
    return {(s, e, s2, e2, label) for s, e, _, s2, e2, _, label in relations}


def _values(prf: PRFScore) -> list[float | None]:
    return [prf.precision, prf.recall, prf.fscore]
