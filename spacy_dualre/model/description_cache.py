"""A bounded cache of encoded descriptions."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence

import torch
from torch import Tensor


class DescriptionCache:
    """Keeps the vectors of the descriptions that were used last.

    A description's vector depends on its wordpieces (predicate, spans and types) and on
    the weights, so the wordpieces are the key, and all is dropped when the weights
    change. Threads may share a cache: a vector is in it before its key is, and what a
    thread has read is its own. A copy of a cache is empty.

    size (int): How many descriptions are kept. 0: none.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.hits = 0
        self.misses = 0
        self._lock = threading.Lock()
        self._version: Hashable = None
        self._slots: OrderedDict[bytes, int] = OrderedDict()
        self._vectors = torch.empty((0, 0))

    def __len__(self) -> int:
        return len(self._slots)

    def __reduce__(self) -> tuple[type["DescriptionCache"], tuple[int]]:
        return DescriptionCache, (self.size,)

    def fetch(
        self,
        keys: Sequence[bytes],
        version: Hashable,
        encode: Callable[[list[int]], Tensor],
    ) -> Tensor:
        """Look descriptions up, and encode those that are missing.

        keys (Sequence[bytes]): m keys, mostly distinct.
        version (Hashable): Differs whenever the weights do.
        encode (Callable[[List[int]], Tensor]): Takes the positions of the missing keys
            and returns their vectors, (n, H).
        RETURNS (Tensor): The vectors of all keys, (m, H).
        """
        with self._lock:
            if version != self._version:
                self._version = version
                self._slots.clear()
                self._vectors = torch.empty((0, 0))
            missing = [i for i, key in enumerate(keys) if key not in self._slots]
            known = [i for i, key in enumerate(keys) if key in self._slots]
            kept = self._vectors[[self._slots[keys[i]] for i in known]]
            for i in known:
                self._slots.move_to_end(keys[i])
            self.misses += len(missing)
            self.hits += len(known)
        if keys and not missing:
            vectors = kept.new_empty((len(keys), kept.shape[1]))
            vectors[known] = kept
            return vectors
        encoded = encode(missing)
        vectors = encoded.new_empty((len(keys), encoded.shape[1]))
        vectors[missing] = encoded
        if known:
            vectors[known] = kept.to(vectors)
        with self._lock:
            if version == self._version:  # no other thread has newer weights
                self._store([keys[i] for i in missing], encoded)
        return vectors

    def _store(self, keys: list[bytes], vectors: Tensor) -> None:
        if not self.size:
            return
        keys, vectors = keys[-self.size :], vectors[-self.size :]
        if not len(self._vectors):
            self._vectors = vectors.new_empty((self.size, vectors.shape[1]))
        slots = []
        for key in keys:
            slot = self._slots.get(key)
            if slot is None:
                full = len(self._slots) == self.size
                slot = self._slots.popitem(last=False)[1] if full else len(self._slots)
                self._slots[key] = slot
            else:  # another thread was faster; it must not be the next to go
                self._slots.move_to_end(key)
            slots.append(slot)
        self._vectors[slots] = vectors
