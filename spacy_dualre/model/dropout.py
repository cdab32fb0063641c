"""Dropout on a CPU, where drawing it takes up to a quarter of a training step."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

# Random integers of 64 bits are drawn, and each is four of 16.
BITS = 16


class CheapDropout(TorchFunctionMode):
    """A context in which torch's own dropout, and that of its attention, is drawn from
    16 random bits for each number, several at a time. torch draws 53, one at a time. So
    the probability is a multiple of 2 ** -16.
    """

    def __torch_function__(
        self,
        func: Callable,
        types: Iterable[type],
        args: tuple = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch, or what stands for it here."""
        kwargs = kwargs or {}
        if func is F.dropout:
            return dropout(*args, **kwargs)
        if func is F.scaled_dot_product_attention:
            return attention(*args, **kwargs)
        return func(*args, **kwargs)


def dropout(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Does what `torch.nn.functional.dropout` does.

    input (Tensor): Numbers of any shape.
    p (float): The probability that a number becomes 0. The others grow by 1 / (1 - p).
    training (bool): Whether anything is done at all.
    inplace (bool): Not looked at.
    RETURNS (Tensor): The numbers.
    """
    if not training or not p:
        return input
    n = input.numel()
    bits = torch.empty(-(-n // 4), dtype=torch.int64).random_(-(2**63), None)
    drawn = bits.view(torch.int16)[:n].view(input.shape)
    kept = drawn >= round(p * 2**BITS) - 2 ** (BITS - 1)
    return input * kept.to(input.dtype).mul_(1 / (1 - p))


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **kwargs: Any,
) -> Tensor:
    """Does what `torch.nn.functional.scaled_dot_product_attention` does, in its own way
    without dropout or with a mask of another kind.
    """
    if not dropout_p or is_causal or kwargs.get("enable_gqa"):
        return F.scaled_dot_product_attention(
            query, key, value, attn_mask, dropout_p, is_causal, **kwargs
        )
    scale = kwargs.get("scale") or query.shape[-1] ** -0.5
    scores = torch.matmul(query * scale, key.transpose(-1, -2))
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        attn_mask = torch.zeros_like(scores[..., :1, :]).masked_fill(~attn_mask, -1e9)
    if attn_mask is not None:
        scores = scores + attn_mask
    return torch.matmul(dropout(scores.softmax(dim=-1), dropout_p), value)
