import json

import pytest

TEXT = "Ann 😀 Zoë Vale founded Tidewater Foods.\nShe left Zoë."
NAMES = ["Ann", "Zoë Vale", "Tidewater Foods", "She"]


def utf16(text):
    return len(text.encode("utf-16-le")) // 2


def utf8(text):
    return len(text.encode("utf8"))


def crlf(text):
    return len(text.replace("\n", "\r\n"))


def document(length=len, first=0, last=0, quoted=True):
    entities = []
    for name in NAMES:
        start = length(TEXT[: TEXT.index(name)])
        end = start + length(name)
        entity = {"start": start + first, "end": end + last, "label": "X"}
        entities.append({**entity, "text": name} if quoted else entity)
    return json.dumps({"text": TEXT, "entities": entities}) + "\n"


def test_text_of_mentions_is_compared_and_no_loss(convert_files):
    docs, _ = convert_files("jsonl", {"train.jsonl": document()}, strict=True)
    assert [span.text for span in docs["train"][0].spans["entities"]] == NAMES


@pytest.mark.parametrize(
    "change,unit,remedy",
    [
        ({"length": utf16}, "UTF-16 code units", "utf-16-le"),
        ({"length": utf8}, "UTF-8 bytes", "utf8"),
        ({"last": -1}, "characters with the end included", "add 1 to each end"),
        ({"first": 1, "last": 1}, "characters from 1", "subtract 1 from each start"),
        ({"first": 1}, "characters from 1 with the end included", "each start"),
        ({"length": crlf}, r"characters where a line ends with two", "line ends"),
    ],
)
def test_the_unit_of_the_offsets_is_named(convert_files, change, unit, remedy):
    files = {"train.jsonl": document(**change)}
    message = f"train.jsonl, line 1: entity .*if it counts {unit}.*{remedy}"
    with pytest.raises(ValueError, match=message):
        convert_files("jsonl", files)


def test_the_first_wrong_line_is_named(convert_files):
    plain = json.dumps(
        {"text": "Ann left.", "entities": [{"start": 0, "end": 3, "label": "X"}]}
    )
    files = {"train.jsonl": plain + "\n" + document(utf16)}
    with pytest.raises(ValueError, match="line 2: .*All 4 mentions .* UTF-16"):
        convert_files("jsonl", files)


def test_text_that_fits_no_unit(convert_files):
    files = {"train.jsonl": document().replace('"text": "She"', '"text": "He"')}
    with pytest.raises(ValueError, match="entity 3: .*3 of the 4 mentions .* changed"):
        convert_files("jsonl", files)


def test_ends_that_look_inclusive_are_warned_of(convert_files):
    files = {"train.jsonl": document(last=-1, quoted=False)}
    _, report = convert_files("jsonl", files)
    assert any("Do the ends in the file include" in w for w in report.warnings)


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("cyclicAMP-like", [(0, 6), (0, 3)]),
        ("Moss Inc. and Crane Ltd. met.", [(0, 8), (14, 23)]),
    ],
)
def test_other_split_tokens_and_full_stops_are_no_such_warning(
    convert_files, text, spans
):
    entities = [{"start": i, "end": j, "label": "X"} for i, j in spans]
    files = {"train.jsonl": json.dumps({"text": text, "entities": entities})}
    _, report = convert_files("jsonl", files)
    assert not any("Do the ends" in w for w in report.warnings)
