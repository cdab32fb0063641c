"""Shards worked on by this process, or by several of this machine."""

import multiprocessing
import os
import pickle
import threading
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext
from pathlib import Path
from typing import cast

from .inputs import Shard
from .settings import Settings
from .shard import Progress, apply_shard

# How often a shard is tried again after the process at work on it died.
RETRIES = 2
DIED = (
    "A process died on the documents from {}, {} times: most likely of too little "
    "memory. Look for a very long document there, or give a smaller --batch-size or "
    "fewer processes. What is finished is kept."
)


class Worker:
    """A process that works on one shard after the other. It ends with this one.

    context (SpawnContext): How it is started.
    n_threads (int): How many threads it has.
    """

    def __init__(self, context: SpawnContext, n_threads: int) -> None:
        # One that dies closes its end, which is how this end learns of it.
        self.pipe, there = context.Pipe()
        self.process = context.Process(
            target=_work, args=(there, n_threads), daemon=True
        )
        self.shard: Shard | None = None
        with suppress(BrokenPipeError):  # it has died, as `receive` will say
            self.process.start()
        there.close()

    def send(self, model: str, shard: Shard, output: Path, settings: Settings) -> None:
        """Give it a shard. See `apply_shard`."""
        self.shard = shard
        with suppress(OSError):  # it has died, as `receive` will say
            self.pipe.send((model, shard, output, settings))

    def receive(self) -> bool:
        """Wait until it has worked on its shard.

        RETURNS (bool): Whether it has; otherwise it died.
        RAISES (Exception): What `apply_shard` raised.
        """
        try:
            error = self.pipe.recv()
        except (EOFError, OSError):
            return False
        if error is not None:
            raise error
        return True

    def kill(self) -> None:
        """End it."""
        if self.process.pid is not None:
            self.process.kill()
            self.process.join()
        self.pipe.close()


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
    RAISES (ValueError): As `apply_shard` does, or if processes die again and again.
    """
    n_process = min(n_process, len(shards))
    if n_process <= 1:
        for shard in shards:
            apply_shard(model, shard, output, settings, progress)
        return
    context = multiprocessing.get_context("spawn")
    n_threads = max(1, (os.cpu_count() or 1) // n_process)
    waiting = deque(shards)
    died: Counter[str] = Counter()
    idle: list[Worker] = []
    busy: dict[Connection, Worker] = {}
    try:
        while waiting or busy:
            while waiting and len(busy) < n_process:
                worker = idle.pop() if idle else Worker(context, n_threads)
                busy[worker.pipe] = worker
                worker.send(model, waiting.popleft(), output, settings)
            for pipe in wait(list(busy)):
                worker = busy[cast(Connection, pipe)]
                shard = cast(Shard, worker.shard)
                if worker.receive():
                    progress(shard.documents)
                    idle.append(worker)
                elif died[shard.name] < RETRIES:
                    died[shard.name] += 1
                    worker.kill()
                    waiting.appendleft(shard)
                else:
                    raise ValueError(DIED.format(shard, RETRIES + 1))
                del busy[worker.pipe]
    finally:
        for worker in (*idle, *busy.values()):
            worker.kill()


def _work(pipe: Connection, n_threads: int) -> None:
    """Work on shards with a share of the cores, until the parent process ends."""
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        os.environ["OMP_NUM_THREADS"] = str(n_threads)
        torch.set_num_threads(n_threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError):
        while True:
            arguments = pipe.recv()
            try:
                apply_shard(*arguments)
            except Exception as e:
                pipe.send(_to_send(e))
            else:
                pipe.send(None)


def _to_send(error: Exception) -> Exception:
    """Some errors can't be pickled, and some can't be read again."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
