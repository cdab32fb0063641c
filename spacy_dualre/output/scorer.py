"""Scores of relations."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from spacy.scorer import PRFScore
from spacy.tokens import Doc, Span
from spacy.training import Example

from ..alignment import align_to_gold
from ..pairs.candidates import Concept, concepts_of
from ..predicates import NO_RELATION
from ..relations import DEFAULT_KEY, Relation, get_relations
from ..training.gold import Gold, unknown_pairs

# Start, end and type; tokens of the gold Doc, or of the predicted one, counted from
# below 0, where no gold tokens are exactly those of the span.
Mention = tuple[int, int, str]
Triple = tuple[Mention, Mention, str]
ConceptTriple = tuple[Concept, Concept, str]


def build_relation_scorer(concepts: bool = False) -> Callable[..., dict[str, Any]]:
    """Build the component's scorer.

    concepts (bool): Whether relations between concepts are scored too.
    RETURNS (Callable): `score_relations`.
    """
    return partial(score_relations, concepts=concepts)


def score_relations(
    examples: Iterable[Example],
    *,
    relations_key: str = DEFAULT_KEY,
    symmetric: Collection[str] = (),
    concepts: bool = False,
    type_map: Mapping[str, str] | None = None,
    **cfg: Any,
) -> dict[str, Any]:
    """Score predicted relations against gold relations.

    Every gold relation counts, whether or not its pair was a candidate. As in spaCy's
    own scorers spans are the same if their tokens are, whatever the white space and
    the case.

    examples (Iterable[Example]): Examples with predicted and gold relations.
    relations_key (str): Where the relations are.
    symmetric (Collection[str]): Labels that hold both ways round.
    concepts (bool): Whether relations between concepts are scored too.
    type_map (Optional[Mapping[str, str]]): Entity types, and as what they are read.
    RETURNS (Dict[str, Any]): `rel_micro_p/r/f`: a relation is right if both spans, both
        entity types and the label are. `rel_boundary_p/r/f`: the same without entity
        types. `rel_macro_f`: the mean of the F1 of all labels of the gold relations.
        `rel_per_type`: label -> p, r, f. `rel_concept_p/r/f`: a concept pair's label is
        right, once for a Doc. All None where there are no gold relations.
    """
    strict, boundary, concept = PRFScore(), PRFScore(), PRFScore()
    per_type: dict[str, PRFScore] = {}
    n_gold = 0
    settings = (relations_key, symmetric, type_map)
    for example in examples:
        predicted = predicted_triples(example, *settings)
        gold = gold_triples(example, *settings)
        n_gold += len(gold)
        strict.score_set(predicted, gold)
        boundary.score_set(_untyped(predicted), _untyped(gold))
        for label in {triple[-1] for triple in predicted | gold}:
            score = per_type.setdefault(label, PRFScore())
            score.score_set(
                {triple for triple in predicted if triple[-1] == label},
                {triple for triple in gold if triple[-1] == label},
            )
        if concepts:
            concept.score_set(
                concept_triples(example.predicted, *settings),
                concept_triples(example.reference, *settings),
            )
    kinds = {"micro": strict, "boundary": boundary}
    if concepts:
        kinds["concept"] = concept
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


def score_candidates(
    golds: Sequence[Gold], scores: dict[str, Any]
) -> dict[str, float | None]:
    """Score the candidates, which bound what can be found.

    golds (Sequence[Gold]): The gold predicates of the candidates of each Doc.
    scores (Dict[str, Any]): What `score_relations` returned.
    RETURNS (Dict[str, Optional[float]]): `rel_candidate_recall`: the share of gold
        relations whose pair is a candidate. `rel_candidate_f`: micro F1 if only those
        are counted, as publications often do.
    """
    total = sum(gold.total for gold in golds)
    found = total - sum(sum(gold.lost.values()) for gold in golds)
    p, r = scores.get("rel_micro_p"), scores.get("rel_micro_r")
    f = None
    if found and p is not None and r is not None:
        r *= total / found
        f = 2 * p * r / ((p + r) or 1.0)
    recall = found / total if total else None
    return {"rel_candidate_recall": recall, "rel_candidate_f": f}


def gold_triples(
    example: Example,
    relations_key: str,
    symmetric: Collection[str],
    type_map: Mapping[str, str] | None = None,
) -> set[Triple]:
    """Read the gold relations of an example as comparable triples.

    example (Example): The example.
    relations_key (str): Where the relations are.
    symmetric (Collection[str]): Labels that hold both ways round; their spans are
        brought into text order.
    type_map (Optional[Mapping[str, str]]): Entity types, and as what they are read.
    RETURNS (Set[Triple]): The triples.
    """
    relations = get_relations(example.reference, relations_key)
    return set(index_triples(relations, symmetric, type_map))


def predicted_triples(
    example: Example,
    relations_key: str,
    symmetric: Collection[str],
    type_map: Mapping[str, str] | None = None,
) -> set[Triple]:
    """Read the predicted relations of an example as comparable triples, of the tokens
    of the gold Doc. Arguments as in `gold_triples`.

    RETURNS (Set[Triple]): The triples.
    """
    relations = get_relations(example.predicted, relations_key)
    found = index_predicted(example, relations, relations_key, symmetric, type_map)
    return set(found)


def index_predicted(
    example: Example,
    relations: Iterable[Relation],
    relations_key: str,
    symmetric: Collection[str],
    type_map: Mapping[str, str] | None = None,
) -> dict[Triple, Relation]:
    """Index relations of the predicted Doc by their triples, of the tokens of the gold
    Doc. Those that a partial annotation does not decide are left out.

    example (Example): The example.
    relations (Iterable[Relation]): The relations, which need not be set on the Doc.
    relations_key (str): Where the gold relations are.
    symmetric (Collection[str]): Labels that hold both ways round.
    type_map (Optional[Mapping[str, str]]): Entity types, and as what they are read.
    RETURNS (Dict[Triple, Relation]): The most probable relation of each triple.
    """
    align = align_to_gold(example)

    def mention(span: Span) -> Mention:
        aligned = align(span)
        if aligned is None:
            return (-1 - span.start, -1 - span.end, span.label_)
        return _mention(aligned)

    found = index_triples(relations, symmetric, type_map, mention)
    judged = _judged(set(found), example.reference, relations_key, symmetric)
    return {triple: relation for triple, relation in found.items() if triple in judged}


def index_triples(
    relations: Iterable[Relation],
    symmetric: Collection[str],
    type_map: Mapping[str, str] | None = None,
    mention: Callable[[Span], Mention] | None = None,
) -> dict[Triple, Relation]:
    """Index relations by their triples. An explicit "no_relation" is none.

    relations (Iterable[Relation]): The relations.
    symmetric (Collection[str]): Labels that hold both ways round.
    type_map (Optional[Mapping[str, str]]): Entity types, and as what they are read.
    mention (Optional[Callable[[Span], Mention]]): What a span is compared by. None: its
        tokens and its type.
    RETURNS (Dict[Triple, Relation]): The most probable relation of each triple.
    """
    mention, read = mention or _mention, type_map or {}

    def end(span: Span) -> Mention:
        first, last, type_ = mention(span)
        return first, last, read.get(type_, type_)

    found: dict[Triple, Relation] = {}
    for relation in relations:
        if relation.label == NO_RELATION:
            continue
        ends = [end(relation.subject), end(relation.object)]
        if relation.label in symmetric:
            ends.sort()
        triple = (ends[0], ends[1], relation.label)
        if triple not in found or relation.score > found[triple].score:
            found[triple] = relation
    return found


def concept_triples(
    doc: Doc,
    relations_key: str,
    symmetric: Collection[str],
    type_map: Mapping[str, str] | None = None,
) -> set[ConceptTriple]:
    """Read a Doc's relations as triples of concepts.

    doc (Doc): The Doc. Where `doc.user_data["concept_relations"]` is set (as the BioRED
        converter does) its rows `[id1, id2, label, type1, type2, ...]` are the triples;
        otherwise the concepts of the relations' spans are.
    relations_key (str): Where the relations are.
    symmetric (Collection[str]): Labels that hold both ways round.
    type_map (Optional[Mapping[str, str]]): Entity types, and as what they are read.
    RETURNS (Set[ConceptTriple]): The triples.
    """
    rows = doc.user_data.get("concept_relations")
    if rows is None:
        relations = get_relations(doc, relations_key)
        return set(index_concepts(relations, symmetric, type_map))
    read = type_map or {}
    return {
        order_concepts(
            (read.get(t1, t1), id1), (read.get(t2, t2), id2), label, symmetric
        )
        for id1, id2, label, t1, t2, *_ in rows
    }


def index_concepts(
    relations: Iterable[Relation],
    symmetric: Collection[str],
    type_map: Mapping[str, str] | None = None,
) -> dict[ConceptTriple, Relation]:
    """Index relations by their triples of concepts.

    relations (Iterable[Relation]): The relations.
    symmetric (Collection[str]): Labels that hold both ways round.
    type_map (Optional[Mapping[str, str]]): Entity types, and as what they are read.
    RETURNS (Dict[ConceptTriple, Relation]): The most probable relation of each triple.
    """
    found: dict[ConceptTriple, Relation] = {}
    for relation in relations:
        for subject in concepts_of(relation.subject, type_map):
            for object_ in concepts_of(relation.object, type_map):
                triple = order_concepts(subject, object_, relation.label, symmetric)
                if triple not in found or relation.score > found[triple].score:
                    found[triple] = relation
    return found


def order_concepts(
    subject: Concept, object_: Concept, label: str, symmetric: Collection[str]
) -> ConceptTriple:
    """RETURNS (ConceptTriple): A triple; of a symmetric label the same both ways."""
    if label in symmetric:
        return min(subject, object_), max(subject, object_), label
    return subject, object_, label


def _judged(
    triples: set[Triple], gold: Doc, relations_key: str, symmetric: Collection[str]
) -> set[Triple]:
    """Leave out the pairs that a partial annotation does not decide."""
    ends = [{span[:2] for span in triple[:2]} for triple in triples]
    unknown = [
        {(span.start, span.end) for span in pair} for pair in unknown_pairs(gold)
    ]
    judged = {triple for triple, own in zip(triples, ends) if own not in unknown}
    if gold.user_data.get("complete") is not False:
        return judged
    decided = {
        ((s.start, s.end), (o.start, o.end))
        for s, o, _, _ in get_relations(gold, relations_key)
    }
    return {
        triple
        for triple in judged
        if (pair := (triple[0][:2], triple[1][:2])) in decided
        or (triple[2] in symmetric and pair[::-1] in decided)
    }


def _mention(span: Span) -> Mention:
    return (span.start, span.end, span.label_)


def _untyped(
    relations: set[Triple],
) -> set[tuple[tuple[int, int], tuple[int, int], str]]:
    return {(subject[:2], object_[:2], label) for subject, object_, label in relations}


def _values(prf: PRFScore) -> list[float | None]:
    return [prf.precision, prf.recall, prf.fscore]
