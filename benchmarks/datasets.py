"""The datasets that are measured: each once."""

from pathlib import Path
from typing import Any, NamedTuple

from spacy.util import load_config
from thinc.api import Config

from spacy_dualre.cli.config import complete_config

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
NAME = "dual_relation_extractor"
MINILM = "sentence-transformers/all-MiniLM-L6-v2"


class Dataset(NamedTuple):
    """A dataset.

    name (str): The name of its format, its config and its predicates.
    title (str): Its name in a text.
    folder (str): Where its files are, in the folder with the data.
    measure (str): The F1 that counts: "micro", "macro" or "concept".
    published_length (int): Wordpieces that the published procedure pads to.
    """

    name: str
    title: str
    folder: str
    measure: str
    published_length: int

    @property
    def config(self) -> str:
        """RETURNS (str): Its partial config, relative to `ROOT`."""
        return f"configs/{self.name}.cfg"

    @property
    def predicates(self) -> str:
        """RETURNS (str): Its predicates, relative to `ROOT`."""
        return f"assets/{self.name}/predicates.yml"

    def make_config(self, overrides: dict[str, Any] | None = None) -> Config:
        """Make the config that pipelines of this dataset have.

        overrides (Optional[Dict[str, Any]]): Values by dotted path.
        RETURNS (Config): The config, with all its values in place.
        """
        own = {"paths.predicates": str(ROOT / self.predicates), **(overrides or {})}
        changes = load_config(ROOT / self.config, interpolate=False)
        return complete_config(changes, own).interpolate()


DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset("chemprot", "ChemProt", "chemprot", "micro", 250),
        Dataset("biored", "BioRED", "biored", "concept", 250),
        Dataset("scierc", "SciERC", "scierc", "micro", 128),
        Dataset(
            "semeval2010", "SemEval-2010 Task 8", "semeval2010_task8", "macro", 128
        ),
    )
}
# It comes with the project. Only its speed is measured.
SAMPLE = Dataset("sample", "the sample corpus", "sample", "micro", 128)
