"""A config tried out before training: what it makes, and how long it will take."""

import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.training import Example
from spacy.util import load_model_from_config, registry, resolve_dot_names
from thinc.api import Config

from ..component import DualRelationExtractor

# What is measured of a training: after a first step, until so many or so long.
MAX_STEPS, MAX_SECONDS = 5, 15.0
MAX_DEV_DOCS = 16


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
        optimizer = training["optimizer"]
        # Not the first ones only, which may be the shortest.
        stride = max(len(self.train) // (4 * MAX_STEPS), 1)
        batches = training["batcher"](self.train[::stride])
        times: list[float] = []
        with _quiet():
            for batch in batches:
                start = time.perf_counter()
                self.nlp.update(list(batch), sgd=optimizer, drop=training["dropout"])
                times.append(time.perf_counter() - start)
                if len(times) > MAX_STEPS or sum(times) > MAX_SECONDS:
                    break
            step = sum(times[1:] or times) / max(len(times[1:] or times), 1)
            some = self.dev[:: max(len(self.dev) // MAX_DEV_DOCS, 1)][:MAX_DEV_DOCS]
            start = time.perf_counter()
            self.nlp.evaluate(some)
            evaluation = time.perf_counter() - start
        evaluation *= len(self.dev) / max(len(some), 1)
        steps = training["max_steps"]
        return step * steps + evaluation * (steps // training["eval_frequency"])


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
