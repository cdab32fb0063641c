"""Probabilities: from the scores of pairs to the probability of each predicate."""

from typing import NamedTuple

import numpy
import torch
from thinc.api import xp2torch

from ..model.scores import Scores
from ..pairs.candidates import Candidates


class Scored(NamedTuple):
    """The pairs of one Doc and their probabilities.

    candidates (Candidates): Its P candidate pairs.
    probabilities (ndarray): Of each predicate for each pair, float32, (P, R + 1); 0
        where a predicate was not scored.
    """

    candidates: Candidates
    probabilities: numpy.ndarray


def to_probabilities(scores: Scores) -> list[Scored]:
    """Turn scores into probabilities.

    scores (Scores): The scores of the pairs of some Docs.
    RETURNS (List[Scored]): For each Doc the softmax of its z, of its l, or where both
        are there the mean of both.
    """
    given = [xp2torch(y) for y in (scores.dual, scores.head) if y is not None]
    softmax = torch.stack([y.softmax(dim=1) for y in given]).mean(dim=0).cpu().numpy()
    ends = numpy.cumsum([len(found.pairs) for found in scores.candidates])
    return [
        Scored(found, softmax[end - len(found.pairs) : end])
        for found, end in zip(scores.candidates, ends)
    ]
