"""Every file of a saved pipeline is truncated, flipped, deleted, swapped."""

import shutil
import warnings

import pytest
import spacy
from hypothesis import strategies as st
from tiny_corpus import make_pipeline, relations_of, train, with_entities

NAME = "dual_relation_extractor"
# Its values are a user's to change.
SETTINGS = "config.cfg"


def damage(data, how, share, bit, other):
    """RETURNS (Optional[bytes]): The damaged file; None: there is none."""
    at = min(int(share * len(data)), max(len(data) - 1, 0))
    if how == "flip":
        return (
            data[:at]
            + bytes(byte ^ 1 << bit for byte in data[at : at + 1])
            + (data[at + 1 :])
        )
    return {"cut": data[:at], "delete": None, "swap": other, "zero": bytes(len(data))}[
        how
    ]


def relations_in(nlp):
    return [relations_of(doc) for doc in nlp.pipe(with_entities(nlp))]


@pytest.mark.campaign
def test_damaged_pipelines(trials, trained_path, bert, tmp_path):
    folder = shutil.copytree(trained_path, tmp_path / "model")
    another = make_pipeline(bert)
    train(another, steps=3)
    another.to_disk(tmp_path / "another")
    expected = relations_in(spacy.load(folder))
    names = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())

    def check(case):
        name, how, share, bit, from_another, other = case
        path = folder / name
        whole = path.read_bytes()
        source = tmp_path / "another" / name if from_another else folder / other
        damaged = damage(whole, how, share, bit, source.read_bytes())
        if damaged is None:
            path.unlink()
        else:
            path.write_bytes(damaged)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return load(name, damaged == whole)
        finally:
            path.write_bytes(whole)

    def load(name, same):
        try:
            nlp = spacy.load(folder)
        except Exception as e:
            assert not same
            if name.startswith(NAME):
                assert isinstance(e, ValueError | OSError)
                assert str(folder / NAME) in str(e)
                assert len(str(e)) < 2000
            return "files refused"
        try:
            found = relations_in(nlp)
        except ValueError:
            assert name == SETTINGS
            return "settings refused"
        if name == SETTINGS:
            return "settings changed"
        assert found == expected
        return "files without effect"

    cases = st.tuples(
        st.sampled_from(names),
        st.sampled_from(["cut", "flip", "flip", "delete", "swap", "zero"]),
        st.floats(0, 1),
        st.integers(0, 7),
        st.booleans(),
        st.sampled_from(names),
    )
    trials.run(cases, check)
