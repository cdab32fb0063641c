"""Shards worked on by this process, or by several of this machine."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from .inputs import Shard
from .settings import Settings
from .shard import Progress, apply_shard

DIED = (
    "A process died on the documents from {}, twice, the second time with nothing else "
    "to do: most likely of too little memory. Look for a very long document there, or "
    "give a smaller --batch-size. What is finished is kept."
)


def run_local(
    model: str,
    shards: Sequence[Shard],
    output: Path,
    settings: Settings,
    progress: Progress,
    n_process: int = 1,
) -> None:
    """Work on shards.

    model (str): The trained pipeline.
    shards (Sequence[Shard]): The shards.
    output (Path): The folder of the parts.
    settings (Settings): The settings.
    progress (Callable[[int], Any]): Is called with numbers of documents that are done.
    n_process (int): How many processes. With several, their main module is imported in
        each of them.
    RAISES (ValueError): As `apply_shard` does, or if a process dies again and again.
    """
    n_process = min(n_process, len(shards))
    if n_process <= 1:
        for shard in shards:
            apply_shard(model, shard, output, settings, progress)
        return

    def start(n: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            n,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start_worker,
            initargs=(max(1, (os.cpu_count() or 1) // n_process),),
        )

    waiting = deque(shards)
    pool: ProcessPoolExecutor | None = None
    running: dict[Future, Shard] = {}
    try:
        while waiting or running:
            pool = pool or start(n_process)
            while waiting and len(running) < n_process:
                shard = waiting.popleft()
                running[_submit(pool, model, shard, output, settings)] = shard
            suspects = _collect(running, progress)
            if suspects:
                pool.shutdown()
                pool = start(1)
                for shard in suspects:
                    try:
                        _submit(pool, model, shard, output, settings).result()
                    except BrokenProcessPool:
                        raise ValueError(DIED.format(shard)) from None
                    progress(shard.documents)
                pool.shutdown()
                pool = None
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)


def _submit(
    pool: ProcessPoolExecutor,
    model: str,
    shard: Shard,
    output: Path,
    settings: Settings,
) -> Future:
    try:
        return pool.submit(apply_shard, model, shard, output, settings)
    except BrokenProcessPool as e:  # since the others were asked
        future: Future = Future()
        future.set_exception(e)
        return future


def _collect(running: dict[Future, Shard], progress: Progress) -> list[Shard]:
    """Take what is done out of what is running. If a process has died, all that was
    running is returned, for it is not known which of it is to blame."""
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    suspects = []
    for future in done:
        shard = running.pop(future)
        try:
            future.result()
        except BrokenProcessPool:
            suspects.append(shard)
        else:
            progress(shard.documents)
    if suspects:
        suspects += running.values()
        running.clear()
    return suspects


def _start_worker(n_threads: int) -> None:
    """Give a process its share of the cores, and end it when its parent ends."""
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        os.environ["OMP_NUM_THREADS"] = str(n_threads)
        torch.set_num_threads(n_threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
