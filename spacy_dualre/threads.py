"""Threads of worker processes."""

import multiprocessing
import os

import torch


def limit_threads() -> None:
    """Give the workers of `nlp.pipe(n_process=...)` one thread each, so that together
    they do not ask for more cores than there are. OMP_NUM_THREADS takes precedence.
    """
    in_worker = multiprocessing.parent_process() is not None
    if in_worker and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)


def _use_one_thread() -> None:
    torch.set_num_threads(1)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


# A forked process has none of the threads that OpenMP and the tokenizers have started,
# and would wait for them for ever, whoever forked it and whatever OMP_NUM_THREADS says.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_use_one_thread)
