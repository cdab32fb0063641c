"""What is seen in annotated Docs: labels, types, how far relations reach."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from spacy.tokens import Doc, Span

from ..pairs.candidates import concepts_of, get_entities, sentence_ids
from ..predicates import NO_RELATION
from ..relations import DEFAULT_KEY, Relation, get_relations


class LabelFacts:
    """What is seen of one label.

    n (int): Its relations.
    types (Counter): Their types, as pairs of subject and object.
    both_ways (int): Those that are there the other way round, too.
    in_order (int): Those whose subject comes first in the text.
    """

    def __init__(self) -> None:
        self.n = 0
        self.types: Counter[tuple[str, str]] = Counter()
        self.both_ways = 0
        self.in_order = 0


class CorpusFacts:
    """What is seen in the Docs of a corpus.

    docs (int): How many there are.
    labels (Dict[str, LabelFacts]): Label -> what is seen of it.
    reach (Counter): Relations by how many sentences they touch, from first to last.
    with_ids (int): Relations both of whose entities have an id.
    concept_relations (int): Relations that were annotated between concepts.
    spans_key (Optional[str]): The span group that has more entities than `doc.ents` has
        place for. None: there is none.
    overlapping (int): How many more it has.
    types (Counter): The entities, by type.
    """

    def __init__(self, docs: Iterable[Doc], relations_key: str = DEFAULT_KEY) -> None:
        self.docs = 0
        self.labels: dict[str, LabelFacts] = defaultdict(LabelFacts)
        self.reach: Counter[int] = Counter()
        self.with_ids = 0
        self.concept_relations = 0
        covered: Counter[str | None] = Counter()
        outside: Counter[str | None] = Counter()
        types: dict[str | None, Counter[str]] = defaultdict(Counter)
        for doc in docs:
            self.docs += 1
            self.concept_relations += len(doc.user_data.get("concept_relations", ()))
            relations = [
                relation
                for relation in get_relations(doc, relations_key)
                if relation.label != NO_RELATION
            ]
            self._add_relations(doc, relations)
            needed = {_place(span) for r in relations for span in r[:2]}
            in_ents = {(*_place(span), span.label_) for span in doc.ents}
            for key in (None, *(key for key in doc.spans if key != relations_key)):
                spans = get_entities(doc, key)
                found = {(*_place(span), span.label_) for span in spans}
                covered[key] += len(needed & {place[:2] for place in found})
                outside[key] += len(found - in_ents)
                types[key].update(span.label_ for span in spans)
        best = max(covered.values(), default=0)
        # Of those with the entities of most relations the one with most others.
        full = [key for key in covered if covered[key] == best]
        fullest = max(full, key=lambda key: outside[key], default=None)
        self.spans_key = fullest
        self.overlapping = outside[fullest]
        self.types = types[fullest]

    @property
    def relations(self) -> int:
        """RETURNS (int): The number of relations."""
        return sum(label.n for label in self.labels.values())

    def beyond(self, n_sentences: int) -> float:
        """RETURNS (float): The share of relations that touch more sentences."""
        far = sum(n for reach, n in self.reach.items() if reach > n_sentences)
        return far / max(self.relations, 1)

    @property
    def is_document_level(self) -> bool:
        """RETURNS (bool): Whether relations are between concepts of a document, not
        between mentions in a sentence.
        """
        linked = self.with_ids >= 0.9 * max(self.relations, 1)
        return bool(self.concept_relations) or (linked and self.beyond(1) >= 0.05)

    def _add_relations(self, doc: Doc, relations: list[Relation]) -> None:
        sentence = sentence_ids(doc)
        facts = {(_place(r.subject), _place(r.object), r.label) for r in relations}
        for subject, object_, label, _ in relations:
            own = self.labels[label]
            own.n += 1
            own.types[subject.label_, object_.label_] += 1
            own.both_ways += (_place(object_), _place(subject), label) in facts
            own.in_order += _place(subject) < _place(object_)
            first = sentence[min(subject.start, object_.start)]
            last = sentence[max(subject.end, object_.end) - 1]
            self.reach[int(last - first) + 1] += 1
            self.with_ids += bool(concepts_of(subject) and concepts_of(object_))


def _place(span: Span) -> tuple[int, int]:
    return span.start, span.end
