import hashlib
import json
import os
from contextlib import contextmanager

import catalogue
import pytest
import spacy
import srsly
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_dualre.cli import app
from spacy_dualre.cli.convert import convert
from spacy_dualre.corpora import FORMATS
from spacy_dualre.corpora.format import Format
from spacy_dualre.corpora.report import SplitReport

TEXT = "Ann lives in Baa."
DOCUMENT = {
    "text": TEXT,
    "entities": [
        {"start": 0, "end": 3, "label": "PERSON"},
        {"start": 13, "end": 16, "label": "PLACE"},
    ],
    "relations": [{"subject": 0, "object": 1, "label": "LIVES-IN"}],
}
CONTENT = (json.dumps(DOCUMENT) + "\n").encode("utf8")
COUNTS = {"train": {"documents": 1, "sentences": 1, "mentions": 2, "relations": 1}}


@contextmanager
def registered(name, format_):
    FORMATS.register(name, func=format_)
    try:
        yield
    finally:
        catalogue._remove(("spacy_dualre", "formats", name))


@pytest.fixture
def input_dir(tmp_path):
    path = tmp_path / "input"
    path.mkdir()
    (path / "train.jsonl").write_bytes(CONTENT)
    return path


@pytest.fixture
def known():
    """A format "known", which is one JSONL file with known checksum and counts."""
    files = {"train.jsonl": hashlib.sha256(CONTENT).hexdigest()}
    format_ = Format(FORMATS.get("jsonl").read, files, COUNTS)
    with registered("known", format_):
        yield format_


def run(*args):
    result = CliRunner().invoke(app, ["convert", *map(str, args)])
    # Long lines are wrapped.
    return result.exit_code, " ".join(result.output.split())


def test_command(input_dir, tmp_path):
    before = set(tmp_path.rglob("*"))
    output_dir = tmp_path / "a" / "output"
    code, output = run("jsonl", input_dir, output_dir, "--strict")
    assert code == 0
    assert "LIVES-IN" in output
    assert "Nothing was lost" in output
    files = {output_dir / name for name in ("train.spacy", "report.json")}
    assert set(tmp_path.rglob("*")) - before == {*files, output_dir, output_dir.parent}
    report = srsly.read_json(output_dir / "report.json")
    assert report["format"] == "jsonl"
    assert report["splits"]["train"]["relations"] == {"LIVES-IN": 1}


def test_output_is_the_same_every_time(input_dir, tmp_path):
    for name in ("a", "b"):
        convert("jsonl", input_dir, tmp_path / name)
    for name in ("train.spacy", "report.json"):
        first, second = ((tmp_path / x / name).read_bytes() for x in "ab")
        assert first == second


def test_losses_are_printed(input_dir, tmp_path):
    (input_dir / "train.jsonl").write_text(json.dumps({**DOCUMENT, "meta": 1}))
    code, output = run("jsonl", input_dir, tmp_path / "output")
    assert code == 0
    assert "lost: field 'meta' not part of the format, which has id, text," in output
    assert "Nothing was lost" not in output


def test_strict(input_dir, tmp_path):
    (input_dir / "train.jsonl").write_text(json.dumps({**DOCUMENT, "meta": 1}))
    code, output = run("jsonl", input_dir, tmp_path / "output", "--strict")
    assert code == 1
    assert "With --strict nothing may be lost" in output
    assert not (tmp_path / "output").exists()


def test_failed_conversion_leaves_the_last_one(input_dir, tmp_path):
    output_dir = tmp_path / "output"
    assert run("jsonl", input_dir, output_dir)[0] == 0
    before = {path: path.read_bytes() for path in output_dir.iterdir()}
    (input_dir / "train.jsonl").write_bytes(CONTENT + CONTENT[:50])
    code, output = run("jsonl", input_dir, output_dir)
    assert code == 1
    assert "train.jsonl, line 2: expected JSON" in output
    assert {path: path.read_bytes() for path in output_dir.iterdir()} == before


def test_unknown_format(input_dir, tmp_path):
    code, output = run("chemprod", input_dir, tmp_path / "output")
    assert code == 1
    assert "Unknown format 'chemprod'. Choose one of bioc, biored, " in output
    assert "chemprot" in output


def test_format_of_another_package(known, input_dir, tmp_path):
    code, output = run("known", input_dir, tmp_path / "output")
    assert code == 0
    assert "known" in run("chemprod", input_dir, tmp_path / "output")[1]


@pytest.mark.parametrize("lang", ["en", "de", "xx", "zh"])
def test_tokenizer_is_that_of_the_language(lang, input_dir, tmp_path):
    (input_dir / "train.jsonl").write_text(
        '{"text": "李明 z.B. don\'t", "entities": []}'
    )
    assert run("jsonl", input_dir, tmp_path / lang, "--lang", lang)[0] == 0
    nlp = spacy.blank(lang)
    (doc,) = DocBin().from_disk(tmp_path / lang / "train.spacy").get_docs(nlp.vocab)
    assert [t.text for t in doc] == [t.text for t in nlp("李明 z.B. don't")]


def test_unknown_language(input_dir, tmp_path):
    code, output = run("jsonl", input_dir, tmp_path / "output", "--lang", "qq")
    assert code == 1
    assert "Can't make a pipeline for --lang qq" in output


def test_missing_files(tmp_path):
    with pytest.raises(ValueError, match="Can't find these files .*Dev.BioC.JSON"):
        convert("biored", tmp_path, tmp_path / "output")


def test_known_files(known, input_dir, tmp_path):
    report = convert("known", input_dir, tmp_path / "output")
    assert report["train"].known_counts() == COUNTS["train"]


def test_changed_file(known, input_dir, tmp_path):
    content = CONTENT.replace(b"Ann", b"Bob")
    (input_dir / "train.jsonl").write_bytes(content)
    with pytest.raises(ValueError) as e:
        convert("known", input_dir, tmp_path / "output")
    message = str(e.value)
    assert str(input_dir / "train.jsonl") in message
    assert known.files["train.jsonl"] in message
    assert hashlib.sha256(content).hexdigest() in message
    assert "--allow-changed" in message
    assert not (tmp_path / "output").exists()
    report = convert("known", input_dir, tmp_path / "output", allow_changed=True)
    assert any("train.jsonl is not the known file" in w for w in report.warnings)


def test_file_cut_between_documents(known, input_dir, tmp_path):
    (input_dir / "train.jsonl").write_bytes(CONTENT * 2)
    with pytest.raises(ValueError, match="train has 2 documents, expected 1"):
        convert("known", input_dir, tmp_path / "output")
    report = convert("known", input_dir, tmp_path / "output", allow_changed=True)
    assert "train has 4 mentions, expected 2" in report.warnings


def test_file_cut_within_a_document(known, input_dir, tmp_path):
    (input_dir / "train.jsonl").write_bytes(CONTENT[:-20])
    with pytest.raises(ValueError) as e:
        convert("known", input_dir, tmp_path / "output")
    assert "train.jsonl, line 1: expected JSON" in str(e.value)
    assert "is not the known file" in str(e.value)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_other_encoding(encoding, input_dir, tmp_path):
    text = '{"text": "a", "entities": []}\n{"text": "é", "entities": []}\n'
    (input_dir / "train.jsonl").write_bytes(text.encode(encoding))
    line = 2 if encoding == "latin-1" else 1
    with pytest.raises(ValueError, match=f"line {line}: expected UTF-8 text, but .*0x"):
        convert("jsonl", input_dir, tmp_path / "output")


def test_links_in_the_output_directory_are_not_followed(input_dir, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("mine")
    output_dir = tmp_path / "output"
    output_dir.mkdir()
    os.symlink(outside, output_dir / "train.spacy")
    convert("jsonl", input_dir, output_dir)
    assert outside.read_text() == "mine"
    assert not (output_dir / "train.spacy").is_symlink()


def test_split_of_an_earlier_conversion(input_dir, tmp_path):
    output_dir = tmp_path / "output"
    output_dir.mkdir()
    (output_dir / "dev.spacy").write_bytes(b"")
    with pytest.raises(ValueError, match="dev.spacy from an earlier conversion"):
        convert("jsonl", input_dir, output_dir)
    assert [path.name for path in output_dir.iterdir()] == ["dev.spacy"]


def test_converter_that_loses_something_silently(input_dir, tmp_path):
    def read(nlp, input_dir, report):
        for split, doc in FORMATS.get("jsonl").read(nlp, input_dir, report):
            doc.spans["relations"] = []
            yield split, doc

    message = "1 of the relations of train were neither written nor reported"
    with (
        registered("careless", Format(read)),
        pytest.raises(ValueError, match=message),
    ):
        convert("careless", input_dir, tmp_path / "output")


def test_few_examples_are_kept():
    report = SplitReport()
    for i in range(20):
        report.record("lost", "mention", "why", str(i // 2))
    (finding,) = report.to_data()["findings"]
    assert finding["count"] == 20
    assert finding["examples"] == ["0", "1", "2", "3", "4"]


def test_findings_say_what_they_mean(input_dir, tmp_path):
    document = {**DOCUMENT, "text": "Ann left... It is Baa."}
    document["entities"] = [
        {"start": 0, "end": 3, "label": "PERSON"},
        {"start": 18, "end": 21, "label": "PLACE"},
        {"start": 15, "end": 21, "label": "PLACE"},
    ]
    text = json.dumps(document).replace("left...", "left.  ")
    (input_dir / "train.jsonl").write_text(text)
    _, output = run("jsonl", input_dir, tmp_path / "output")
    assert "relation crosses a sentence boundary" in output
    assert "candidates] is 2, or null (spacy-dualre init sets it)" in output
    assert (
        'unless spans_key in [components.dual_relation_extractor] is "entities"'
        in output
    )


def test_one_file_without_a_split_is_train(input_dir, tmp_path):
    path = (input_dir / "train.jsonl").rename(input_dir / "mine.jsonl")
    code, output = run("jsonl", path, tmp_path / "output")
    assert code == 0
    assert "all is written to train.spacy" in output
    assert "spacy-dualre divide" in output


def test_no_progress_bar_without_a_terminal(input_dir, tmp_path, capfd):
    convert("jsonl", input_dir, tmp_path / "output", progress=True)
    assert capfd.readouterr().err == ""


def test_check_lists_the_errors_and_writes_nothing(input_dir, tmp_path):
    entities = [{"start": 0, "end": 99, "label": "X"}, {"start": 0, "end": 1}]
    bad = json.dumps({**DOCUMENT, "entities": entities})
    text = "\n".join([json.dumps(DOCUMENT), bad, "{", bad])
    (input_dir / "train.jsonl").write_text(text)
    before = set(tmp_path.rglob("*"))
    code, output = run("jsonl", input_dir, "--check")
    assert code == 1
    for place in (
        "line 2: entity 0: expected an entity with 0 <= start < end <= 17",
        "line 2: entity 1: expected a string that is not empty as 'label'",
        "line 3: expected JSON",
        "line 4: entity 1",
    ):
        assert place in output
    assert set(tmp_path.rglob("*")) == before


def test_check_stops_at_twenty_errors(input_dir):
    (input_dir / "train.jsonl").write_text("{\n" * 50)
    code, output = run("jsonl", input_dir, "--check")
    assert code == 1
    assert "20 or more errors" in output


def test_check_of_files_without_errors(input_dir):
    code, output = run("jsonl", input_dir, "--check")
    assert code == 0
    assert "No errors" in output


def test_output_directory_is_needed_to_convert(input_dir):
    code, output = run("jsonl", input_dir)
    assert code == 1
    assert "Give a directory to write to, or --check" in output
