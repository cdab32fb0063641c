"""Scores of relations."""

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Any

from spacy.scorer import PRFScore
from spacy.tokens import Doc
from spacy.training import Example

from .candidates import Concept, concepts_of
from .predicates import NO_RELATION
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
    concepts: str | None = None,
    **cfg: Any,
) -> dict[str, Any]:
    """Score predicted relations against gold relations.

    Every gold relation counts, whether or not its pair was a candidate.

    examples (Iterable[Example]): Examples with predicted and gold relations.
    relations_key (str): Where the relations are.
    symmetric (Collection[str]): Labels that hold both ways round.
    concepts (Optional[str]): The component's setting. If it is not None, relations
        between concepts are scored too.
    RETURNS (Dict[str, Any]): `rel_micro_p/r/f`: a relation is right if both spans, both
        entity types and the label are. `rel_boundary_p/r/f`: the same without entity
        types. `rel_macro_f`: the mean of the F1 of all labels of the gold relations.
        `rel_per_type`: label -> p, r, f. `rel_concept_p/r/f`: a concept pair's label is
        right, once for a Doc. All None where there are no gold relations.
    """
    examples = list(examples)
    strict, boundary, concept = PRFScore(), PRFScore(), PRFScore()
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
    kinds = {"micro": strict, "boundary": boundary}
    if concepts is not None:
        kinds["concept"] = concept
        for example in examples:
            concept.score_set(
                concept_triples(example.predicted, relations_key, symmetric),
                concept_triples(example.reference, relations_key, symmetric),
            )
    names = [f"rel_{kind}_{part}" for kind in kinds for part in "prf"]
    if not n_gold:
        return dict.fromkeys([*names, "rel_macro_f", "rel_per_type"])
    values = [value for prf in kinds.values() for value in _values(prf)]
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
        if label == NO_RELATION:
            continue
        spans = [(s.start_char, s.end_char, s.label_) for s in (subject, object_)]
        if label in symmetric:
            spans.sort()
        result.add((*spans[0], *spans[1], label))
    return result


def concept_triples(
    doc: Doc, relations_key: str, symmetric: Collection[str]
) -> set[tuple[Concept, Concept, str]]:
    """Read a Doc's relations as triples of concepts.

    doc (Doc): The Doc. Where `doc.user_data["concept_relations"]` is set (as the BioRED
        converter does) its rows `[id1, id2, label, type1, type2, ...]` are the triples;
        otherwise the concepts of the relations' spans are.
    relations_key (str): Where the relations are.
    symmetric (Collection[str]): Labels that hold both ways round.
    RETURNS (Set[Tuple[Concept, Concept, str]]): The triples.
    """
    rows = doc.user_data.get("concept_relations")
    if rows is not None:
        found = [((row[3], row[0]), (row[4], row[1]), row[2]) for row in rows]
    else:
        found = [
            (subject, object_, relation.label)
            for relation in get_relations(doc, relations_key)
            for subject in concepts_of(relation.subject)
            for object_ in concepts_of(relation.object)
        ]
    return {
        (min(s, o), max(s, o), label) if label in symmetric else (s, o, label)
        for s, o, label in found
    }


def _untyped(relations: set[Triple]) -> set[tuple[int, int, int, int, str]]:
    return {(s, e, s2, e2, label) for s, e, _, s2, e2, _, label in relations}


def _values(prf: PRFScore) -> list[float | None]:
    return [prf.precision, prf.recall, prf.fscore]
