"""A config tried out before training: what it makes, and how long it will take."""

import logging
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.training import Example
from spacy.util import load_model_from_config, registry, resolve_dot_names
from thinc.api import Config

from ..component import DualRelationExtractor

# What is measured of a training, and of an evaluation: so many steps or documents, or
# so many seconds.
MAX_STEPS, MAX_DOCS, MAX_SECONDS = 6, 16, 10.0


class Trial(NamedTuple):
    """A training that has not begun.

    config (Config): Its config, with all values in place.
    nlp (Language): The pipeline, without weights until `initialize`.
    extractor (DualRelationExtractor): Its relation extractor.
    train (List[Example]): The training data.
    dev (List[Example]): The development data.
    """

    config: Config
    nlp: Language
    extractor: DualRelationExtractor
    train: list[Example]
    dev: list[Example]

    def initialize(self) -> None:
        """Initialize the pipeline, without the warnings of training.

        RAISES (ValueError): If training would fail, too.
        """
        with _quiet():
            self.nlp.initialize(lambda: self.train)

    def estimate(self) -> float:
        """Train for some steps and evaluate some documents, to see how long it takes.
        The pipeline has to be initialized, and is of no use afterwards.

        RETURNS (float): The seconds that training will take on this machine, about.
        """
        training = registry.resolve(
            self.config["training"], schema=ConfigSchemaTraining
        )
        batcher, optimizer = training["batcher"], training["optimizer"]

        def learn(batch: Iterable[Example]) -> None:
            self.nlp.update(list(batch), sgd=optimizer, drop=training["dropout"])

        def score(example: Example) -> None:
            self.nlp.evaluate([example])

        with _quiet():
            step = _mean_seconds(learn, batcher(_spread(self.train)), MAX_STEPS)
            doc = _mean_seconds(score, _spread(self.dev), MAX_DOCS)
        steps = training["max_steps"]
        n_evaluations = steps // training["eval_frequency"]
        return step * steps + doc * len(self.dev) * n_evaluations


def make_trial(config: Config) -> Trial:
    """Make what a training config says, and read its corpora.

    config (Config): The config.
    RETURNS (Trial): The training.
    RAISES (ValueError): If the config can't be used, or has no relation extractor.
    """
    config = config.interpolate()
    nlp = load_model_from_config(config, auto_fill=True)
    config = nlp.config.interpolate()
    found = [
        (name, pipe)
        for name, pipe in nlp.pipeline
        if isinstance(pipe, DualRelationExtractor)
    ]
    if not found:
        raise ValueError(
            "The config has no relation extractor: none of its components "
            f"({', '.join(nlp.pipe_names) or 'none'}) has the factory "
            "'dual_relation_extractor'. Make one with spacy-dualre init."
        )
    name, extractor = found[0]
    training = config["training"]
    readers = resolve_dot_names(
        config, [training["train_corpus"], training["dev_corpus"]]
    )
    train, dev = (list(reader(nlp)) for reader in readers)
    own = config["initialize"]["components"].get(name, {}).get("labels")
    if own is not None:
        labels = registry.resolve({"labels": own})["labels"]
        if labels:
            extractor.set_predicates(labels)
    return Trial(config, nlp, extractor, train, dev)


def _spread(examples: list[Example]) -> list[Example]:
    """Some from all over, not the first ones, which may be the shortest."""
    return examples[:: max(len(examples) // 100, 1)]


def _mean_seconds(do: Callable[[Any], None], things: Iterable[Any], most: int) -> float:
    """How long something takes, without the first time, which takes longer."""
    times: list[float] = []
    for thing in things:
        start = time.perf_counter()
        do(thing)
        times.append(time.perf_counter() - start)
        if len(times) >= most or sum(times) > MAX_SECONDS:
            break
    counted = times[1:] or times
    return sum(counted) / max(len(counted), 1)


@contextmanager
def _quiet() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
