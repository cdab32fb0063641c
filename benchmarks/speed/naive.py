"""The published procedure, written from its description (arXiv 2503.17799).

Small fixed batches; the instance and every description of every pair padded to the
maximum length and encoded, whatever the signatures say and however often the same
description comes. The wordpieces and the weights are those of the component, so that
only how they go through the encoders differs.
"""

import numpy
import torch
import torch.nn.functional as F
from torch import Tensor

from spacy_dualre.encoding.batches import Inputs
from spacy_dualre.encoding.descriptions import Descriptions
from spacy_dualre.encoding.marked import MarkedReading
from spacy_dualre.encoding.wordpieces import Pairs
from spacy_dualre.model.dual_encoder import DualEncoder

BATCH_SIZE = 8


def score_batch(
    module: DualEncoder,
    descriptions: Descriptions,
    pairs: Pairs,
    rows: numpy.ndarray,
    length: int,
) -> tuple[Tensor, Tensor]:
    """Score a batch of pairs against all predicates.

    module (DualEncoder): The weights.
    descriptions (Descriptions): The descriptions of all predicates.
    pairs (Pairs): Candidate pairs.
    rows (ndarray): Which of them, int, (n,).
    length (int): The maximum length, to which every input is padded.
    RETURNS (Tuple[Tensor, Tensor]): z and l, float32, (n, R + 1) each.
    """
    n, n_descriptions = len(rows), descriptions.n
    instances = MarkedReading().build(pairs, rows)
    each = numpy.tile(numpy.arange(n_descriptions), n)
    subjects, objects = numpy.repeat(pairs.surfaces[rows], n_descriptions, axis=0).T
    filled = descriptions.build(pairs, subjects, objects, each)
    with torch.no_grad():
        assert module.instance_encoder is not None
        h = _read(module, module.instance_encoder, instances, length)
        encoder = module.predicate_encoder or module.instance_encoder
        d = _read(module, encoder, filled, length)
        u = module.layer_norm(module.instance_linear(h[:, :2].flatten(1)))
        logits = module.classifier(u)
        parts = [d[:, 0], d[:, 1]]
        if module.predicate_linear.in_features > 2 * d.shape[2]:
            parts.append(h[:, 2].repeat_interleave(n_descriptions, dim=0))
        v = module.layer_norm(module.predicate_linear(torch.cat(parts, dim=1)))
        v = v.reshape(n, n_descriptions, -1)
        z = module.log_scale.exp() * F.cosine_similarity(u[:, None], v, dim=2)
    predicate = torch.from_numpy(descriptions.of_predicate).to(z.device)
    best = torch.full_like(logits, -torch.inf)
    return best.scatter_reduce(1, predicate.expand_as(z), z, "amax"), logits


def _read(
    module: DualEncoder, encoder: torch.nn.Module, inputs: Inputs, length: int
) -> Tensor:
    """RETURNS (Tensor): The last hidden states at <S>, <O> and CLS, (n, 3, H)."""
    n, device = len(inputs), module.log_scale.device
    ids = numpy.full((n, length), module.pad_id)
    mask = numpy.zeros((n, length), dtype="int64")
    ends = numpy.cumsum(inputs.lengths)
    for row, (size, end) in enumerate(zip(inputs.lengths, ends)):
        ids[row, :size] = inputs.ids[end - size : end]
        mask[row, :size] = 1
    hidden: Tensor = encoder(
        input_ids=torch.from_numpy(ids).to(device),
        attention_mask=torch.from_numpy(mask).to(device),
    )[0]
    rows = torch.arange(n, device=device)[:, None]
    at = numpy.stack([inputs.subject_at, inputs.object_at, 0 * ends], axis=1)
    return hidden[rows, torch.from_numpy(at).to(device)]
