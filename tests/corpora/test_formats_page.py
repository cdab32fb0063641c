"""docs/formats.md and docs/jsonl.schema.json say what the code does."""

import json
import re

import pytest
from formats_page import DOCS, PAGE, SECTIONS

from spacy_dualre.cli.convert import convert
from spacy_dualre.corpora import CORPORA, format_names
from spacy_dualre.corpora.jsonl import (
    KNOWN,
    KNOWN_OF_ENTITY,
    KNOWN_OF_RELATION,
    OF_RESULTS,
    OF_RESULTS_OF_RELATION,
)

SCHEMA = json.loads((DOCS / "jsonl.schema.json").read_text("utf8"))


def test_all_formats_are_on_the_page():
    commands = re.findall(r"spacy-dualre convert (\S+) \w+ corpus", PAGE)
    # "fire" is another name of "spert".
    assert {*commands, "fire"} == set(format_names())
    assert set(CORPORA) == set(commands) - set(SECTIONS)


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_examples_convert_without_loss(name, convert_files):
    if name == "cas":
        pytest.importorskip("cassis", reason="needs the extra cas")
    docs, report = convert_files(name, SECTIONS[name])
    (split,) = docs
    assert all(doc.spans["relations"] for doc in docs[split])
    lost = {finding.what for _, finding, _ in report.losses()}
    assert lost == ({"event argument"} if name == "brat" else set())


def test_own_format(tmp_path):
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1]
    namespace = {}
    exec(code, namespace)
    line = {
        "text": "a b",
        "spans": [[0, 1, "X"], [2, 3, "X"]],
        "triples": [[0, 1, "r"]],
    }
    (tmp_path / "train.jsonl").write_text(json.dumps(line))
    from test_convert_command import registered

    with registered("mine", namespace["FORMAT"]):
        report = convert("mine", tmp_path, tmp_path / "out", strict=True)
    assert report["train"].relations == {"r": 1}


def test_schema_has_the_fields_of_the_format():
    properties = SCHEMA["properties"]
    assert set(properties) == {*KNOWN, *OF_RESULTS}
    entity = properties["entities"]["items"]["properties"]
    relation = properties["relations"]["items"]["properties"]
    assert set(entity) == set(KNOWN_OF_ENTITY)
    assert set(relation) == {*KNOWN_OF_RELATION, *OF_RESULTS_OF_RELATION}


def test_schema_accepts_the_examples():
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for line in SECTIONS["jsonl"]["train.jsonl"].splitlines():
        jsonschema.validate(json.loads(line), SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"text": "a", "entities": [{"start": 0}]}, SCHEMA)
