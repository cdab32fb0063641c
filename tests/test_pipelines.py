"""Loading a trained pipeline: what can't be loaded is named."""

import shutil

import pytest

from spacy_dualre.pipelines import load_pipeline

NAME = "dual_relation_extractor"


@pytest.mark.parametrize(
    ("file", "damaged"),
    [
        ("config.cfg", b"[nlp\n" * 2000),
        ("meta.json", b'{"lang'),
        ("tokenizer", b""),
        ("vocab/lookups.bin", b"\x01"),
        ("vocab/vectors", b""),
        (f"{NAME}/model", b"\x80"),
    ],
)
@pytest.mark.parametrize("finds_entities", [True, False])
def test_a_damaged_pipeline_is_named(
    trained_path, file, damaged, finds_entities, tmp_path
):
    folder = shutil.copytree(trained_path, tmp_path / "model")
    (folder / file).write_bytes(damaged)
    model, ner = (trained_path, folder) if finds_entities else (folder, None)
    with pytest.raises(ValueError, match=f"'{folder}'") as raised:
        load_pipeline(str(model), ner and str(ner), NAME)
    assert len(str(raised.value)) < 1200


def test_a_pipeline_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(ValueError, match="Can't load the pipeline 'nowhere'"):
        load_pipeline("nowhere", None, NAME)
