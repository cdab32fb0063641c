"""Measuring: time by part, wordpieces that are encoded, memory, arithmetic rate."""

import ctypes
import gc
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy
import psutil
import torch

from spacy_dualre.model.cpu_functions import linear
from spacy_dualre.model.dual_encoder import DualEncoder

MB = 1024 * 1024
# Rows and columns of the matrices whose product is timed.
MATRIX_SIZE = {"cpu": 2048, "cuda": 8192}


def synchronize() -> None:
    """Wait until a GPU has done what it was asked to do."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


class Watch:
    """Times parts of a program by wrapping functions, while used as a context.

    The time of a part does not include that of the parts called by it.

    total (float): The seconds in the context.
    seconds (Dict[str, float]): The seconds in each part.
    wordpieces (int): Wordpieces that encoders read, padding included.
    real (int): Of those, the ones that are no padding.
    """

    def __init__(self) -> None:
        self.total = 0.0
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.wordpieces = 0
        self.real = 0
        self._wrap: list[tuple[Any, str, str]] = []
        self._running: list[float] = []
        self._restore: list[tuple[Any, str, Any]] = []

    def add(self, part: str, owner: Any, *names: str) -> "Watch":
        """Time some functions of a module or object.

        part (str): The name of the part.
        owner (Any): What has them as attributes.
        names (str): The names of the attributes.
        RETURNS (Watch): The watch.
        """
        self._wrap += [(part, owner, name) for name in names]
        return self

    def add_encoders(self, module: DualEncoder) -> "Watch":
        """Time the encoders as the part "encoders", and count what they read."""
        for encoder in (module.instance_encoder, module.predicate_encoder):
            if encoder is not None:
                self.add("encoders", encoder, "forward")
        return self

    def __enter__(self) -> "Watch":
        for part, owner, name in self._wrap:
            own = vars(owner).get(name, self) if hasattr(owner, "__dict__") else self
            self._restore.append((owner, name, own))
            setattr(owner, name, self._timed(getattr(owner, name), part))
        synchronize()
        self._start = time.perf_counter()
        return self

    def __exit__(self, *args: Any) -> None:
        synchronize()
        self.total += time.perf_counter() - self._start
        while self._restore:
            owner, name, own = self._restore.pop()
            if own is self:
                delattr(owner, name)
            else:
                setattr(owner, name, own)

    def _timed(self, function: Callable, part: str) -> Callable:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if part == "encoders":
                self._count(kwargs or args[-1])
            self._running.append(0.0)
            synchronize()
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                synchronize()
                passed = time.perf_counter() - start
                self.seconds[part] += passed - self._running.pop()
                if self._running:
                    self._running[-1] += passed

        return wrapper

    def _count(self, arguments: dict[str, Any]) -> None:
        mask = arguments.get("attention_mask")
        ids = arguments.get("input_ids")
        if ids is None:  # training looks their vectors up itself
            ids = arguments["inputs_embeds"][..., 0]
        self.wordpieces += ids.numel()
        if mask is not None and mask.dim() == 3:  # who attends to whom, or all to these
            alike = mask.shape[1] == 1
            mask = mask[:, 0] if alike else mask.diagonal(dim1=1, dim2=2)
        self.real += ids.numel() if mask is None else int(mask.sum())


class Memory:
    """Measures how far the memory of this process rises above where it was."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self.base = self.now()

    def now(self) -> float:
        """RETURNS (float): MB in use, after giving back what is free."""
        gc.collect()
        if sys.platform == "linux":
            ctypes.CDLL(None).malloc_trim(0)
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()
            return torch.cuda.memory_allocated() / MB
        return self._process.memory_info().rss / MB

    @contextmanager
    def peak(self, interval: float = 0.01) -> Iterator[list[float]]:
        """Watch the memory while the context lasts.

        interval (float): Seconds between two looks, on CPU.
        YIELDS (List[float]): Filled at the end with the peak in MB above the base.
        """
        result: list[float] = []
        highest = self.now()
        if torch.cuda.is_initialized():
            torch.cuda.reset_peak_memory_stats()
            yield result
            result.append(torch.cuda.max_memory_allocated() / MB - self.base)
            return
        done = threading.Event()

        def look() -> None:
            nonlocal highest
            while not done.wait(interval):
                highest = max(highest, self._process.memory_info().rss / MB)

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield result
        finally:
            done.set()
            thread.join()
            result.append(highest - self.base)


class MatrixRate:
    """The rate of a large matrix product: the highest of all that were timed."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._size = MATRIX_SIZE[device.type]
        self.best: dict[str, float] = {}

    def sample(self, dtype: str, repeats: int = 3) -> None:
        """Time some products.

        dtype (str): "float32" or "bfloat16".
        repeats (int): How many.
        """
        shape = (self._size, self._size)
        a, b = (
            torch.rand(shape, device=self._device).to(getattr(torch, dtype))
            for _ in range(2)
        )
        with torch.inference_mode():
            for _ in range(repeats + 1):  # the first one prepares the kernel
                synchronize()
                start = time.perf_counter()
                linear(a, b)
                synchronize()
                rate = self._size**3 / (time.perf_counter() - start)
                self.best[dtype] = max(self.best.get(dtype, 0.0), rate)


def multiply_adds(config: Any, lengths: numpy.ndarray) -> float:
    """The multiply-adds that a transformer encoder needs for some inputs.

    config (PretrainedConfig): The encoder's configuration.
    lengths (ndarray): Wordpieces of each input, int, (n,).
    RETURNS (float): Projections, feed-forward layers and attention, per layer.
    """
    hidden, inner = config.hidden_size, config.intermediate_size
    per_wordpiece = 4 * hidden**2 + 2 * hidden * inner
    attention = 2 * hidden * (lengths.astype("float64") ** 2).sum()
    layers: int = config.num_hidden_layers
    return float(layers * (per_wordpiece * lengths.sum() + attention))
