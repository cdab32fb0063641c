import os
from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc, DocBin

from spacy_dualre.cli.convert import convert
from spacy_dualre.corpora.report import Report

SHARED_DATA = Path(__file__).parents[3] / "shared" / "data"

Convert = Callable[..., tuple[dict[str, list[Doc]], Report]]


@pytest.fixture
def convert_files(tmp_path: Path) -> Convert:
    """Write files, convert them, and read the Docs back from the output."""

    def convert_files(
        corpus: str, files: dict[str, str], *, strict: bool = False
    ) -> tuple[dict[str, list[Doc]], Report]:
        input_dir, output_dir = tmp_path / "input", tmp_path / "output"
        for name, text in files.items():
            path = input_dir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("utf8"))
        report = convert(
            corpus, input_dir, output_dir, strict=strict, allow_changed=True
        )
        # Not the vocabulary they were written with: all strings must be in the files.
        vocab = spacy.blank("en").vocab
        docs = {
            path.stem: list(DocBin().from_disk(path).get_docs(vocab))
            for path in output_dir.glob("*.spacy")
        }
        return docs, report

    return convert_files


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The benchmark files; set SPACY_DUALRE_DATA where they are elsewhere."""
    path = Path(os.environ.get("SPACY_DUALRE_DATA", SHARED_DATA))
    if not path.is_dir():
        pytest.skip("no benchmark files: set SPACY_DUALRE_DATA to their directory")
    return path
