"""Shards worked on by the actors of a Ray cluster.

The driver hands out shards, and nothing else: actors read the input and write the parts
themselves, so both, and the pipeline, are to be on a file system that all nodes share.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from .inputs import Shard
from .settings import Settings
from .shard import Progress, apply_shard

# How often a shard is tried again after the actor at work on it died.
RETRIES = 2


class Worker:
    """An actor. Its process loads the pipeline once, with its first shard.

    n_threads (int): How many threads it has.
    """

    def __init__(self, n_threads: int) -> None:
        torch.set_num_threads(n_threads)

    def work(self, model: str, shard: Shard, output: Path, settings: Settings) -> None:
        """Work on a shard. See `apply_shard`."""
        apply_shard(model, shard, output, settings)


def run_ray(
    model: str,
    shards: Sequence[Shard],
    output: Path,
    settings: Settings,
    progress: Progress,
    n_process: int = 1,
    gpus_per_worker: float = 0,
) -> None:
    """Work on shards. The cluster is that of `ray.init`: the one that RAY_ADDRESS says,
    or else one on this machine alone.

    model (str): The trained pipeline.
    shards (Sequence[Shard]): The shards.
    output (Path): The folder of the parts.
    settings (Settings): The settings. The GPU is the one that Ray gives.
    progress (Callable[[int], Any]): Is called with numbers of documents that are done.
    n_process (int): How many actors.
    gpus_per_worker (float): How many GPUs each of them has.
    RAISES (ValueError): As `apply_shard` does, or if the cluster is too small, or an
        actor dies again and again.
    """
    ray: Any = import_module("ray")
    settings = settings._replace(gpu_id=0 if gpus_per_worker else -1)
    n_process = min(n_process, len(shards))
    was_there = ray.is_initialized()
    if not was_there:
        ray.init(log_to_driver=False, logging_level="warning")
    actors: list[Any] = []
    try:
        n_threads = _share(ray.cluster_resources(), n_process, gpus_per_worker)
        actor_class = ray.remote(
            num_cpus=n_threads,
            num_gpus=gpus_per_worker,
            max_restarts=-1,
            max_task_retries=RETRIES,
        )(Worker)
        actors = [actor_class.remote(n_threads) for _ in range(n_process)]
        idle, waiting = list(actors), list(reversed(shards))
        running: dict[Any, tuple[Any, Shard]] = {}
        while waiting or running:
            while idle and waiting:
                actor, shard = idle.pop(), waiting.pop()
                work = actor.work.remote(model, shard, output, settings)
                running[work] = actor, shard
            (done, *_), _ = ray.wait(list(running), num_returns=1)
            actor, shard = running.pop(done)
            try:
                ray.get(done)
            except ray.exceptions.RayActorError as e:
                raise ValueError(
                    f"An actor died on the documents from {shard}, {RETRIES + 1} "
                    f"times: most likely of too little memory. What is finished is "
                    f"kept. ({e})"
                ) from e
            except ray.exceptions.RayTaskError as e:
                raise (e.cause or e) from e
            progress(shard.documents)
            idle.append(actor)
    finally:
        for actor in actors:
            ray.kill(actor)
        if not was_there:
            ray.shutdown()


def _share(resources: dict[str, float], n: int, gpus_per_worker: float) -> int:
    """The cores that each of n actors gets."""
    n_cpus, n_gpus = int(resources.get("CPU", 0)), resources.get("GPU", 0)
    if n > n_cpus or n * gpus_per_worker > n_gpus:
        raise ValueError(
            f"The Ray cluster has {n_cpus} cores and {n_gpus:g} GPUs, too few for {n} "
            f"workers with {gpus_per_worker:g} GPUs each. Give fewer --workers."
        )
    return max(1, n_cpus // n)
