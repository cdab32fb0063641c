import json

import pytest

from spacy_dualre.json_files import (
    get_id,
    parse_json,
    read_json_lines,
    read_json_list,
)
from spacy_dualre.text_files import input_error


def fail(error):
    raise error


@pytest.mark.parametrize(
    "text,expected",
    [
        ('{"a": 1, "b": [{"c": 1, "c": 2}]}', "'c' is there twice"),
        ('{"a": "x \\ud83d"}', "half of a surrogate pair"),
        ('{"a": [0, {"b": "\\uDC00"}]}', r"a\[1\].b, but found half of a surrogate"),
        ('{"\\ud83d": 1}', "the key .*half of a surrogate pair"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' * 5_000 + "1" + "}" * 5_000, "nested too deeply"),
        ('{"a": NaN}', "found NaN"),
        ('{"a": -Infinity}', "found -Infinity"),
        ('{"a": 1', "expected JSON"),
        ('{"a": ' + "1" * 5_000 + "}", "digits"),
    ],
)
def test_what_another_reader_might_take_otherwise(text, expected):
    with pytest.raises(ValueError, match=expected) as e:
        parse_json(text)
    assert len(str(e.value)) < 300


def test_whole_pairs_of_surrogates_are_characters():
    assert parse_json('"\\ud83d\\ude00"') == "😀"


def test_errors_name_file_and_line(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n\n{"a": 1, "a": 2}\n{"a": 2}\n[]\n')
    errors = []
    rows = list(read_json_lines(path, errors.append))
    assert rows == [(1, {"a": 1}), (4, {"a": 2})]
    assert [str(e).split(":")[0] for e in errors] == [
        f"{path}, line 3",
        f"{path}, line 5",
    ]


@pytest.mark.parametrize("key", [None, "documents"])
@pytest.mark.parametrize("indent", [None, 0, 1])
def test_objects_of_a_list_have_the_line_that_they_begin_on(tmp_path, key, indent):
    items = [{"id": 1, "x": [{}, "]"]}, {"id": 2}, {"id": 3, "documents": []}]
    other = {"documents ": '"documents": [', "key": {"documents": [1]}}
    data = items if key is None else {**other, key: items, "last": 1}
    text = json.dumps(data, indent=indent)
    (tmp_path / "a.json").write_text("\n" + text)
    found = list(read_json_list(tmp_path / "a.json", fail, key))
    assert [item for _, item in found] == items
    lines = ["", *text.split("\n")]
    for line, item in found:
        assert "{" in lines[line - 1]
        if indent is not None:
            assert lines[line].strip().rstrip(",") == f'"id": {item["id"]}'


@pytest.mark.parametrize("text", ["", "[", "[1]", "{}", "[]x"])
def test_no_list_of_objects(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match="a.json, line 1: expected"):
        list(read_json_list(tmp_path / "a.json", fail))


def test_key_twice_in_a_file_names_its_line(tmp_path):
    (tmp_path / "a.json").write_text('[\n{"a": 1},\n{"b": 1,\n"b": 2}]')
    with pytest.raises(ValueError, match="a.json, line 4: .*'b' is there twice"):
        list(read_json_list(tmp_path / "a.json", fail))


def test_empty_list(tmp_path):
    (tmp_path / "a.json").write_text("[ ]")
    assert list(read_json_list(tmp_path / "a.json", fail)) == []


@pytest.mark.parametrize(
    "data,expected",
    [({"id": 0}, "0"), ({"id": "x"}, "x"), ({"id": ""}, "7"), ({"id": None}, "7")],
)
def test_id_of_an_object(data, expected):
    assert get_id(data, "id", "7") == expected


def test_input_error_names_the_place(tmp_path):
    assert str(input_error(tmp_path, 3, "x")) == f"{tmp_path}, line 3: x"
