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

from spacy_dualre.batches import Inputs
from spacy_dualre.dual_encoder import DualEncoder
from spacy_dualre.instances import InstanceBuilder, Pairs

BATCH_SIZE = 8


def score_batch(
    module: DualEncoder,
    builder: InstanceBuilder,
    pairs: Pairs,
    rows: numpy.ndarray,
    length: int,
) -> tuple[Tensor, Tensor]:
    """Score a batch of pairs against all predicates.

    module (DualEncoder): The weights.
    builder (InstanceBuilder): Makes the wordpieces.
    pairs (Pairs): Candidate pairs.
    rows (ndarray): Which of them, int, (n,).
    length (int): The maximum length, to which every input is padded.
    RETURNS (Tuple[Tensor, Tensor]): z and l, float32, (n, R + 1) each.
    """
    n, n_labels = len(rows), pairs.allowed.shape[1]
    instances = builder.instances(pairs, rows)
    predicates = numpy.tile(numpy.arange(n_labels), n)
    subjects, objects = numpy.repeat(pairs.surfaces[rows], n_labels, axis=0).T
    descriptions = builder.descriptions(pairs, subjects, objects, predicates)
    with torch.no_grad():
        h = _read(module, module.instance_encoder, instances, length)
        encoder = module.predicate_encoder or module.instance_encoder
        d = _read(module, encoder, descriptions, length)
        u = module.layer_norm(module.instance_linear(h[:, :2].flatten(1)))
        logits = module.classifier(u)
        parts = [d[:, 0], d[:, 1]]
        if module.predicate_linear.in_features > 2 * d.shape[2]:
            parts.append(h[:, 2].repeat_interleave(n_labels, dim=0))
        v = module.layer_norm(module.predicate_linear(torch.cat(parts, dim=1)))
        v = v.reshape(n, n_labels, -1)
        z = module.log_scale.exp() * F.cosine_similarity(u[:, None], v, dim=2)
    return z, logits


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
