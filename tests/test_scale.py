"""Documents from anywhere, and through any engine."""

import csv
import json
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import fsspec
import pytest
import spacy
import srsly
from apply_texts import make_ner, make_texts, write_jsonl
from processes import run_python
from spacy.tokens import DocBin
from tiny_corpus import TEXTS, gold_triples, with_entities

from spacy_dualre.apply import Settings, apply
from spacy_dualre.apply.files import replacing
from spacy_dualre.apply.inputs import Shard, divide, find_sources, read_shard
from spacy_dualre.output.writers.results import Selection

ENGINES = [
    "local",
    pytest.param(
        "ray", marks=pytest.mark.skipif(find_spec("ray") is None, reason="needs ray")
    ),
]
PAGE = Path(__file__).parent.parent / "docs" / "scale.md"


@pytest.fixture(scope="module")
def ner(tmp_path_factory):
    return str(make_ner(tmp_path_factory.mktemp("ner") / "ner"))


@pytest.fixture(scope="module")
def plain_ner(ner, tmp_path_factory):
    """The same of spaCy's own parts, so that other processes can load it."""
    path = tmp_path_factory.mktemp("plain") / "ner"
    spacy.load(ner, exclude=["link_or_fail"]).to_disk(path)
    return str(path)


@pytest.fixture
def memory():
    """fsspec's file system in memory, empty."""
    system = fsspec.filesystem("memory")
    yield system
    system.rm("/", recursive=True)


def read_all(shards, settings):
    vocab = spacy.blank("en").vocab
    return [
        item
        for number, pieces in enumerate(shards)
        for item in read_shard(Shard(str(number), tuple(pieces)), settings, vocab)
    ]


def write_parquet(path, rows, group=1 << 20):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.Table.from_pylist(rows), path, row_group_size=group)
    return path


def test_a_url_has_the_same_result_as_a_folder(trained_path, ner, tmp_path, memory):
    texts = make_texts(12)
    folder = tmp_path / "in"
    (folder / "b").mkdir(parents=True)
    write_jsonl(folder / "a.jsonl", texts[:5])
    (folder / "b" / "c.txt").write_text("\n".join(texts[5:]), encoding="utf8")
    docs = with_entities(spacy.blank("en"))
    DocBin(docs=docs).to_disk(folder / "d.spacy")
    write_parquet(folder / "e.parquet", [{"id": "e", "text": texts[0]}])
    memory.put(str(folder), "/bucket", recursive=True)
    options = {"settings": Settings(ner=ner, split="line"), "shard_size": 4}
    here, there = tmp_path / "here.jsonl", tmp_path / "there.jsonl"
    apply(trained_path, folder, here, **options)
    outcome = apply(trained_path, "memory://bucket", there, **options)
    assert outcome.documents == 12 + len(docs) + 1 and not outcome.errors
    assert here.read_bytes() == there.read_bytes()


@pytest.mark.parametrize(
    "url,message",
    [
        ("memory://nothing/here", "Can't find memory://nothing/here"),
        ("no-such-protocol://x", "no-such-protocol"),
    ],
)
def test_a_url_that_cant_be_read_is_named(trained_path, tmp_path, url, message):
    with pytest.raises(ValueError, match=message):
        apply(trained_path, url, tmp_path / "out.jsonl")


@pytest.mark.parametrize("group", [1, 4, 100])
@pytest.mark.parametrize("shard_size", [1, 3, 100])
def test_shards_of_parquet_files_have_every_row_once(tmp_path, group, shard_size):
    texts = make_texts(10)
    rows = [{"pmid": i, "other": 0.5, "abstract": t} for i, t in enumerate(texts)]
    path = write_parquet(tmp_path / "a.parquet", rows, group)
    _, shards = divide(find_sources(path, None), shard_size)
    settings = Settings(text_field="abstract", id_field="pmid")
    items = read_all(shards, settings)
    assert [item.content for item in items] == texts
    assert [item.id for item in items] == [str(i) for i in range(10)]


def test_a_row_without_text_costs_no_other_one(tmp_path):
    rows = [{"text": "one"}, {"text": None}, {"text": "two"}]
    path = write_parquet(tmp_path / "a.parquet", rows)
    _, shards = divide(find_sources(path, None), 10)
    good, bad, other = read_all(shards, Settings())
    assert (good.content, other.content) == ("one", "two")
    assert "a.parquet:2: expected a text as 'text', but there is none." in bad.error


def test_parquet_files_that_are_none_are_named(tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "a.parquet").write_bytes(b"no")
    with pytest.raises(ValueError, match="a.parquet is no Parquet file, or damaged"):
        divide(find_sources(tmp_path / "a.parquet", None), 10)


def test_facts_are_rows_of_a_parquet_file(trained_path, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    docs = with_entities(spacy.blank("en"))
    DocBin(docs=docs).to_disk(tmp_path / "in.spacy")
    apply(trained_path, tmp_path / "in.spacy", tmp_path / "out.parquet")
    rows = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    expected = [triple for triples in gold_triples() for triple in triples]
    assert [(r["subject"], r["predicate"], r["object"]) for r in rows] == expected
    first = rows[0]
    words = TEXTS[0][first["subject_start"] : first["subject_end"]]
    assert words == first["subject"] and 0 < first["score"] <= 1


@pytest.mark.parametrize("engine", ENGINES)
def test_an_input_that_vanishes_is_named_and_its_work_goes_on_when_it_is_back(
    engine, trained_path, plain_ner, tmp_path, monkeypatch
):
    folder = tmp_path / "in"
    folder.mkdir()
    for i, name in enumerate("abc"):
        write_jsonl(folder / f"{name}.jsonl", make_texts(4, seed=i))
    options = {"settings": Settings(ner=plain_ner), "shard_size": 4}
    whole, output = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    apply(trained_path, folder, whole, **options)
    options["engine"] = engine

    def vanish(*_):
        if (folder / "c.jsonl").exists():
            (folder / "c.jsonl").rename(tmp_path / "away")

    with monkeypatch.context() as patch:
        patch.setattr("spacy_dualre.apply.run.tqdm.update", vanish)
        with pytest.raises(OSError, match=r"c\.jsonl"):
            apply(trained_path, folder, output, **options)
    assert len(list((tmp_path / "out.jsonl.parts").glob("0*.jsonl"))) == 2
    (tmp_path / "away").rename(folder / "c.jsonl")
    assert apply(trained_path, folder, output, **options).new == 4
    assert output.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_poisoned_document_costs_no_other_one(
    engine, trained_path, plain_ner, tmp_path
):
    texts = make_texts(11)
    clean, source = tmp_path / "clean.jsonl", tmp_path / "in.jsonl"
    lines = write_jsonl(clean, texts).read_text("utf8").splitlines()
    # Longer than spaCy works on, so it fails in the pipeline, not in the reader.
    lines.insert(2, json.dumps({"id": "long", "text": "a" * 1_000_001}))
    lines.insert(9, '{"id": "empty"}')
    source.write_text("\n".join(lines), encoding="utf8")
    options = {"settings": Settings(ner=plain_ner), "shard_size": 4}
    apply(trained_path, clean, tmp_path / "whole.jsonl", **options)
    output = tmp_path / "out.jsonl"
    outcome = apply(trained_path, source, output, engine=engine, **options)
    assert output.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    errors = list(srsly.read_jsonl(outcome.errors_path))
    assert [error["id"] for error in errors] == ["long", "empty"]
    assert "1000001" in errors[0]["error"] and "--text-field" in errors[1]["error"]


def test_a_part_that_vanishes_is_made_again(trained_path, ner, tmp_path):
    source = write_jsonl(tmp_path / "in.jsonl", make_texts(8))
    options = {"settings": Settings(ner=ner), "shard_size": 4}
    output = tmp_path / "out.jsonl"
    apply(trained_path, source, output, **options)
    before = output.read_bytes()
    (tmp_path / "out.jsonl.parts" / "000001.jsonl").unlink()
    assert apply(trained_path, source, output, **options).new == 4
    assert output.read_bytes() == before


def test_a_full_disk_is_told_of_with_the_file(tmp_path):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    target = tmp_path / "a.jsonl"
    told = pytest.raises(OSError, match=r"Make space, and .* again: '.*/a\.jsonl'$")
    with told, replacing(target), full.open("w") as file:
        file.write("a")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 kB, and the command that makes it larger."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = [shutil.which("mount") or "mount", "-t", "tmpfs", "tmpfs", str(folder)]
    try:
        subprocess.run([*mount, "-o", "size=64k"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as e:
        pytest.skip(f"can't mount a small disk: {e}")
    yield folder, [*mount, "-o", "remount,size=16m"]
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_work_goes_on_when_a_full_disk_has_space(
    engine, trained_path, tmp_path, small_disk
):
    docs = with_entities(spacy.blank("en")) * 50
    DocBin(docs=docs).to_disk(tmp_path / "in.spacy")
    disk, enlarge = small_disk
    whole, output = tmp_path / "whole.jsonl", disk / "out.jsonl"
    apply(trained_path, tmp_path / "in.spacy", whole, shard_size=20)
    options = {"shard_size": 20, "engine": engine, "n_process": 2}
    with pytest.raises(OSError, match=r"Make space.*/out\.jsonl"):
        apply(trained_path, tmp_path / "in.spacy", output, **options)
    finished = {p: p.stat().st_mtime_ns for p in disk.glob("*/0*.jsonl")}
    assert finished and not output.exists()
    subprocess.run(enlarge, check=True)
    assert 0 < apply(trained_path, tmp_path / "in.spacy", output, **options).new < 300
    assert output.read_bytes() == whole.read_bytes()
    assert all(p.stat().st_mtime_ns == time for p, time in finished.items())


@pytest.mark.slow
def test_facts_are_merged_on_the_disk_of_the_parts(trained_path, tmp_path, small_disk):
    docs = with_entities(spacy.blank("en")) * 24
    DocBin(docs=docs).to_disk(tmp_path / "in.spacy")
    disk, enlarge = small_disk
    whole, output = tmp_path / "whole.csv", tmp_path / "out.csv"
    options = {"selection": Selection(merge=True)}
    apply(trained_path, tmp_path / "in.spacy", whole, **options)
    options["parts"] = disk / "parts"
    with pytest.raises(OSError, match=r"merge facts in .*Make space.*/out\.csv"):
        apply(trained_path, tmp_path / "in.spacy", output, **options)
    assert not output.exists() and not list(disk.glob("parts/.merge*"))
    subprocess.run(enlarge, check=True)
    assert apply(trained_path, tmp_path / "in.spacy", output, **options).new == 0
    assert output.read_bytes() == whole.read_bytes()


@pytest.mark.slow
def test_the_recipe_for_spark(trained_path, ner, tmp_path):
    pytest.importorskip("pyspark")
    pytest.importorskip("pandas")
    write_jsonl(tmp_path / "in.jsonl", make_texts(20))
    nlp = spacy.load(ner, exclude=["link_or_fail"])  # which Spark does not know
    nlp.add_pipe("dual_relation_extractor", source=spacy.load(trained_path))
    nlp.to_disk(tmp_path / "model")
    (recipe,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf8"), re.DOTALL)
    places = {"MODEL": "model", "INPUT": "in.jsonl", "OUTPUT": "out.parquet"}
    given = "".join(f"{k} = {str(tmp_path / v)!r}\n" for k, v in places.items())
    run_python(given + recipe)
    parquet = pytest.importorskip("pyarrow.parquet")
    found = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    output = tmp_path / "out.csv"
    apply(trained_path, tmp_path / "in.jsonl", output, settings=Settings(ner=ner))
    with output.open(encoding="utf8", newline="") as file:
        expected = list(csv.DictReader(file))
    assert sorted(map(triple_of, found)) == sorted(map(triple_of, expected))


def triple_of(row):
    names = ("subject", "predicate", "object")
    return [row.get("document", row.get("id")), *(row[name] for name in names)]
