"""The dual encoder and its loss.

"Relation Extraction with Instance-Adapted Predicate Descriptions" (Jiang and Kavuluru,
arXiv 2503.17799). For a pair with subject S and object O in a text, with h the output
of the instance encoder, d_r the output of the predicate encoder on the description of
predicate r with the same spans filled in, and LN one LayerNorm shared by both sides:

    u   = LN(W1 [h(<S>); h(<O>)])
    v_r = LN(W2 [d_r(<S>); d_r(<O>); h(CLS)])
    z_r = exp(t) cos(u, v_r)
    l   = Wc u
    loss = alpha CE(l, gold) + (1 - alpha) CE(z, gold)
"""

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .batches import Inputs, SharedInputs, by_length
from .encoders import first_position

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Instances(NamedTuple):
    """What the instance encoder makes of n pairs.

    vectors (Tensor): u, after dropout, (n, H).
    context (Tensor): h(CLS), (n, H).
    """

    vectors: Tensor
    context: Tensor


class DualEncoder(nn.Module):
    """Scores pairs against predicates.

    instance_encoder (Module): A Hugging Face encoder of hidden size H.
    predicate_encoder (Optional[Module]): Another of the same size, or None to read
        instances and descriptions with the same encoder.
    n_labels (int): R + 1, "no relation" included.
    pad_id (int): The padding wordpiece.
    use_context (bool): Whether v_r sees h(CLS), the instance encoder's.
    dropout (float): Dropout after the LayerNorm.
    temperature (float): exp(-t) at the start.
    max_tokens (int): Wordpieces that an encoder reads at once, padding included.
    """

    def __init__(
        self,
        instance_encoder: "PreTrainedModel",
        predicate_encoder: "PreTrainedModel | None",
        n_labels: int,
        *,
        pad_id: int = 0,
        use_context: bool = True,
        dropout: float = 0.1,
        temperature: float = 0.07,
        max_tokens: int = 4096,
    ) -> None:
        super().__init__()
        size: int = instance_encoder.config.hidden_size
        self.instance_encoder = instance_encoder
        self.predicate_encoder = predicate_encoder
        self.instance_linear = nn.Linear(2 * size, size)
        self.predicate_linear = nn.Linear((3 if use_context else 2) * size, size)
        self.layer_norm = nn.LayerNorm(size)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(size, n_labels)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))
        self.pad_id = pad_id
        self.max_tokens = max_tokens

    def read_instances(self, inputs: Inputs) -> Instances:
        """Encode pairs in their context.

        inputs (Inputs): n marked instances.
        RETURNS (Instances): u and h(CLS), (n, H) each.
        """
        return self._represent(self._encode(self.instance_encoder, inputs))

    def read_shared_instances(self, inputs: SharedInputs) -> Instances:
        """Encode the texts of pairs, each once for several pairs.

        Markers behind the text are levitated (Ye et al., "Packed Levitated Marker for
        Entity and Relation Extraction", arXiv 2109.06067, section 3): they have the
        positions of the span's ends, see the text and the pair's other markers, and
        are not seen by the text.

        inputs (SharedInputs): Texts with n pairs.
        RETURNS (Instances): u and h(CLS), (n, H) each.
        """
        device = self.log_scale.device
        encoder = self.instance_encoder
        first = first_position(encoder)
        states = [self._no_states()]
        order = [numpy.zeros(0, dtype="int64")]
        for rows in by_length(inputs.lengths, self.max_tokens):
            ids, positions, attends = (
                torch.from_numpy(array).to(device)
                for array in inputs.padded(rows, self.pad_id)
            )
            hidden = encoder(
                input_ids=ids,
                attention_mask=attends.long(),
                position_ids=positions + first,
                # Its own default is no longer than its longest text.
                token_type_ids=torch.zeros_like(ids),
            )[0]
            row_of = numpy.full(len(inputs.lengths), -1)
            row_of[rows] = numpy.arange(len(rows))
            pairs = numpy.flatnonzero(row_of[inputs.text_of] >= 0)
            row, subject, object_ = (
                torch.from_numpy(array[pairs]).to(device)
                for array in (
                    row_of[inputs.text_of],
                    inputs.subject_at,
                    inputs.object_at,
                )
            )
            states.append(_at_markers(hidden, row, subject, object_))
            order.append(pairs)
        return self._represent(_in_order(states, order))

    def read_descriptions(self, inputs: Inputs) -> Tensor:
        """Encode descriptions: the part of v_r that does not depend on the context.

        inputs (Inputs): m filled descriptions.
        RETURNS (Tensor): W2 [d(<S>); d(<O>)] without bias, (m, H).
        """
        encoder = self.predicate_encoder or self.instance_encoder
        states = self._encode(encoder, inputs)[:, :2].flatten(1)
        return F.linear(states, self.predicate_linear.weight[:, : states.shape[1]])

    def classify(self, instances: Instances) -> Tensor:
        """RETURNS (Tensor): The logits l of the auxiliary head, (n, R + 1)."""
        return self.classifier(instances.vectors).float()

    def score(
        self, instances: Instances, descriptions: Tensor, pairs: Tensor, at: Tensor
    ) -> Tensor:
        """Score pairs against descriptions.

        instances (Instances): n pairs.
        descriptions (Tensor): m descriptions, (m, H).
        pairs (Tensor): For each of k scores the pair, int64, (k,).
        at (Tensor): For each of k scores the description, int64, (k,).
        RETURNS (Tensor): z, (k,).
        """
        linear = self.predicate_linear
        own: Tensor = linear.bias
        size = descriptions.shape[1]
        if linear.in_features > 2 * size:
            own = F.linear(instances.context, linear.weight[:, 2 * size :], own)[pairs]
        v = self.dropout(self.layer_norm(descriptions[at] + own))
        cosine = F.cosine_similarity(instances.vectors.float()[pairs], v.float())
        return self.log_scale.exp() * cosine

    def _encode(self, encoder: nn.Module, inputs: Inputs) -> Tensor:
        """RETURNS (Tensor): The last hidden states at <S>, <O> and CLS, (n, 3, H)."""
        device = self.log_scale.device
        states = [self._no_states()]
        groups = list(by_length(inputs.lengths, self.max_tokens))
        for rows in groups:
            ids, mask = (
                torch.from_numpy(array).to(device)
                for array in inputs.padded(rows, self.pad_id)
            )
            hidden = encoder(input_ids=ids, attention_mask=mask.long())[0]
            row = torch.arange(len(rows), device=device)
            subject = torch.from_numpy(inputs.subject_at[rows]).to(device)
            object_ = torch.from_numpy(inputs.object_at[rows]).to(device)
            states.append(_at_markers(hidden, row, subject, object_))
        return _in_order(states, [numpy.zeros(0, dtype="int64"), *groups])

    def _represent(self, states: Tensor) -> Instances:
        u = self.instance_linear(states[:, :2].flatten(1))
        return Instances(self.dropout(self.layer_norm(u)), states[:, 2])

    def _no_states(self) -> Tensor:
        size = self.layer_norm.normalized_shape[0]
        return torch.zeros((0, 3, size), device=self.log_scale.device)


def _at_markers(
    hidden: Tensor, row: Tensor, subject: Tensor, object_: Tensor
) -> Tensor:
    """RETURNS (Tensor): The hidden states at <S>, <O> and CLS, (n, 3, H)."""
    at = [hidden[row, subject], hidden[row, object_], hidden[row, 0]]
    return torch.stack(at, dim=1)


def _in_order(states: list[Tensor], rows: list[numpy.ndarray]) -> Tensor:
    """Join the states of groups of rows, in the order of the rows."""
    joined = torch.cat(states)
    order = torch.from_numpy(numpy.concatenate(rows))
    return joined[torch.argsort(order).to(joined.device)]


def joint_loss(
    scores: Tensor | None, logits: Tensor, gold: Tensor, alpha: float
) -> Tensor:
    """The loss of n pairs, averaged over them.

    scores (Optional[Tensor]): z, (n, R + 1), -inf where a description was not scored.
        None where alpha is 1.
    logits (Tensor): l, (n, R + 1).
    gold (Tensor): The gold predicate of each pair, int64, (n,).
    alpha (float): The weight of the auxiliary head's loss.
    RETURNS (Tensor): alpha CE(l, gold) + (1 - alpha) CE(z, gold).
    """
    loss = alpha * F.cross_entropy(logits, gold)
    if scores is not None:
        loss = loss + (1 - alpha) * F.cross_entropy(scores, gold)
    return loss
