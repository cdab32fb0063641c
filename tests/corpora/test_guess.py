"""The format of annotations is told by their files."""

import pytest
from formats_page import SECTIONS

from spacy_dualre.corpora.guess import guess_format


def write(folder, files):
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf8")


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_format_is_guessed_from_its_example(name, tmp_path):
    write(tmp_path, SECTIONS[name])
    assert guess_format(tmp_path) == {"brat-events": "brat"}.get(name, name)


@pytest.mark.parametrize(
    "line, expected",
    [
        ('{"text": "a", "_input_hash": 5, "_task_hash": 6}', "prodigy"),
        ('{"id": 1, "text": "a", "label": [[0, 1, "X"]], "Comments": []}', "doccano"),
        ('{"text": "\\"_input_hash\\"", "entities": []}', "jsonl"),
        ('{"tokens": [[0, 1]], "entities": [{"type": 0}]}', "jsonl"),
        ('{"text": ', "jsonl"),
    ],
)
def test_json_lines_are_our_own_unless_they_show_another(line, expected, tmp_path):
    (tmp_path / "a.jsonl").write_text(line)
    assert guess_format(tmp_path / "a.jsonl") == expected


def test_hidden_and_other_files_are_not_looked_at(tmp_path):
    write(tmp_path, SECTIONS["brat"])
    write(tmp_path, {".a.jsonl": "{}", "settings.json": "{}", "annotation.conf": ""})
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "a.jsonl").write_text("{}")
    (tmp_path / "folder.jsonl").mkdir()
    assert guess_format(tmp_path) == "brat"


def test_a_file_before_them_may_be_something_else(tmp_path):
    write(tmp_path, {"about.json": '{"licence": "MIT"}'} | SECTIONS["bioc"])
    assert guess_format(tmp_path) == "bioc"


@pytest.mark.parametrize("files", [{"a.csv": "a,b"}, {"a.json": '[{"a": 1}]'}, {}])
def test_unknown_format_has_to_be_named(files, tmp_path):
    write(tmp_path, files)
    message = "Can't tell the format of .*. Name it with --format: bioc, .*tacred"
    with pytest.raises(ValueError, match=message):
        guess_format(tmp_path)


def test_two_formats_have_to_be_told_apart_by_name(tmp_path):
    write(tmp_path, SECTIONS["brat"] | {"a.jsonl": "{}"})
    with pytest.raises(ValueError, match=r"\(it may be brat or jsonl\). Name it"):
        guess_format(tmp_path)
