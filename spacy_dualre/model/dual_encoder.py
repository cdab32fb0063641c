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

Where the vectors of tokens come from elsewhere, and no instance encoder reads markers:

    u   = LN(W1 [mean(S); mean(O); mean(C)])
    v_r = LN(W2 [d_r(<S>); d_r(<O>); mean(C)])

with C what is between S and O in the text.
"""

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..encoding.batches import Inputs, by_length, gather_ranges
from .compiled import call_encoder
from .encoders import first_position, takes_wide_mask

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Budget(NamedTuple):
    """How much an encoder reads at once. See `by_length`.

    max_tokens (int): Wordpieces at most, padding included, which bounds the memory.
    enough (int): Wordpieces that keep the device busy.
    """

    max_tokens: int
    enough: int


class Instances(NamedTuple):
    """What the instance encoder makes of n pairs.

    vectors (Tensor): u, after dropout, (n, H).
    context (Tensor): h(CLS), (n, H), or mean(C), (n, width).
    """

    vectors: Tensor
    context: Tensor


class DualEncoder(nn.Module):
    """Scores pairs against predicates.

    instance_encoder (Optional[Module]): A Hugging Face encoder of hidden size H, or
        None if instances are pooled from vectors that are given.
    predicate_encoder (Optional[Module]): Another of the same size, or None to read
        instances and descriptions with the same encoder.
    n_labels (int): How many labels the auxiliary head has, L.
    width (Optional[int]): The size of the vectors that are given; without a predicate
        encoder it is H too. None: there is an instance encoder.
    pad_id (int): The padding wordpiece.
    use_context (bool): Whether v_r sees h(CLS), the instance encoder's.
    temperature (float): exp(-t) at the start.
    budget (Budget): How much an encoder reads at once.

    call (Callable): Calls an encoder: `call_encoder`, or `CompiledEncoders`.
    """

    def __init__(
        self,
        instance_encoder: "PreTrainedModel | None",
        predicate_encoder: "PreTrainedModel | None",
        n_labels: int,
        *,
        width: int | None = None,
        pad_id: int = 0,
        use_context: bool = True,
        temperature: float = 0.07,
        budget: Budget,
    ) -> None:
        super().__init__()
        encoder = instance_encoder or predicate_encoder
        size: Any = width if encoder is None else encoder.config.hidden_size
        of_context = width or size
        n_pooled = 2 if width is None else 3
        self.width = width
        self.instance_encoder = instance_encoder
        self.predicate_encoder = predicate_encoder
        self.instance_linear = nn.Linear(n_pooled * of_context, size)
        described = 2 * size + (of_context if use_context else 0)
        self.predicate_linear = nn.Linear(described, size)
        self.layer_norm = nn.LayerNorm(size)
        self.dropout = nn.Dropout(0.0)
        self.classifier = nn.Linear(size, n_labels)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))
        self.pad_id = pad_id
        self.budget = budget
        self.call: Callable[[Any, dict[str, Tensor]], Tensor] = call_encoder

    def copy_projections(self, other: "DualEncoder") -> None:
        """Take over what stands between encoders and scores, and the temperature.

        other (DualEncoder): A dual encoder of the same hidden size.
        RAISES (ValueError): If its layers have other shapes.
        """
        for name in ("instance_linear", "predicate_linear", "layer_norm"):
            own, others = getattr(self, name), getattr(other, name)
            if own.weight.shape != others.weight.shape:
                raise ValueError(
                    f"Can't start from a pipeline whose {name} has the shape "
                    f"{tuple(others.weight.shape)}: this one's is "
                    f"{tuple(own.weight.shape)}. use_context must be the same."
                )
            own.load_state_dict(others.state_dict())
        self.log_scale.data.copy_(other.log_scale.data)

    def read_instances(self, inputs: Inputs) -> Instances:
        """Encode pairs in their context.

        inputs (Inputs): Inputs with n pairs.
        RETURNS (Instances): u and h(CLS), (n, H) each.
        """
        assert self.instance_encoder is not None
        states = self._encode(self.instance_encoder, inputs)
        return self._project(states[:, :2], states[:, 2])

    def pool_instances(self, vectors: Tensor, ranges: numpy.ndarray) -> Instances:
        """Pool pairs from the vectors of tokens.

        vectors (Tensor): The vectors of T tokens, (T, width).
        ranges (ndarray): Start and end of the subject, the object and the context of n
            pairs, int64, (n, 3, 2).
        RETURNS (Instances): u, (n, H), and the mean of the context, (n, width).
        """
        starts, ends = ranges[..., 0].reshape(-1, 1), ranges[..., 1].reshape(-1, 1)
        tokens, lengths, _ = gather_ranges(numpy.arange(len(vectors)), starts, ends)
        at = [tokens, numpy.cumsum(lengths) - lengths]
        tokens_at, starts_at = (to_device(array, vectors.device) for array in at)
        # The mean of nothing is 0.
        pooled = F.embedding_bag(tokens_at, vectors, starts_at, mode="mean")
        pooled = pooled.reshape(len(ranges), 3, -1)
        return self._project(pooled, pooled[:, 2])

    def _project(self, states: Tensor, context: Tensor) -> Instances:
        u = self.instance_linear(states.flatten(1))
        return Instances(self.dropout(self.layer_norm(u)), context)

    def read_descriptions(self, inputs: Inputs) -> Tensor:
        """Encode descriptions: the part of v_r that does not depend on the context.

        inputs (Inputs): m filled descriptions.
        RETURNS (Tensor): W2 [d(<S>); d(<O>)] without bias, (m, H).
        """
        encoder = self.predicate_encoder or self.instance_encoder
        assert encoder is not None
        states = self._encode(encoder, inputs)[:, :2].flatten(1)
        return F.linear(states, self.predicate_linear.weight[:, : states.shape[1]])

    def classify(self, instances: Instances) -> Tensor:
        """RETURNS (Tensor): The logits l of the auxiliary head, (n, L)."""
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

    def _encode(self, encoder: Any, inputs: Inputs) -> Tensor:
        """RETURNS (Tensor): The last hidden states at <S>, <O> and CLS, (n, 3, H)."""
        device = self.log_scale.device
        size = self.layer_norm.normalized_shape[0]
        states = [torch.zeros((0, 3, size), device=device)]
        order = [numpy.zeros(0, dtype="int64")]
        first = first_position(encoder)
        groups = list(by_length(inputs.lengths, *self.budget))
        padded = (inputs.padded(rows, self.pad_id) for rows in groups)
        for rows, arguments in zip(groups, self._look_up(encoder, padded)):
            mask = arguments["attention_mask"]
            if mask.dim() == 2 and device.type == "cuda" and takes_wide_mask(encoder):
                # Of a mask in two dimensions transformers asks the GPU whether it masks
                # anything, and waits for the answer.
                arguments["attention_mask"] = mask[:, None, :]
            if "position_ids" in arguments:
                arguments["position_ids"] += first
                # Its own default is no longer than its longest text.
                positions = arguments["position_ids"]
                arguments["token_type_ids"] = torch.zeros_like(positions)
            hidden = self.call(encoder, arguments)
            pairs, row = inputs.pairs_of(rows)
            at = [inputs.subject_at[pairs], inputs.object_at[pairs], 0 * pairs]
            row_at = to_device(row, device)[:, None]
            states.append(hidden[row_at, to_device(numpy.stack(at, axis=1), device)])
            order.append(pairs)
        in_order = numpy.argsort(numpy.concatenate(order))
        return torch.cat(states)[to_device(in_order, device)]

    def _look_up(
        self, encoder: Any, padded: Iterator[dict[str, numpy.ndarray]]
    ) -> Iterator[dict[str, Tensor]]:
        """Bring padded inputs to the device; in training the vectors of all their
        wordpieces at once, as the gradient of a lookup is as large as the vocabulary.
        """
        device = self.log_scale.device
        if not torch.is_grad_enabled():
            for group in padded:
                yield {name: to_device(array, device) for name, array in group.items()}
            return
        groups = list(padded)
        ids = [group.pop("input_ids") for group in groups]
        none = numpy.zeros(0, dtype="int64")
        at = numpy.concatenate([none, *(array.ravel() for array in ids)])
        vectors = encoder.get_input_embeddings()(to_device(at, device))
        parts = vectors.split([array.size for array in ids])
        for group, array, part in zip(groups, ids, parts):
            arguments = {
                name: to_device(value, device) for name, value in group.items()
            }
            yield {**arguments, "inputs_embeds": part.unflatten(0, array.shape)}


def to_device(array: numpy.ndarray, device: torch.device) -> Tensor:
    """Copy an array to a device, without waiting for it.

    array (ndarray): The array.
    device (torch.device): The device.
    RETURNS (Tensor): The tensor.
    """
    tensor = torch.from_numpy(array)
    if device.type != "cuda":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)
