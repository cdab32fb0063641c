"""Devices: what they multiply in, and how much they read at once."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from .dual_encoder import Budget

# The instructions that multiply matrices in bfloat16, on x86 and on ARM.
CPU_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")


def has_bfloat16(device: torch.device) -> bool:
    """Find out whether a device multiplies matrices in bfloat16 itself. Most others can
    imitate it, several times slower than float32.

    device (torch.device): The device.
    RETURNS (bool): Whether it does. False on a CPU of which torch, before it had
        `torch.cpu.get_capabilities`, can't tell.
    """
    if device.type == "cpu":
        capabilities: Mapping = getattr(torch.cpu, "get_capabilities", dict)()
        return any(capabilities.get(name) for name in CPU_BFLOAT16)
    if device.type == "cuda" and not torch.version.hip:
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return True


@contextmanager
def autocast(device: torch.device) -> Iterator[None]:
    """A context in which matrices are multiplied in bfloat16.

    device (torch.device): The device.
    """
    backends = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION]
    # Not cuDNN's attention, which makes a plan for every new shape of its input: ours
    # differ from batch to batch.
    on_gpu = device.type == "cuda"
    attention = sdpa_kernel([*backends, SDPBackend.MATH]) if on_gpu else nullcontext()
    with torch.autocast(device.type, dtype=torch.bfloat16), attention:
        yield


def make_budget(device: torch.device, max_tokens: int | None) -> Budget:
    """Choose how much an encoder reads at once.

    device (torch.device): The device.
    max_tokens (Optional[int]): Wordpieces at most, as the config says. None: 4096 on a
        CPU, where more is not faster, and 512 for every GiB of a GPU.
    RETURNS (Budget): The budget.
    """
    if device.type != "cuda":
        return Budget(max_tokens or 4096, enough=256)
    memory = torch.cuda.get_device_properties(device).total_memory >> 30
    most = max_tokens or max(512 * memory, 4096)
    return Budget(most, enough=most)
