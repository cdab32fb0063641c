"""A training config for a corpus, and why it is as it is."""

import json
from collections import Counter
from math import ceil
from typing import Any, Literal, NamedTuple

from ..predicates import NO_RELATION, describe
from .facts import CorpusFacts, LabelFacts

COMPONENT = "components.dual_relation_extractor"
MODEL = f"{COMPONENT}.model"
# Gold relations that one batch should have, about, and documents that it may have.
RELATIONS_OF_BATCH, MAX_BATCH = 8, 16
# How often training sees each document, and no more once it has seen so many relations,
# on a CPU and on a GPU. Six passes over SciERC are 20,000 relations.
PASSES, RELATIONS_SEEN = {False: 6, True: 8}, {False: 20_000, True: 60_000}
MIN_STEPS, MAX_EVALUATIONS = 150, 8
# Up to so many predicates, all descriptions are read for every training pair.
FEW_PREDICATES = 4
# From so many relations on it is taken for a rule what all of them do.
ENOUGH = 6


class Recipe(NamedTuple):
    """What to set for a corpus.

    changes (Dict[str, Any]): Values of the config by dotted path, beside those that all
        trainings share.
    reasons (List[str]): Why.
    """

    changes: dict[str, Any]
    reasons: list[str]

    def set(self, reason: str, **values: Any) -> None:
        """Set values of the component ("__" is a dot), and say why."""
        for name, value in values.items():
            self.changes[f"{COMPONENT}.{name.replace('__', '.')}"] = value
        self.reasons.append(reason)


def make_recipe(
    facts: CorpusFacts,
    n_train: int,
    *,
    optimize: Literal["speed", "accuracy"] = "accuracy",
    gpu: bool = False,
    general: bool = False,
) -> Recipe:
    """Choose settings for a corpus.

    facts (CorpusFacts): What is seen in it.
    n_train (int): How many documents there are to train on.
    optimize (str): "accuracy": each pair is read with its markers, as published.
        "speed": the pairs of a subject share a reading.
    gpu (bool): Whether to train on a GPU.
    general (bool): Whether to start from the general model.
    RETURNS (Recipe): The settings.
    """
    recipe = Recipe({}, [])
    _choose_candidates(recipe, facts)
    if general:
        recipe.set(
            "start, fill_spans: encoders, projections and temperature of the general "
            "model, which reads descriptions without the spans of a pair.",
            model__start="general",
            model__fill_spans=False,
        )
    _choose_model(recipe, facts, optimize, all_descriptions=gpu or general)
    if gpu:
        recipe.changes["system.gpu_allocator"] = "pytorch"
    _choose_steps(recipe, facts, n_train, gpu)
    return recipe


def plan_steps(n_docs: int, batch_size: int, passes: int) -> tuple[int, int]:
    """Choose how long to train and how often to evaluate.

    n_docs (int): Documents to train on.
    batch_size (int): Documents of a batch.
    passes (int): How often each is to be seen, unless that is too short.
    RETURNS (Tuple[int, int]): Steps in all, a multiple of the second; steps from one
        evaluation to the next.
    """
    one_pass = ceil(n_docs / batch_size)
    steps = max(one_pass * passes, MIN_STEPS)
    n_evaluations = min(max(steps // one_pass, 3), MAX_EVALUATIONS)
    frequency = ceil(steps / n_evaluations)
    return frequency * n_evaluations, frequency


def write_predicates(facts: CorpusFacts, source: str) -> str:
    """Describe the predicates of a corpus, to be edited.

    facts (CorpusFacts): What is seen in it.
    source (str): What the corpus is called.
    RETURNS (str): YAML that `read_predicates` reads.
    """
    lines = [
        f"# The predicates of {_quoted(source)}. Edit the descriptions: a short",
        "# sentence that says what holds, with {subject} and {object} once each.",
        "# (Short ones are faster. Several wordings: a list.) The types are those that",
        "# were seen. Add others that are possible; without the line all are. A",
        "# symmetric predicate has no direction.",
        "",
    ]
    for label, own in sorted(facts.labels.items(), key=lambda item: -item[1].n):
        seen = own.types.most_common(3)
        examples = [f"{_quoted(s)} -> {_quoted(o)} {n}" for (s, o), n in seen]
        more = ["..."] if len(own.types) > len(seen) else []
        lines.append(f"# {own.n} relations: {', '.join([*examples, *more])}")
        lines.append(f"{_quoted(label)}:")
        lines.append(f"  description: {_quoted(describe(label))}")
        for side, name in enumerate(("subject_types", "object_types")):
            counts: Counter[str] = Counter()
            for types, n in own.types.items():
                counts[types[side]] += n
            if set(counts) != set(facts.types):
                types_text = ", ".join(_quoted(t) for t, _ in counts.most_common())
                lines.append(f"  {name}: [{types_text}]")
        lines += [*_symmetry(own), ""]
    lines.append(f"{NO_RELATION}:")
    lines.append(f"  description: {_quoted(describe(NO_RELATION))}")
    return "\n".join(lines) + "\n"


def _symmetry(own: LabelFacts) -> list[str]:
    if own.both_ways == own.n >= ENOUGH:
        return ["  symmetric: true  # all are there both ways round"]
    same_types = all(subject == object_ for subject, object_ in own.types)
    if same_types and own.in_order == own.n >= ENOUGH:
        return [
            "  symmetric: false  # if it has no direction: true (the subject always "
            "comes first)"
        ]
    return []


def _choose_candidates(recipe: Recipe, facts: CorpusFacts) -> None:
    if facts.spans_key is not None:
        recipe.set(
            f"spans_key: {facts.overlapping} entities overlap others or are not in "
            f"doc.ents; doc.spans[{_quoted(facts.spans_key)}] has all of them.",
            spans_key=facts.spans_key,
        )
    if facts.is_document_level:
        recipe.set(
            f"concepts: relations are between entities with ids, and "
            f"{facts.beyond(1):.0%} of their mention pairs cross a sentence. Of two "
            "concepts the three nearest pairs of mentions are scored, anywhere in the "
            "document, with the text around them, and joined (as configs/biored.cfg).",
            candidates__max_sentences=None,
            candidates__max_pairs_per_concept=3,
            decoder__concepts="max",
            scorer__concepts=True,
            model__context_length=256,
        )
        weights = {"micro": None, "concept": 0.0}
        for kind, weight in weights.items():
            for part in "pr":
                recipe.changes[f"training.score_weights.rel_{kind}_{part}"] = weight
        recipe.changes["training.score_weights.rel_micro_f"] = None
        recipe.changes["training.score_weights.rel_concept_f"] = 1.0
        return
    reach = next((n for n in (1, 2, 3) if facts.beyond(n) <= 0.02), None)
    if reach != 1:
        recipe.set(
            f"max_sentences: {facts.beyond(1):.0%} of the relations cross a sentence "
            f"boundary, {facts.beyond(2):.0%} two or more.",
            candidates__max_sentences=reach,
        )


def _choose_model(
    recipe: Recipe, facts: CorpusFacts, optimize: str, all_descriptions: bool
) -> None:
    if optimize == "speed":
        at_once = "both" if facts.is_document_level else "object"
        recipe.set(
            'reading, fill_spans: the pairs of a subject ("both": of a text) share a '
            "reading, and a description is read once for all pairs of the same types. "
            "On SciERC that is nine times as fast in prediction and twice in training, "
            "for about one point of F1 with a learning rate of 2e-4, which 1e-4 made "
            "up for (docs/speed.md, docs/benchmarks.md). Where no others are asked for "
            "later, model.alpha = 1 trains in half of the time, and is as good there: "
            "a linear head that reads no descriptions.",
            model__fill_spans=False,
            sampler__descriptions="all",
        )
        recipe.changes[f"{MODEL}.reading"] = {
            "@misc": "spacy-dualre.levitated_reading.v1",
            "markers": at_once,
        }
        if facts.is_document_level:
            recipe.changes[f"{MODEL}.max_length"] = 512
            recipe.changes[f"{MODEL}.context_length"] = 512
    elif all_descriptions or len(facts.labels) <= FEW_PREDICATES:
        recipe.set(
            "descriptions: each training pair is contrasted with all of them.",
            sampler__descriptions="all",
        )
    else:
        recipe.set(
            "descriptions: pairs without relation are contrasted with the likeliest "
            f"of {len(facts.labels)} only, which is faster. With all, F1 on SciERC was "
            'five points higher after one pass; take "all" on a GPU.',
            sampler__descriptions="mixed",
            sampler__n_descriptions=1,
        )
    recipe.set(
        "negative_ratio: three pairs without relation for each with one, which was "
        "best on SciERC's dev split. null: all.",
        sampler__negative_ratio=3,
    )


def _choose_steps(recipe: Recipe, facts: CorpusFacts, n_train: int, gpu: bool) -> None:
    per_doc = facts.relations / max(facts.docs, 1)
    # No more than an eighth of few documents, of which there would be few batches.
    most = min(MAX_BATCH, max(n_train // 8, 1))
    size = min(max(round(RELATIONS_OF_BATCH / max(per_doc, 0.1)), 1), most)
    seen = max(round(RELATIONS_SEEN[gpu] / max(per_doc * n_train, 1)), 1)
    passes = min(PASSES[gpu], seen)
    steps, frequency = plan_steps(max(n_train, 1), size, passes)
    training = {
        "batcher.size": size,
        "max_steps": steps,
        "eval_frequency": frequency,
        "optimizer.learn_rate.warmup_steps": ceil(steps / 10),
        "optimizer.learn_rate.initial_rate": 0.0001,
    }
    recipe.changes.update({f"training.{key}": v for key, v in training.items()})
    recipe.reasons.append(
        f"batcher, max_steps, eval_frequency: batches of {size}, as a document has "
        f"{per_doc:.1f} relations; {steps * size / max(n_train, 1):.1f} passes "
        f"over {n_train} documents, {steps // frequency} evaluations. total_steps "
        "follows max_steps; warmup_steps is a tenth of it."
    )
    recipe.reasons.append(
        "learn_rate: 1e-4, which was better than 2e-4 on ChemProt, with twenty texts "
        "and, from four passes on, on SciERC (docs/benchmarks.md)."
    )


def _quoted(text: str) -> str:
    """A string as YAML (and JSON) writes it, on one line."""
    return json.dumps(text, ensure_ascii=False)
