"""Threads of worker processes."""

import multiprocessing
import os

import torch

PARALLELISM = "TOKENIZERS_PARALLELISM"
# What it was before each fork that is under way: two threads may fork at once.
_parallelism: list[str | None] = []


def limit_threads() -> None:
    """Give the workers of `nlp.pipe(n_process=...)` one thread each, so that together
    they do not ask for more cores than there are. OMP_NUM_THREADS takes precedence.
    """
    in_worker = multiprocessing.parent_process() is not None
    if in_worker and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)


def _before_fork() -> None:
    _parallelism.append(os.environ.get(PARALLELISM))
    os.environ[PARALLELISM] = "false"


def _in_parent() -> None:
    before = _parallelism.pop()
    if before is None:
        del os.environ[PARALLELISM]
    else:
        os.environ[PARALLELISM] = before


# A forked process has none of the threads that OpenMP and the tokenizers have started,
# and would wait for them for ever, whoever forked it and whatever OMP_NUM_THREADS says.
# The tokenizers look while it is forked, and would write a note about it.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_in_parent,
        after_in_child=lambda: torch.set_num_threads(1),
    )
