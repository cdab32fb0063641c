"""Encoders that torch compiles for prediction on a CPU."""

import threading
import warnings
from collections.abc import Callable, Hashable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

# Weights are constants, without which nothing is gained. The number of threads is asked
# for when it runs: a forked worker has one, and would hang in OpenMP with more.
OPTIONS = {"freezing": True, "cpp.dynamic_threads": True}


def call_encoder(encoder: Any, arguments: dict[str, Tensor]) -> Tensor:
    """Call an encoder.

    encoder (Module): A Hugging Face encoder.
    arguments (Dict[str, Tensor]): What it is given.
    RETURNS (Tensor): The last hidden states, (n, longest, H).
    """
    hidden: Tensor = encoder(**arguments)[0]
    return hidden


class CompiledEncoders:
    """Calls encoders as `torch.compile` makes them at their first call. Where it can't,
    they are called as they are, with a warning. A copy has compiled nothing.
    """

    def __init__(self) -> None:
        self._compiled: dict[int, Callable] = {}
        self._version: Hashable = None
        self._failed = False
        self._seen: set[Hashable] = set()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type["CompiledEncoders"], tuple[()]]:
        return CompiledEncoders, ()

    def can_call(self, version: Hashable) -> bool:
        """Find out whether encoders can be called so.

        version (Hashable): Differs whenever their weights do.
        RETURNS (bool): False where compiling failed, or the weights are not those that
            they had when it was asked first.
        """
        if self._version is None:
            self._version = version
        return version == self._version and not self._failed

    def __call__(self, encoder: Any, arguments: dict[str, Tensor]) -> Tensor:
        """Call an encoder. See `call_encoder`."""
        if self._failed:
            return call_encoder(encoder, arguments)
        try:
            from torch._inductor import config

            # Inputs of size 1 have a program of their own. Threads that compiled the
            # same at once would make one each.
            sizes = [
                (name, *(size == 1 for size in value.shape))
                for name, value in arguments.items()
            ]
            call = (id(encoder), *sizes)
            with nullcontext() if call in self._seen else self._lock:
                if id(encoder) not in self._compiled:
                    self._compiled[id(encoder)] = torch.compile(encoder, dynamic=True)
                with config.patch(OPTIONS):
                    hidden = call_encoder(self._compiled[id(encoder)], arguments)
                self._seen.add(call)
            return hidden
        except Exception as e:  # whatever the compiler meets
            self._failed = True
            reason = str(e).strip().partition("\n")[0]
            warnings.warn(
                f"compile has no effect: torch.compile failed ({type(e).__name__}: "
                f"{reason:.300}). It needs a C++ compiler: install one, such as g++ "
                "(the environment variable CXX names another), or set compile = false."
            )
            return call_encoder(encoder, arguments)
