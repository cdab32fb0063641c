"""What stands for some functions of torch that are slow on a CPU."""

import functools
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode

# Random integers of 64 bits are drawn, and each is four of 16.
BITS = 16
# How much faster oneDNN has to be. Where it is faster at all, it is twice as fast.
FASTER = 1.5


class CpuFunctions(TorchFunctionMode):
    """A context in which dropout, attention and linear layers are those below."""

    def __torch_function__(
        self,
        func: Callable,
        types: Iterable[type],
        args: tuple = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch, or what stands for it."""
        return FUNCTIONS.get(func, func)(*args, **(kwargs or {}))


def dropout(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Does what `torch.nn.functional.dropout` does, but draws 16 random bits for each
    number, where torch draws 53 and takes a quarter of a training step for it.

    input (Tensor): Numbers of any shape.
    p (float): The probability that a number becomes 0, to 2 ** -16. The others grow by
        1 / (1 - p).
    training (bool): Whether anything is done at all.
    inplace (bool): Not looked at.
    RETURNS (Tensor): The numbers.
    """
    if not training or not 0 < p < 1:
        return F.dropout(input, p, training)
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
    """Does what `torch.nn.functional.scaled_dot_product_attention` does, with the
    dropout above. Without dropout it is torch's own.
    """
    if not dropout_p or is_causal or kwargs.get("enable_gqa"):
        return F.scaled_dot_product_attention(
            query, key, value, attn_mask, dropout_p, is_causal, **kwargs
        )
    scale = kwargs.get("scale") or query.shape[-1] ** -0.5
    scores = torch.matmul(query * scale, key.transpose(-1, -2))
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, torch.finfo(scores.dtype).min)
    elif attn_mask is not None:
        scores = scores + attn_mask
    return torch.matmul(dropout(scores.softmax(dim=-1), dropout_p), value)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Does what `torch.nn.functional.linear` does, in float32 with the faster of the
    two libraries that torch has.

    input (Tensor): (..., n).
    weight (Tensor): (m, n).
    bias (Optional[Tensor]): (m,).
    RETURNS (Tensor): (..., m).
    """
    tensors = [input, weight] if bias is None else [input, weight, bias]
    if (
        input.dim() < 2
        or not input.numel()
        or any(t.dtype != torch.float32 or t.device.type != "cpu" for t in tensors)
        or torch.is_autocast_enabled("cpu")
        or not onednn_is_faster()
    ):
        return F.linear(input, weight, bias)
    product: Tensor = _Linear.apply(input, weight, bias)
    return product


@functools.cache
def onednn_is_faster() -> bool:
    """Find out, once, whether oneDNN multiplies float32 matrices faster here than what
    torch takes for it. That is MKL, which does not use the AVX512 of AMD's processors.

    RETURNS (bool): Whether it does, by far.
    """
    has_onednn = torch.backends.mkldnn.is_available()
    if not has_onednn or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return False
    x, weight = torch.ones(256, 384), torch.ones(1536, 384)
    least = {F.linear: float("inf"), _multiply: float("inf")}
    with torch.no_grad():
        for _ in range(6):
            for function in least:
                start = time.perf_counter()
                function(x, weight, None)
                least[function] = min(least[function], time.perf_counter() - start)
    return least[F.linear] > FASTER * least[_multiply]


def _multiply(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """oneDNN's linear layer, which torch has for what it compiles. A part of a matrix,
    which is not laid out as a whole one, it multiplies a hundred times slower.
    """
    input, weight = (
        t if t.is_contiguous() or t.mT.is_contiguous() else t.contiguous()
        for t in (input, weight)
    )
    product: Tensor = torch.ops.mkldnn._linear_pointwise(
        input, weight, bias, "none", [], ""
    )
    return product


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(input, weight)
        return _multiply(input, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        input, weight = ctx.saved_tensors
        rows = gradient.flatten(0, -2)
        wanted: tuple[bool, ...] = ctx.needs_input_grad
        return (
            _multiply(gradient, weight.t(), None) if wanted[0] else None,
            _multiply(rows.t(), input.flatten(0, -2).t(), None) if wanted[1] else None,
            rows.sum(0) if wanted[2] else None,
        )


FUNCTIONS: dict[Callable, Callable] = {
    F.dropout: dropout,
    F.scaled_dot_product_attention: attention,
    F.linear: linear,
}
