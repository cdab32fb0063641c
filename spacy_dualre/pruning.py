"""Pruning: what leaving out unlikely descriptions saves, and what it costs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import torch
from spacy.training import Example
from spacy.util import minibatch
from thinc.api import torch2xp, xp2torch
from thinc.types import Floats2d

from .component import DualRelationExtractor
from .model.architectures import with_settings
from .model.scores import Scores
from .model.shim import get_shim
from .model.step import in_question, leave_in_question
from .output.probabilities import Scored, to_probabilities


def measure_pruning(
    component: DualRelationExtractor,
    examples: Iterable[Example],
    values: Iterable[float],
) -> list[dict[str, Any]]:
    """Score a component with several values of the model's setting `prune`. The pairs
    go through the encoders once, without pruning.

    component (DualRelationExtractor): The trained component. Its settings stay.
    examples (Iterable[Example]): Examples with gold relations, and with entities on the
        predicted Docs, which get the relations that the last value leads to.
    values (Iterable[float]): The values.
    RETURNS (List[Dict[str, Any]]): For each value "prune"; "descriptions", how many a
        pair is scored against, on average; "without", the share of pairs that are
        scored against none; and "scores", as `component.score` returns them.
    RAISES (ValueError): If the component reads no descriptions, its auxiliary head is
        not trained, or there are no candidate pairs.
    """
    settings = get_shim(component.model).settings
    if settings.alpha == 1 or settings.predict_with == "head":
        raise ValueError(
            f"'{component.name}' reads no descriptions, so there is nothing to prune: "
            "alpha is 1 or predict_with is head."
        )
    if settings.reading is None:
        raise ValueError(
            f"'{component.name}' reads each description once for all pairs, so there "
            "is nothing to prune."
        )
    if settings.alpha == 0:
        raise ValueError(
            f"'{component.name}' can't be pruned: alpha is 0, so the auxiliary head, "
            "which chooses the descriptions, is not trained."
        )
    # The mean needs z and l of all that is allowed.
    model = with_settings(component.model, predict_with="mean", prune=0.0)
    kept: list[Example] = []
    all_scores: list[Scores] = []
    for batch in minibatch(examples, 64):
        found = [component.find_candidates(example.predicted) for example in batch]
        all_scores.append(model.predict(found))
        kept += batch
    if not any(
        len(found.pairs) for scores in all_scores for found in scores.candidates
    ):
        raise ValueError(
            f"'{component.name}' finds no candidate pairs in the data. Its Docs need "
            "entities of the types that the predicates relate."
        )
    rows = []
    for value in values:
        n_read = []
        scored: list[Scored] = []
        for scores in all_scores:
            assert scores.dual is not None and scores.head is not None
            dual, head = xp2torch(scores.dual), xp2torch(scores.head)
            n_read.append(in_question(head, value).sum(dim=1))
            pruned = scores._replace(
                dual=cast(Floats2d, torch2xp(leave_in_question(dual, head, value))),
                head=scores.head if settings.predict_with == "mean" else None,
            )
            scored += to_probabilities(pruned)
        for example in kept:
            example.predicted.spans.pop(component.relations_key, None)
        component.set_annotations([example.predicted for example in kept], scored)
        per_pair = torch.cat(n_read)
        rows.append(
            {
                "prune": value,
                "descriptions": per_pair.float().mean().item(),
                "without": (per_pair == 0).float().mean().item(),
                "scores": component.score(kept),
            }
        )
    return rows


def choose_measure(
    score_weights: Mapping[str, float | None], scores: Mapping[str, Any]
) -> str:
    """Choose the F1 of relations that a pipeline is trained for.

    score_weights (Mapping[str, Optional[float]]): The config's training.score_weights.
    scores (Mapping[str, Any]): Scores of the component.
    RETURNS (str): Which F1 of the component has the highest weight; "rel_micro_f" if
        none has any.
    """
    weights = {
        name: weight
        for name, weight in score_weights.items()
        if name.startswith("rel_") and name.endswith("_f")
        if weight and weight > 0 and scores.get(name) is not None
    }
    return max(weights, key=lambda name: weights[name], default="rel_micro_f")


def choose_prune(
    rows: Sequence[dict[str, Any]], measure: str, max_loss: float
) -> dict[str, Any]:
    """Choose the largest `prune` that costs little.

    rows (Sequence[Dict[str, Any]]): What `measure_pruning` returned, the first of them
        for 0.
    measure (str): The score that counts.
    max_loss (float): How far it may be below that of the first row.
    RETURNS (Dict[str, Any]): The row with the largest `prune` of those that are not
        further below.
    """
    lowest = rows[0]["scores"][measure] - max_loss
    good = [row for row in rows if row["scores"][measure] >= lowest]
    return max(good, key=lambda row: row["prune"])
