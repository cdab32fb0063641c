"""A recorded run: what identifies it, and where the records are."""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from benchmarks.datasets import NAME, RESULTS


@dataclass(frozen=True)
class Run:
    """One training.

    dataset (str): The dataset.
    encoder (str): Both encoders' name.
    variant (str): One of `VARIANTS`.
    seed (int): The seed.
    steps (Optional[int]): Training steps. None: those of the dataset's config.
    train_docs (Optional[int]): How many documents of the training split are used,
        drawn with the seed. None: all.
    passes (Optional[int]): Passes over the training documents, instead of steps.
    eval_every (Optional[int]): Steps between two evaluations. None: about a pass.
    learn_rate (Optional[float]): The highest learning rate. None: the config's.
    overrides (str): Further changes of the config, "key=value", separated by spaces.
    scored (str): "best": the model that was best on dev. "last": that of the last step.
    """

    dataset: str
    encoder: str
    variant: str
    seed: int
    steps: int | None = None
    train_docs: int | None = None
    passes: int | None = None
    eval_every: int | None = None
    learn_rate: float | None = None
    overrides: str = ""
    scored: str = "best"

    @classmethod
    def of(cls, row: dict[str, Any]) -> "Run":
        """RETURNS (Run): The run that a recorded row is of."""
        return cls(**{field.name: row[field.name] for field in fields(cls)})

    @property
    def changes(self) -> list[str]:
        """RETURNS (List[str]): What else differs from the variant's usual training."""
        texts = [
            f"{value:g} {what}"
            for value, what in (
                (self.train_docs, "training documents"),
                (self.passes, "passes"),
                (self.steps, "steps"),
                (self.eval_every, "steps an evaluation"),
                (self.learn_rate, "learning rate"),
            )
            if value
        ]
        texts += [
            change.removeprefix(f"components.{NAME}.")
            for change in self.overrides.split()
        ]
        return texts + (["last step"] if self.scored == "last" else [])

    @property
    def name(self) -> str:
        """RETURNS (str): A name for files."""
        parts = [self.dataset, Path(self.encoder).name, self.variant, str(self.seed)]
        changes = [change.replace(" ", "") for change in self.changes]
        return "-".join([*parts, *changes]).replace("/", "_")

    @property
    def recorded_encoder(self) -> str:
        """RETURNS (str): The encoder's name; the last part of an absolute path."""
        path = Path(self.encoder)
        return path.name if path.is_absolute() else self.encoder

    def matches(self, row: dict[str, Any]) -> bool:
        """RETURNS (bool): Whether a recorded row is that of this run."""
        own = {**vars(self), "encoder": self.recorded_encoder}
        return own == vars(Run.of(row))


# What the first rows do not say.
UNSAID: dict[str, Any] = {
    "passes": None,
    "eval_every": None,
    "learn_rate": None,
    "overrides": "",
    "scored": "last",
}


def read_results(dataset: str, folder: Path = RESULTS) -> list[dict[str, Any]]:
    """Read the recorded runs of a dataset.

    dataset (str): The dataset.
    folder (Path): Where the results are.
    RETURNS (List[Dict[str, Any]]): One row for each run.
    """
    path = folder / f"{dataset}.jsonl"
    if not path.exists():
        return []
    lines = path.read_text("utf8").splitlines()
    return [{**UNSAID, **json.loads(line)} for line in lines]
