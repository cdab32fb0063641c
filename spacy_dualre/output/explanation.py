"""Explanations: how the pair of two spans was scored, or why it was not."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple, cast

import numpy
import torch
from spacy.language import Language
from spacy.tokens import Doc, Span
from thinc.api import xp2torch
from thinc.types import Floats2d

from ..component import DualRelationExtractor
from ..encoding.batches import Inputs
from ..encoding.wordpieces import Fillings
from ..model.architectures import with_settings
from ..model.shim import DualEncoderShim
from ..model.step import in_question
from ..pairs.candidates import Candidates, get_entities, tokens_between
from ..pairs.dropped import Dropped, find_entity, why_dropped
from ..predicates import Predicate

# What of a pair's texts does not fit the encoder.
SHORTENED = {
    "context": "the text around the pair",
    "middle": "the text between the spans",
    "span": "a span in the text",
    "description": "a span in the descriptions",
}


class Opinion(NamedTuple):
    """What is thought of one predicate for a pair.

    label (str): The predicate.
    descriptions (Tuple[str, ...]): Its descriptions with the pair's spans, as the
        predicate encoder reads them; none where the linear head is alone.
    cosines (Tuple[float, ...]): How like each is to the pair. The best one counts.
    probability (float): What the component gives it, 0 where it was not scored.
    logit (Optional[float]): The auxiliary head's. None: it is not trained, or not with
        all that is asked.
    head_probability (Optional[float]): The auxiliary head's.
    skipped (Optional[str]): Why it was not scored: "signature" (it does not admit the
        types), "order" (it is symmetric, and scored for the pair in the order of the
        text) or "pruned" (the auxiliary head, or its description without spans, made it
        look unlikely).
    """

    label: str
    descriptions: tuple[str, ...]
    cosines: tuple[float, ...]
    probability: float
    logit: float | None
    head_probability: float | None
    skipped: str | None


class Explanation(NamedTuple):
    """How a pair was scored, or why it was not.

    subject (Span): The subject.
    object (Span): The object.
    dropped (Optional[Dropped]): Why the pair is no candidate. None: it is one.
    text (Optional[str]): The text as the instance encoder reads it.
    shortened (Tuple[str, ...]): What did not fit the encoder: keys of `SHORTENED`.
    opinions (Tuple[Opinion, ...]): The predicates, most probable first; empty where the
        pair is no candidate.
    found (Tuple[str, ...]): The predicates that the component finds for it.
    """

    subject: Span
    object: Span
    dropped: Dropped | None = None
    text: str | None = None
    shortened: tuple[str, ...] = ()
    opinions: tuple[Opinion, ...] = ()
    found: tuple[str, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """RETURNS (Dict[str, Any]): Plain data, to be written as JSON."""
        ends = {"subject": self.subject, "object": self.object}
        spans = {
            name: {
                "start": span.start_char,
                "end": span.end_char,
                "label": span.label_,
                "text": span.text,
            }
            for name, span in ends.items()
        }
        opinions = [opinion._asdict() for opinion in self.opinions]
        dropped = None if self.dropped is None else self.dropped._asdict()
        return {**self._asdict(), **spans, "dropped": dropped, "opinions": opinions}


def explain(
    pipeline: Language | DualRelationExtractor,
    doc: Doc,
    subject: Span | str,
    object: Span | str,
) -> Explanation:
    """Explain how a pair was scored, or why it was not.

    pipeline (Union[Language, DualRelationExtractor]): The trained pipeline, or its
        relation extractor.
    doc (Doc): A Doc with entities, as the relation extractor was given it.
    subject (Union[Span, str]): The subject: a span, or its text. Of several mentions
        with these texts the two nearest are meant.
    object (Union[Span, str]): The object.
    RETURNS (Explanation): The explanation.
    RAISES (ValueError): If a text is not in the Doc, or the pipeline has no relation
        extractor, several, or one with another architecture.
    """
    component = _component(pipeline)
    entities = get_entities(doc, component.spans_key)
    pairs = product(
        *(
            [end] if isinstance(end, Span) else find_mentions(doc, end, entities)
            for end in (subject, object)
        )
    )
    nearest = min(pairs, key=lambda pair: (pair[0] == pair[1], tokens_between(*pair)))
    (explanation,) = explain_pairs(component, doc, [nearest])
    return explanation


def explain_pairs(
    component: DualRelationExtractor, doc: Doc, pairs: Iterable[Sequence[Span]]
) -> list[Explanation]:
    """Explain several pairs of one Doc, which is scored once.

    component (DualRelationExtractor): The relation extractor.
    doc (Doc): A Doc with entities.
    pairs (Iterable[Sequence[Span]]): Subject and object of each pair.
    RETURNS (List[Explanation]): The explanations.
    RAISES (ValueError): If the relation extractor has another architecture.
    """
    shim = _shim(component)
    (scored,) = component.predict([doc])
    found, probabilities = scored
    relations: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for relation in component.decoder(
        scored, component.threshold, component.multi_label
    ):
        relations[relation.fact[:4]].append(relation.label)
    rows = found.rows()
    explanations = []
    for subject, object_ in pairs:
        rule = (component.find_pairs, component.spans_key)
        dropped = why_dropped(found, *rule, subject, object_)
        if dropped is not None:
            explanations.append(Explanation(subject, object_, dropped))
            continue
        s, o = (find_entity(found.entities, span) for span in (subject, object_))
        row = rows[s, o]
        single = found.select(numpy.asarray([row]))
        text, shortened, descriptions = _read(shim, single)
        ends = (subject.start, subject.end, object_.start, object_.end)
        explanations.append(
            Explanation(
                subject,
                object_,
                text=text,
                shortened=shortened,
                opinions=_opinions(component, single, probabilities[row], descriptions),
                found=tuple(relations[ends]),
            )
        )
    return explanations


def find_mentions(doc: Doc, text: str, entities: Sequence[Span]) -> list[Span]:
    """Find the spans with a text.

    doc (Doc): The Doc.
    text (str): The text.
    entities (Sequence[Span]): The entities of the Doc.
    RETURNS (List[Span]): The entities with this text; where there are none, the spans.
    RAISES (ValueError): If there are none either.
    """
    found = [entity for entity in entities if entity.text == text]
    if found or not text:
        starts: Iterable[int] = ()
    else:
        starts = (match.start() for match in re.finditer(re.escape(text), doc.text))
    for start in starts:
        span = doc.char_span(start, start + len(text), alignment_mode="expand")
        if span is not None:
            found.append(span)
    if not found:
        known = ", ".join(f"'{e.text}' ({e.label_})" for e in entities[:20])
        raise ValueError(
            f"{text!r:.200} is not in the text {doc.text!r:.200}. Its entities are: "
            f"{known or 'none'}."
        )
    return found


def _component(pipeline: Language | DualRelationExtractor) -> DualRelationExtractor:
    if isinstance(pipeline, DualRelationExtractor):
        return pipeline
    found = [p for _, p in pipeline.pipeline if isinstance(p, DualRelationExtractor)]
    if len(found) != 1:
        raise ValueError(
            f"The pipeline has {len(found)} relation extractors (its components are "
            f"{', '.join(pipeline.pipe_names)}). Give the one that is meant: "
            "nlp.get_pipe(NAME)."
        )
    return found[0]


def _shim(component: DualRelationExtractor) -> DualEncoderShim:
    for shim in component.model.shims:
        if isinstance(shim, DualEncoderShim):
            return shim
    raise ValueError(
        f"'{component.name}' can't be explained: its model is no dual encoder, whose "
        "texts and scores are known."
    )


def _read(
    shim: DualEncoderShim, single: Candidates
) -> tuple[str, tuple[str, ...], list[tuple[str, ...]]]:
    """The text of one pair, what of it is shortened, and for each predicate its
    descriptions, all as the encoders read them."""
    reading, shortened = shim.settings.reading, []
    fillings: Fillings
    if reading is None:  # pooled from the tokens of both spans and between them
        spans = [single.entities[i] for i in single.pairs[0]]
        start, end = min(s.start for s in spans), max(s.end for s in spans)
        text = single.doc[start:end].text
    else:
        pairs = shim.pair_tokenizer.locate([single])
        (text,) = _decode(shim, reading.build(pairs, numpy.arange(1)))
        shortened = [name for name in SHORTENED if pairs.clipped[name]]
    if shim.settings.alpha == 1:
        return text, tuple(shortened), [() for _ in single.predicates]
    described = shim.describe(single.predicates)
    fillings = shim.pair_tokenizer.types_of([single]) if reading is None else pairs
    surfaces = described.surfaces(fillings)[fillings.surfaces[0]]
    lengths = fillings.surface_spans[surfaces] @ (-1, 1)
    if shim.settings.fill_spans and lengths.max() > described.max_filled:
        shortened.append("description")
    subjects, objects = (numpy.full(described.n, surface) for surface in surfaces)
    texts = _decode(
        shim,
        described.build(fillings, subjects, objects, numpy.arange(described.n)),
    )
    return (
        text,
        tuple(shortened),
        [
            tuple(text for text, of in zip(texts, described.of_predicate) if of == r)
            for r in range(len(single.predicates))
        ],
    )


def _decode(shim: DualEncoderShim, inputs: Inputs) -> list[str]:
    """The texts of inputs, without the special wordpieces at both ends."""
    ends = numpy.cumsum(inputs.lengths)
    return [
        shim.tokenizer.decode(
            inputs.ids[end - length + 1 : end - 1], clean_up_tokenization_spaces=False
        )
        for end, length in zip(ends, inputs.lengths)
    ]


def _opinions(
    component: DualRelationExtractor,
    single: Candidates,
    probabilities: numpy.ndarray,
    descriptions: list[tuple[str, ...]],
) -> tuple[Opinion, ...]:
    shim = _shim(component)
    settings = shim.settings
    cosines = _cosines(component, single) if settings.alpha < 1 else None
    knows_all = {p.label for p in single.predicates} <= set(shim.labels)
    logits = head = None
    pruned = numpy.zeros(len(single.predicates), dtype=bool)
    if settings.alpha > 0 and knows_all:
        model = with_settings(component.model, predict_with="head", prune=0.0)
        given = xp2torch(cast(Floats2d, model.predict([single]).head))
        logits, head = given[0].tolist(), given.softmax(dim=1)[0].tolist()
        if settings.prune:
            left: Any = in_question(given, settings.prune)
            pruned = ~left[0].cpu().numpy() & single.allowed[0]
    if settings.shortlist and settings.alpha < 1:
        model = with_settings(component.model, predict_with="dual", prune=0.0)
        scored: Any = xp2torch(cast(Floats2d, model.predict([single]).dual))
        pruned |= torch.isneginf(scored[0]).cpu().numpy() & single.allowed[0]
    s, o = single.pairs[0].tolist()
    types = [single.type_of(single.entities[i]) for i in (s, o)]

    def skipped(r: int, predicate: Predicate) -> str | None:
        if single.allowed[0, r]:
            return "pruned" if pruned[r] else None
        return "order" if predicate.admits(*types) else "signature"

    opinions = [
        Opinion(
            label=predicate.label,
            descriptions=descriptions[r],
            cosines=() if cosines is None else cosines[r],
            probability=float(probabilities[r]),
            logit=None if logits is None or not single.allowed[0, r] else logits[r],
            head_probability=None if head is None else head[r],
            skipped=skipped(r, predicate),
        )
        for r, predicate in enumerate(single.predicates)
    ]
    return tuple(
        sorted(opinions, key=lambda x: (-x.probability, x.skipped is not None))
    )


def _cosines(
    component: DualRelationExtractor, single: Candidates
) -> list[tuple[float, ...]]:
    """Of each predicate the cosines of all its descriptions, whether or not they were
    asked for."""
    model = with_settings(component.model, predict_with="dual", prune=0.0, shortlist=0)
    apart = tuple(
        predicate._replace(descriptions=(description,))
        for predicate in single.predicates
        for description in predicate.descriptions
    )
    every = numpy.ones((1, len(apart)), dtype=bool)
    asked = replace(single, predicates=apart, allowed=every, asked=every)
    scores = xp2torch(cast(Floats2d, model.predict([asked]).dual))[0]
    with torch.no_grad():
        cosines = iter((scores / _shim(component).module.log_scale.exp()).tolist())
    return [
        tuple(next(cosines) for _ in predicate.descriptions)
        for predicate in single.predicates
    ]
