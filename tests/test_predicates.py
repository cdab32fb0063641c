"""Predicates are data: checked, described, and applied by type and direction."""

import json

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_dualre.predicates import (
    NO_RELATION,
    Predicate,
    admission_table,
    describe,
    parse_predicates,
    read_predicates,
    to_data,
)

DATA = {
    "works-for": {
        "description": "{subject} is employed by {object}",
        "subject_types": ["PER"],
        "object_types": ["ORG", "LOC"],
    },
    "knows": {"description": "{subject} and {object} have met", "symmetric": True},
    "based_in": "{object} is where {subject} is",
    "PART-OF": None,
}


def test_no_relation_comes_first_with_its_own_description():
    first, *others = parse_predicates(DATA)
    assert first == (NO_RELATION, (describe(NO_RELATION),), (), (), False)
    assert [predicate.label for predicate in others] == list(DATA)


def test_no_relation_can_be_described_anew():
    text = "{subject} has nothing to do with {object}"
    first, _ = parse_predicates({"knows": None, NO_RELATION: text})
    assert first.descriptions == (text,)


def test_properties_are_read():
    works_for = parse_predicates(DATA)[1]
    expected = ("works-for", ("{subject} is employed by {object}",))
    assert works_for == (*expected, ("PER",), ("ORG", "LOC"), False)


def test_a_label_without_properties_is_described_by_itself():
    assert parse_predicates(DATA)[-1].descriptions == ("{subject} part of {object}",)


def test_a_predicate_may_have_several_descriptions():
    texts = ["{subject} is in {object}", "{object} contains {subject}"]
    for properties in (texts, {"description": texts}):
        predicates = parse_predicates({"based-in": properties})
        assert predicates[1].descriptions == tuple(texts)
        assert parse_predicates(to_data(predicates)) == predicates


def test_each_of_several_descriptions_is_checked():
    texts = ["{subject} is in {object}", "{subject} is there"]
    with pytest.raises(ValueError, match="'bad'.*{object} exactly once.*is there"):
        parse_predicates({"bad": texts})


def test_data_reads_back():
    predicates = parse_predicates(DATA)
    data = json.loads(json.dumps(to_data(predicates)))
    assert parse_predicates(data) == predicates


def test_a_list_of_properties_is_read_like_a_mapping():
    listed = [{"label": "a", "symmetric": True}, {"label": "b"}]
    mapped = {"a": {"symmetric": True}, "b": {}}
    assert parse_predicates(listed) == parse_predicates(mapped)


@pytest.mark.parametrize(
    ("label", "description"),
    [
        ("USED-FOR", "{subject} used for {object}"),
        ("works_for", "{subject} works for {object}"),
        ("CPR:4", "{subject} cpr 4 {object}"),
        ("Cause-Effect(e1,e2)", "{subject} cause effect(e1,e2) {object}"),
    ],
)
def test_a_description_is_made_from_the_label(label, description):
    assert describe(label) == description


@given(label=st.text(min_size=1))
def test_any_label_gets_a_description_that_is_valid(label):
    described = parse_predicates({label: describe(label), "other": None})
    assert label in [predicate.label for predicate in described]


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ("{object} only", r"'bad': the description must have {subject} exactly once"),
        ("{subject} only", r"'bad': the description must have {object} exactly once"),
        ("{subject} {subject} {object}", r"'bad': .* but has it 2 times"),
        ({"description": 3}, r"'bad': the description must be a string"),
        ({"describtion": "x"}, r"'bad' has unknown properties describtion \(known:"),
        ({"symmetric": "yes"}, r"'bad': symmetric must be true or false"),
        ({"subject_types": "PER"}, r"'bad': subject_types must be a list"),
        ({"object_types": ["PER", 1]}, r"'bad': object_types must be a list"),
        ({"object_types": 1}, r"'bad': object_types must be a list"),
        ({"object_types": 0}, r"'bad': object_types must be a list"),
        ({"subject_types": False}, r"'bad': subject_types must be a list"),
        ({"description": False}, r"'bad': the description must be a string"),
        ({"description": 0}, r"'bad': the description must be a string"),
        ("\udc00 {subject} {object}", r"'bad' has half of a surrogate pair"),
        ({"object_types": ["\ud83d"]}, r"'bad' has half of a surrogate pair"),
        ([], r"'bad': the description must be a string or a list"),
        ([3], r"'bad': a description must be a string"),
        (3, r"'bad' must have a description or properties"),
    ],
)
def test_a_wrong_predicate_is_refused_by_name(properties, message):
    with pytest.raises(ValueError, match=message):
        parse_predicates({"good": None, "bad": properties})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "no predicate beside 'no_relation'"),
        ({NO_RELATION: None}, "no predicate beside 'no_relation'"),
        ([{"label": "twice"}, {"label": "twice"}], "'twice' is there more than once"),
        ([{"label": "a"}, {"description": "x"}], "entry 1 has no 'label'"),
        ([{"label": "a"}, "b"], "entry 1 has no 'label'"),
        ({"": None}, "a label must be a non-empty string, but one is ''"),
        ({True: None}, "a label must be a non-empty string, but one is True"),
        ([{"label": ["a"]}], r"a label must be a non-empty string, but one is \['a'\]"),
        ({"\ud83d": None}, "has half of a surrogate pair"),
        ("works-for", "expected a mapping .* but found str"),
        (None, "expected a mapping .* but found NoneType"),
    ],
)
def test_wrong_data_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        parse_predicates(data)


def test_errors_are_short_however_long_the_data_is():
    long = "long " * 10_000
    data = {long: 3, "a": {"description": long, long: 1, "symmetric": 1}}
    data |= {f"bad{i}": 3 for i in range(10_000)}
    with pytest.raises(ValueError, match="and 9[0-9]{3} more") as error:
        parse_predicates(data)
    assert len(str(error.value)) < 5000


def test_all_problems_are_told_at_once():
    with pytest.raises(ValueError, match="'first'.*'second'"):
        parse_predicates({"first": "no slots", "second": {"symmetric": 1}})


@pytest.mark.parametrize("name", ["a.yml", "a.yaml", "a.YAML"])
def test_a_yaml_file_is_read(tmp_path, name):
    (tmp_path / name).write_text(
        "knows:\n"
        "  description: '{subject} and {object} have met'\n"
        "  symmetric: true\n"
        "based-in: '{subject} is in {object}'\n"
    )
    _, knows, based_in = parse_predicates(read_predicates(str(tmp_path / name)))
    assert knows == ("knows", ("{subject} and {object} have met",), (), (), True)
    assert based_in.descriptions == ("{subject} is in {object}",)


def test_a_json_file_is_read(tmp_path):
    (tmp_path / "predicates.json").write_text(json.dumps(DATA))
    data = read_predicates(str(tmp_path / "predicates.json"))
    assert data == to_data(parse_predicates(DATA))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.json", None, "Can't find the predicates file .*missing.json"),
        ("broken.json", "{", "Can't read the predicates file .*broken.json"),
        ("broken.yml", "a: [", "Can't read the predicates file .*broken.yml"),
        ("a.json", '{"a": "x", "a": "y"}', "a.json.*'a' is there twice"),
        ("a.yml", "a: x\na: y", "Can't read the predicates file .*a.yml"),
        ("a.yml", "a: !!python/name:os.getcwd", "Can't read .*a.yml"),
        ("a.yml", "a: !!python/object/apply:os.getcwd []", "Can't read .*a.yml"),
        ("deep.json", "[" * 100_000, "deep.json.*nested too deeply"),
        ("deep.yml", "[" * 10_000, "Can't read the predicates file .*deep.yml"),
        ("a.json", r'{"\ud83d": "x"}', "a.json.*surrogate pair"),
        ("a.yml", r'{"\ud83d": "{subject} {object}"}', "a.yml.*surrogate pair"),
        ("wrong.json", '{"bad": "no slots"}', "wrong.json: .*'bad'"),
    ],
)
def test_a_file_that_cant_be_used_is_named(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        read_predicates(str(tmp_path / name))


@pytest.mark.parametrize("name", ["a.json", "a.yml"])
def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path, name):
    (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + json.dumps(DATA).encode())
    assert read_predicates(str(tmp_path / name)) == to_data(parse_predicates(DATA))


@pytest.mark.parametrize("key", ["description", "subject_types", "unheard_of"])
def test_lists_of_lists_do_not_blow_up(tmp_path, key):
    # 10 ** 12 items, if they were written out.
    levels = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    lines = ["a0: &a0 [x]", *levels, f"bad: {{{key}: *a11}}"]
    (tmp_path / "a.yml").write_text("\n".join(lines))
    with pytest.raises(ValueError, match="a.yml: Can't use these") as error:
        read_predicates(str(tmp_path / "a.yml"))
    assert len(str(error.value)) < 5000


def test_a_signature_admits_its_types_in_its_direction_only():
    works_for = parse_predicates(DATA)[1]
    assert works_for.admits("PER", "ORG")
    assert not works_for.admits("ORG", "PER")
    assert not works_for.admits("PER", "PER")


def test_a_predicate_without_signature_admits_any_types():
    assert Predicate("a", (describe("a"),)).admits("X", "Y")


def test_one_side_of_a_signature_can_be_left_open():
    predicate = Predicate("a", (describe("a"),), object_types=("LOC",))
    assert predicate.admits("X", "LOC")
    assert not predicate.admits("LOC", "X")


def test_a_symmetric_signature_fits_either_way_round():
    predicate = Predicate("a", (describe("a"),), ("PER",), ("ORG",), symmetric=True)
    assert predicate.admits("PER", "ORG")
    assert predicate.admits("ORG", "PER")
    assert not predicate.admits("PER", "PER")


def test_the_admission_table_says_what_each_predicate_admits():
    predicates = parse_predicates(DATA)
    types = ("LOC", "ORG", "PER")
    in_order, reverse = admission_table(predicates, types)
    for i, subject in enumerate(types):
        for j, object_ in enumerate(types):
            for r, predicate in enumerate(predicates[1:], 1):
                admitted = predicate.admits(subject, object_)
                assert in_order[i, j, r] == admitted
                assert reverse[i, j, r] == (admitted and not predicate.symmetric)


@pytest.mark.parametrize("symmetric", [False, True])
def test_no_relation_is_always_allowed(symmetric):
    properties = {"symmetric": symmetric, "subject_types": ["PER"]}
    tables = admission_table(
        parse_predicates({NO_RELATION: properties, **DATA}), ("PER", "LOC")
    )
    assert all(table[:, :, 0].all() for table in tables)


def test_the_admission_table_of_no_types_is_empty():
    tables = admission_table(parse_predicates(DATA), ())
    assert [table.shape for table in tables] == [(0, 0, len(DATA) + 1)] * 2
    assert all(table.dtype == numpy.dtype(bool) for table in tables)
