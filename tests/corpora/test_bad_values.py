"""Whatever stands in a file: it is converted, or the error names file and line."""

import json

import pytest
import spacy
from formats_page import SECTIONS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spacy_dualre.corpora import FORMATS
from spacy_dualre.corpora.report import Report

nlp = spacy.blank("en")

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 60),
    st.floats(allow_nan=True),
    st.text(max_size=4),
    st.lists(st.one_of(st.integers(-3, 60), st.text(max_size=2)), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
JSON_FORMATS = [
    (name, file_name, text)
    for name, files in SECTIONS.items()
    for file_name, text in files.items()
    if file_name.endswith((".json", ".jsonl"))
]


def places(data, place=()):
    yield place
    items = data.items() if isinstance(data, dict) else ()
    for key, value in enumerate(data) if isinstance(data, list) else items:
        yield from places(value, (*place, key))


def change(data, place, value):
    if not place:
        return value
    data[place[0]] = change(data[place[0]], place[1:], value)
    return data


@pytest.mark.parametrize(
    "name,file_name,text", JSON_FORMATS, ids=[name for name, *_ in JSON_FORMATS]
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_value_in_any_field(name, file_name, text, tmp_path, data):
    document = json.loads(text.splitlines()[0] if file_name[-1] == "l" else text)
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.sampled_from(list(places(document))))
        document = change(document, place, data.draw(VALUES))
    path = tmp_path / file_name
    path.write_text(json.dumps(document))
    report = Report(name)
    try:
        for split, doc in FORMATS.get(name).read(nlp, path, report):
            report[split].add(doc)
            doc.to_bytes()
    except ValueError as e:
        assert str(e).startswith(f"{path}, line "), e
        assert len(str(e)) < 900
    else:
        for split in report.splits:
            assert report[split].unaccounted() == {"mention": 0, "relation": 0}
