"""Threads of worker processes."""

import multiprocessing
import os

import torch


def limit_threads() -> None:
    """Give the workers of `nlp.pipe(n_process=...)` one thread each, so that together
    they do not ask for more cores than there are; and a forked worker would hang in
    OpenMP if it started threads. OMP_NUM_THREADS takes precedence.
    """
    in_worker = multiprocessing.parent_process() is not None
    if in_worker and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
