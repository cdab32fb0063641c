import json
import random
from collections import Counter

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_dualre import get_relations
from spacy_dualre.cli import app
from spacy_dualre.cli.convert import convert
from spacy_dualre.cli.divide import divide_file
from spacy_dualre.corpora.divide import divide, make_shares

SHARES = make_shares(0.1, 0.1)
DOCUMENTS = st.lists(
    st.tuples(st.text("ab", max_size=3), st.lists(st.sampled_from("xyz"), max_size=3)),
    max_size=30,
)


def documents(n, labels=(("a", 10), ("b", 3), ("c", 1))):
    names = [name for name, weight in labels for _ in range(weight)]
    choose = random.Random(0).choices
    return [(f"text {i}", choose(names, k=i % 4)) for i in range(n)]


def test_each_label_has_its_share():
    found = documents(400)
    splits = divide(found, SHARES)
    totals = Counter(label for _, labels in found for label in labels)
    for split, share in SHARES.items():
        chosen = [x for x, name in zip(found, splits) if name == split]
        assert abs(len(chosen) - share * 400) <= 8
        counts = Counter(label for _, labels in chosen for label in labels)
        for label in totals:
            assert abs(counts[label] - share * totals[label]) <= 3


def test_order_does_not_matter():
    found = documents(60)
    by_text = dict(zip((text for text, _ in found), divide(found, SHARES)))
    shuffled = random.Random(1).sample(found, len(found))
    assert divide(shuffled, SHARES) == [by_text[text] for text, _ in shuffled]


@given(DOCUMENTS)
def test_equal_texts_stay_together(found):
    split_of = {}
    for (text, _), split in zip(found, divide(found, SHARES)):
        assert split in SHARES
        assert split_of.setdefault(text, split) == split


def test_no_share_no_split():
    assert set(divide(documents(50), make_shares(0.2, 0.0))) == {"train", "dev"}


@pytest.mark.parametrize("dev,test", [(-0.1, 0.1), (0.6, 0.6), (float("nan"), 0)])
def test_impossible_shares(dev, test):
    with pytest.raises(ValueError, match="Expected shares from 0 that add up to 1"):
        divide(documents(5), make_shares(dev, test))


def write_jsonl(path, n=40):
    entities = [{"start": i, "end": i + 1, "label": "X"} for i in (0, 2)]
    lines = []
    for i in range(n):
        relation = {"subject": 0, "object": 1, "label": "ab"[i % 2]}
        data = {"text": f"é b {i}", "entities": entities, "relations": [relation]}
        lines.append(json.dumps(data, ensure_ascii=bool(i % 3)))
    path.write_text("\n".join(lines), encoding="utf8")
    return lines


def test_command_keeps_the_lines(tmp_path):
    path = tmp_path / "all.jsonl"
    lines = write_jsonl(path)
    args = ["divide", str(path), "--output", str(tmp_path / "out"), "--dev", "0.2"]
    result = CliRunner().invoke(app, args)
    assert result.exit_code == 0, result.output
    files = {
        f.name: f.read_text("utf8").splitlines() for f in (tmp_path / "out").iterdir()
    }
    assert {name: len(rows) for name, rows in files.items()} == {
        "train.jsonl": 28,
        "dev.jsonl": 8,
        "test.jsonl": 4,
    }
    assert sorted(line for rows in files.values() for line in rows) == sorted(lines)
    assert convert("jsonl", tmp_path / "out", tmp_path / "corpus").losses() == []


def test_spacy_file_is_divided_as_the_lines_are(tmp_path):
    path = tmp_path / "all.jsonl"
    write_jsonl(path)
    divide_file(path, tmp_path / "lines")
    convert("jsonl", path, tmp_path / "corpus")
    divide_file(tmp_path / "corpus" / "train.spacy", tmp_path / "docs")
    vocab = spacy.blank("en").vocab
    for split in SHARES:
        rows = (tmp_path / "lines" / f"{split}.jsonl").read_text("utf8").splitlines()
        doc_bin = DocBin().from_disk(tmp_path / "docs" / f"{split}.spacy")
        docs = list(doc_bin.get_docs(vocab))
        assert [doc.text for doc in docs] == [json.loads(row)["text"] for row in rows]
        assert all(len(get_relations(doc)) == 1 for doc in docs)
        assert all(doc.user_data["doc_id"] for doc in docs)


@pytest.mark.parametrize(
    "name,text,message",
    [
        ("a.txt", "x", "Expected a file that ends with .jsonl or .spacy"),
        ("a.jsonl", '{"text": "a"}\n{', "a.jsonl, line 2: expected JSON"),
        ("a.jsonl", "[]", "a.jsonl, line 1: "),
        ("a.jsonl", '{"text": 1}', "a.jsonl, line 1: expected a string"),
        ("a.jsonl", "", "There are no documents"),
    ],
)
def test_bad_files(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        divide_file(tmp_path / name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_split_of_an_earlier_division_is_not_mixed_in(tmp_path):
    write_jsonl(tmp_path / "all.jsonl")
    divide_file(tmp_path / "all.jsonl", tmp_path / "out")
    with pytest.raises(ValueError, match="test.jsonl from an earlier"):
        divide_file(tmp_path / "all.jsonl", tmp_path / "out", test=0)
