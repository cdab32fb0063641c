"""`apply`: each document exactly once, whatever is interrupted."""

import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
from contextlib import suppress

import pytest
import spacy
import srsly
from apply_texts import make_ner, make_texts, run_apply, write_jsonl
from processes import CONTEXT, wait_until
from spacy.tokens import DocBin
from tiny_corpus import PREDICATES, TEXTS, gold_triples, make_docs, with_entities
from tqdm import tqdm
from typer.testing import CliRunner

from spacy_dualre.apply import Settings, apply, apply_shard, make_manifest
from spacy_dualre.apply import run as run_module
from spacy_dualre.apply.inputs import Shard, divide, find_sources, read_shard
from spacy_dualre.apply.shard import part_of
from spacy_dualre.cli import app


@pytest.fixture(scope="module")
def ner(tmp_path_factory):
    return str(make_ner(tmp_path_factory.mktemp("ner") / "ner"))


@pytest.fixture
def settings(ner):
    return Settings(ner=ner, batch_size=4)


def read(path):
    return list(srsly.read_jsonl(path))


def triples(record):
    text, entities = record["text"], record["entities"]

    def words(i):
        return text[entities[i]["start"] : entities[i]["end"]]

    return [
        (words(r["subject"]), r["label"], words(r["object"]))
        for r in record["relations"]
    ]


# What is read.


@pytest.mark.parametrize(
    "split,expected",
    [
        ("file", ["one\n\ntwo\r\nthree\n \n"]),
        ("line", ["one", "two", "three"]),
        ("block", ["one", "two\r\nthree"]),
    ],
)
@pytest.mark.parametrize("shard_size", [1, 2, 100])
def test_texts_are_files_lines_or_blocks(tmp_path, split, expected, shard_size):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone\n\ntwo\r\nthree\n \n")
    (source,) = find_sources(path, split)
    _, shards = divide([source], shard_size)
    assert all(sum(p.documents for p in pieces) <= shard_size for pieces in shards)
    assert read_all(shards, Settings(split=split)) == expected


def read_all(shards, settings):
    vocab = spacy.blank("en").vocab
    found = []
    for pieces in shards:
        shard = Shard("0", tuple(pieces))
        items = list(read_shard(shard, settings, vocab))
        assert len(items) == shard.documents
        found += [item.content if item.error is None else item.error for item in items]
    return found


@pytest.mark.parametrize("shard_size", [1, 3, 7, 1000])
def test_shards_have_every_document_of_a_folder_once(tmp_path, shard_size):
    texts = make_texts(20)
    (tmp_path / "b").mkdir()
    write_jsonl(tmp_path / "a.jsonl", texts[:8])
    (tmp_path / "b" / "c.txt").write_text("\n".join(texts[8:12]), encoding="utf8")
    write_jsonl(tmp_path / "b" / "d.jsonl", texts[12:])
    (tmp_path / ".hidden.txt").write_text("no", encoding="utf8")
    (tmp_path / "image.png").write_bytes(b"\x89PNG")
    _, shards = divide(find_sources(tmp_path, "line"), shard_size)
    assert read_all(shards, Settings(split="line")) == texts


def test_text_files_need_a_split(tmp_path):
    (tmp_path / "a.txt").write_text("one", encoding="utf8")
    with pytest.raises(ValueError, match="--split file, line or block"):
        find_sources(tmp_path, None)


def test_relations_are_those_of_the_pipeline(trained_path, tmp_path):
    path = tmp_path / "in.spacy"
    docs = with_entities(spacy.blank("en"))
    for i, doc in enumerate(docs):
        doc.user_data["doc_id"] = f"doc {i}"
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    output = tmp_path / "out.jsonl"
    outcome = apply(trained_path, path, output, shard_size=2)
    records = read(output)
    assert [record["id"] for record in records] == [f"doc {i}" for i in range(6)]
    assert [triples(record) for record in records] == gold_triples()
    assert outcome.documents == outcome.new == 6
    assert outcome.relations == 5 and outcome.errors == 0
    assert records[0]["model"] == "en_pipeline 0.0.0"
    assert records[0]["sentences"] == [[0, len(TEXTS[0])]]


def test_gold_relations_are_not_taken_for_found_ones(trained_path, tmp_path):
    path = tmp_path / "in.spacy"
    docs = make_docs(spacy.blank("en").vocab)
    docs[0]._.relations = [(docs[0].ents[1], docs[0].ents[0], "wrong")]
    DocBin(docs=docs).to_disk(path)
    apply(trained_path, path, tmp_path / "out.jsonl")
    records = read(tmp_path / "out.jsonl")
    assert [triples(record) for record in records] == gold_triples()


def test_other_predicates(trained_path, ner, tmp_path):
    predicates = tmp_path / "predicates.json"
    srsly.write_json(predicates, {"born_in": PREDICATES["born_in"]})
    source = tmp_path / "in.txt"
    source.write_text("\n".join(TEXTS), encoding="utf8")
    output = tmp_path / "out.jsonl"
    arguments = ["apply", trained_path, source, output, "--split", "line", "--ner", ner]
    arguments += ["--predicates", predicates]
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    labels = {r["label"] for record in read(output) for r in record["relations"]}
    assert labels == {"born_in"}
    assert read(output)[1]["id"] == "in.txt:2"


def test_stdin(trained_path, settings, tmp_path, monkeypatch):
    texts = make_texts(5)
    path = write_jsonl(tmp_path / "in.jsonl", texts)
    output = tmp_path / "out.jsonl"
    for _ in range(2):
        stdin = io.TextIOWrapper(io.BytesIO(path.read_bytes()))
        monkeypatch.setattr(sys, "stdin", stdin)
        outcome = apply(trained_path, "-", output, settings=settings)
    assert outcome.new == 0
    assert [record["text"] for record in read(output)] == texts


# Bad documents.


def test_a_bad_document_costs_no_other_one(trained_path, settings, tmp_path):
    texts = make_texts(12)
    good = write_jsonl(tmp_path / "in.jsonl", texts).read_bytes().splitlines()
    bad = [
        b'{"id": "p", "text": "poison"}',
        b'{"id": "q"}',
        b'{"id": "n", "text": 3}',
        b'{"text": "a"',
        b'{"id": "s", "text": "\\ud800"}',
        b'{"id": "u", "text": "\xff"}',
        b"[]",
    ]
    lines = [*good[:6], *bad[:4], *good[6:9], *bad[4:], *good[9:]]
    (tmp_path / "bad.jsonl").write_bytes(b"\n".join(lines))
    output = tmp_path / "out.jsonl"
    outcome = apply(trained_path, tmp_path / "bad.jsonl", output, settings=settings)
    assert outcome.errors == 7
    assert [record["text"] for record in read(output)] == texts
    errors = read(outcome.errors_path)
    places = ["bad.jsonl:10", "bad.jsonl:14", "bad.jsonl:15", "bad.jsonl:16"]
    assert [error["id"] for error in errors] == ["p", "q", "n", *places]
    assert "poisoned" in errors[0]["error"]
    assert "--text-field" in errors[1]["error"]


def test_the_first_bad_document_can_stop_all(trained_path, settings, tmp_path):
    texts = [*make_texts(8), "poison", *make_texts(3)]
    source = write_jsonl(tmp_path / "in.jsonl", texts)
    output = tmp_path / "out.jsonl"
    stop = settings._replace(stop_on_error=True)
    with pytest.raises(ValueError, match="Document d8: .*poisoned"):
        apply(trained_path, source, output, settings=stop, shard_size=3)
    assert not output.exists()
    # What is finished is kept, and the rest goes on without stopping.
    outcome = apply(trained_path, source, output, settings=settings, shard_size=3)
    assert outcome.new == 6 and outcome.errors == 1


@pytest.mark.skipif(sys.version_info >= (3, 11), reason="this Python's CSV holds NUL")
@pytest.mark.parametrize("name", ["out.csv", "out.neo4j"])
def test_a_text_that_csv_cannot_hold_is_said_and_nothing_is_lost(
    name, trained_path, settings, tmp_path
):
    texts = [*make_texts(2), f"\0 {make_texts(1)[0]}"]
    source = write_jsonl(tmp_path / "in.jsonl", texts)
    with pytest.raises(ValueError, match=f"{name} can't be written: .*NUL character"):
        apply(trained_path, source, tmp_path / name, settings=settings)
    assert not (tmp_path / name).exists()
    assert read(next((tmp_path / f"{name}.parts").glob("*.jsonl")))


def test_damaged_spacy_files_are_named(trained_path, tmp_path):
    (tmp_path / "a.spacy").write_bytes(b"no")
    with pytest.raises(ValueError, match="a.spacy is no .spacy file"):
        apply(trained_path, tmp_path / "a.spacy", tmp_path / "out.jsonl")


# Going on.


def test_a_finished_part_is_not_made_again(trained_path, settings, tmp_path):
    source = write_jsonl(tmp_path / "in.jsonl", make_texts(10))
    output = tmp_path / "out.jsonl"
    options = {"settings": settings, "shard_size": 4}
    apply(trained_path, source, output, **options)
    whole = output.read_bytes()
    parts = sorted((tmp_path / "out.jsonl.parts").glob("0*.jsonl"))
    assert len(parts) == 3
    times = [path.stat().st_mtime_ns for path in parts]
    parts[1].unlink()
    outcome = apply(trained_path, source, output, **options)
    assert outcome.new == 4 and output.read_bytes() == whole
    after = [path.stat().st_mtime_ns for path in parts]
    assert [a == b for a, b in zip(times, after)] == [True, False, True]


def test_parts_that_are_cut_short_are_refused(trained_path, settings, tmp_path):
    source = write_jsonl(tmp_path / "in.jsonl", make_texts(5))
    apply(trained_path, source, tmp_path / "out.jsonl", settings=settings)
    (part,) = (tmp_path / "out.jsonl.parts").glob("0*.jsonl")
    part.write_bytes(b"".join(part.read_bytes().splitlines(keepends=True)[:3]))
    with pytest.raises(ValueError, match="has 3 documents, expected 5"):
        apply(trained_path, source, tmp_path / "out.jsonl", settings=settings)


@pytest.mark.parametrize("what", ["input", "model", "settings", "ner"])
def test_work_on_something_else_is_refused(
    what, trained, trained_path, settings, tmp_path
):
    source = write_jsonl(tmp_path / "in.jsonl", make_texts(5))
    output = tmp_path / "out.jsonl"
    apply(trained_path, source, output, settings=settings)
    before = output.read_bytes()
    model = trained_path
    if what == "input":
        write_jsonl(source, make_texts(5, seed=1))
    elif what == "settings":
        settings = settings._replace(batch_size=5)
    elif what == "ner":
        settings = settings._replace(ner=None)
    else:
        model = tmp_path / "model"
        with trained.select_pipes(enable=trained.pipe_names):
            trained.to_disk(model)
        meta = srsly.read_json(model / "meta.json")
        srsly.write_json(model / "meta.json", {**meta, "version": "0.0.1"})
    with pytest.raises(ValueError, match=f"another run: other {what}.*--overwrite"):
        apply(model, source, output, settings=settings)
    assert output.read_bytes() == before
    apply(model, source, output, settings=settings, overwrite=True)
    assert output.read_bytes() != before or what == "settings"


def test_an_output_that_it_has_not_made_is_kept(trained_path, settings, tmp_path):
    source = write_jsonl(tmp_path / "in.jsonl", make_texts(2))
    output = tmp_path / "out.jsonl"
    output.write_text("mine", encoding="utf8")
    with pytest.raises(ValueError, match="this command has not made it"):
        apply(trained_path, source, output, settings=settings)
    assert output.read_text(encoding="utf8") == "mine"


def test_a_folder_of_something_else_is_kept(trained_path, settings, tmp_path):
    source = write_jsonl(tmp_path / "in.jsonl", make_texts(2))
    (tmp_path / "mine").mkdir()
    mine = tmp_path / "mine" / "000000.jsonl"
    mine.write_text("{}", encoding="utf8")
    for output, parts in (("out.csv", "mine"), ("mine", None)):
        with pytest.raises(ValueError, match="not of this command|has not made it"):
            apply(
                *(trained_path, source, tmp_path / output),
                settings=settings,
                format_="brat",
                parts=parts and tmp_path / parts,
                overwrite=True,
            )
    assert mine.exists()


def test_the_work_can_be_removed(trained_path, settings, tmp_path):
    source = write_jsonl(tmp_path / "in.jsonl", make_texts(2))
    output = tmp_path / "out.csv"
    apply(trained_path, source, output, settings=settings, clean=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.csv"]
    with pytest.raises(ValueError, match="has not made it"):
        apply(trained_path, source, output, settings=settings)
    apply(trained_path, source, output, settings=settings, overwrite=True)


@pytest.mark.parametrize("step", ["find_sources", "_read_labels", "_work"])
def test_a_run_that_starts_anew_can_be_interrupted_anywhere(
    trained_path, settings, tmp_path, monkeypatch, step
):
    source, output = write_jsonl(tmp_path / "in.jsonl", make_texts(8)), "out.jsonl"
    given = (trained_path, source, tmp_path / output)
    options = {"settings": settings, "shard_size": 4}
    apply(*given, **options)
    whole = (tmp_path / output).read_bytes()

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(run_module, step, interrupt)
        with pytest.raises(KeyboardInterrupt):
            apply(*given, overwrite=True, **options)
    assert apply(*given, **options).new == 8
    assert (tmp_path / output).read_bytes() == whole


def test_an_output_in_the_input_is_refused(trained_path, settings, tmp_path):
    write_jsonl(tmp_path / "in.jsonl", make_texts(2))
    with pytest.raises(ValueError, match="is in the input"):
        apply(trained_path, tmp_path, tmp_path / "out.jsonl", settings=settings)


def test_parts_do_not_depend_on_what_a_process_did_before(
    trained_path, settings, tmp_path
):
    source = write_jsonl(tmp_path / "in.jsonl", make_texts(12))
    sources = find_sources(source, None)
    manifest = make_manifest(str(trained_path), sources, settings, 4)
    for folder, order in (("a", [0, 1, 2]), ("b", [2, 0, 1])):
        (tmp_path / folder).mkdir()
        for i in order:
            shard = manifest.shards[i]
            apply_shard(str(trained_path), shard, tmp_path / folder, settings)
    for shard in manifest.shards:
        one, other = (part_of(shard, tmp_path / folder) for folder in "ab")
        assert one.read_bytes() == other.read_bytes()


@pytest.fixture
def start():
    """Starts a run in another process. What is left of it is killed after the test."""
    processes = []

    def start_one(*args, delay=0.03, **options):
        options["delay"] = delay
        process = CONTEXT.Process(target=run_apply, args=args, kwargs=options)
        process.start()
        processes.append(process)
        return process

    yield start_one
    for process in processes:
        process.kill()
        process.join()


def names_of_parts(folder):
    return {path.name for path in folder.glob("0*.jsonl")}


def test_a_run_that_is_killed_three_times_has_the_same_result(
    trained_path, settings, tmp_path, start
):
    source = write_jsonl(tmp_path / "in.jsonl", make_texts(200))
    options = {"settings": settings, "shard_size": 4}
    whole, output = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    apply(trained_path, source, whole, **options)
    folder = tmp_path / "out.jsonl.parts"
    moments = random.Random(0)
    finished = set()
    for _ in range(3):
        process = start(trained_path, source, output, **options)
        wait_until(lambda: not names_of_parts(folder) <= finished)  # noqa: B023
        process.join(moments.uniform(0, 0.5))
        assert process.is_alive()
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        now = names_of_parts(folder)
        assert finished < now
        finished = now
    assert not output.exists() and len(finished) < 50
    process = start(trained_path, source, output, delay=0, **options)
    process.join(120)
    assert process.exitcode == 0
    assert output.read_bytes() == whole.read_bytes()
    assert not list(folder.glob(".*"))
    assert len({record["id"] for record in read(output)}) == 200


def test_a_second_run_on_the_same_output_is_refused(
    trained_path, settings, tmp_path, start
):
    source = write_jsonl(tmp_path / "in.jsonl", make_texts(200))
    output = tmp_path / "out.jsonl"
    options = {"settings": settings, "shard_size": 4}
    process = start(trained_path, source, output, **options)
    parts = tmp_path / "out.jsonl.parts"
    wait_until(lambda: names_of_parts(parts))
    assert process.is_alive()
    with pytest.raises(ValueError, match=f"at work in .*process {process.pid} on"):
        apply(trained_path, source, output, **options)
    process.kill()
    process.join()
    # The lock of a dead process is no lock.
    assert (parts / run_module.LOCK).exists()
    assert apply(trained_path, source, output, **options).documents == 200


@pytest.mark.slow
def test_several_processes_have_the_same_result(trained_path, tmp_path):
    docs = [doc for _ in range(6) for doc in with_entities(spacy.blank("en"))]
    DocBin(docs=docs).to_disk(tmp_path / "in.spacy")
    options = {"settings": Settings(batch_size=3), "shard_size": 5}
    one, two = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    apply(trained_path, tmp_path / "in.spacy", one, **options)
    apply(trained_path, tmp_path / "in.spacy", two, n_process=2, **options)
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced(trained_path, tmp_path, start):
    psutil = pytest.importorskip("psutil")
    docs = with_entities(spacy.blank("en"))
    DocBin(docs=docs).to_disk(tmp_path / "in.spacy")
    options = {"settings": Settings(batch_size=3), "shard_size": 3}
    one, two = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    apply(trained_path, tmp_path / "in.spacy", one, **options)
    options["n_process"] = 2
    process = start(trained_path, tmp_path / "in.spacy", two, delay=0, **options)

    def workers():
        children = psutil.Process(process.pid).children()
        return [c for c in children if "spawn_main" in " ".join(c.cmdline())]

    wait_until(workers)
    workers()[0].kill()
    process.join(120)
    assert process.exitcode == 0
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.slow
def test_workers_that_die_again_and_again_are_told_of(trained_path, tmp_path):
    psutil = pytest.importorskip("psutil")
    docs = with_entities(spacy.blank("en"))
    DocBin(docs=docs).to_disk(tmp_path / "in.spacy")
    done = threading.Event()

    def kill_all():
        while not done.wait(0.01):
            for child in psutil.Process().children():
                with suppress(psutil.Error):
                    if "spawn_main" in " ".join(child.cmdline()):
                        child.kill()

    killer = threading.Thread(target=kill_all)
    killer.start()
    options = {"settings": Settings(), "shard_size": 3, "n_process": 2}
    with pytest.raises(ValueError, match=r"in\.spacy from . to in\.spacy, 3 times"):
        apply(trained_path, tmp_path / "in.spacy", tmp_path / "o.jsonl", **options)
    done.set()
    killer.join()


@pytest.mark.slow
def test_workers_end_with_the_run(trained_path, tmp_path, start):
    psutil = pytest.importorskip("psutil")
    docs = with_entities(spacy.blank("en")) * 50
    DocBin(docs=docs).to_disk(tmp_path / "in.spacy")
    output = tmp_path / "out.jsonl"
    options = {"settings": Settings(batch_size=1), "shard_size": 50, "n_process": 2}
    process = start(trained_path, tmp_path / "in.spacy", output, **options)
    wait_until(lambda: names_of_parts(tmp_path / "out.jsonl.parts"))
    workers = psutil.Process(process.pid).children()
    process.kill()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert len(workers) >= 2 and not alive


@pytest.mark.slow
def test_ray_has_the_same_result_though_a_worker_dies(trained_path, tmp_path):
    ray = pytest.importorskip("ray")
    psutil = pytest.importorskip("psutil")
    docs = with_entities(spacy.blank("en")) * 20
    DocBin(docs=docs).to_disk(tmp_path / "in.spacy")
    options = {"settings": Settings(batch_size=3), "shard_size": 6}
    one, two = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    apply(trained_path, tmp_path / "in.spacy", one, **options)
    killed = []

    def kill_a_worker():
        wait_until(lambda: names_of_parts(tmp_path / "2.jsonl.parts"))
        for child in psutil.Process().children(recursive=True):
            if "ray::Worker" in " ".join(child.cmdline()):
                child.kill()
                killed.append(child.pid)
                return

    ray.init(num_cpus=2, log_to_driver=False, include_dashboard=False)
    try:
        killer = threading.Thread(target=kill_a_worker, daemon=True)
        killer.start()
        options |= {"engine": "ray", "n_process": 2}
        apply(trained_path, tmp_path / "in.spacy", two, **options)
        killer.join(10)
        options["n_process"] = 3
        with pytest.raises(ValueError, match="too few for 3 workers"):
            apply(trained_path, tmp_path / "in.spacy", tmp_path / "3.csv", **options)
    finally:
        ray.shutdown()
    assert killed
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.slow
def test_the_command_reads_stdin_and_shows_no_bar_without_a_terminal(
    trained_path, tmp_path
):
    output = tmp_path / "out.csv"
    texts = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS)
    command = [sys.executable, "-m", "spacy", "dualre", "apply", trained_path, "-"]
    command += [output, "--shard-size", "2"]
    done = subprocess.run(
        [str(word) for word in command], input=texts, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "documents/s" not in done.stderr
    assert output.exists()


def test_a_bar_counts_documents(trained_path, settings, tmp_path, monkeypatch):
    bars = []

    class Bar(tqdm):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **{**kwargs, "disable": False}, file=io.StringIO())
            bars.append(self)

    monkeypatch.setattr(run_module, "tqdm", Bar)
    source = write_jsonl(tmp_path / "in.jsonl", make_texts(10))
    apply(trained_path, source, tmp_path / "out.jsonl", settings=settings)
    assert [(bar.n, bar.total) for bar in bars] == [(10, 10)]


@pytest.mark.parametrize(
    "arguments,message",
    [
        (["out.xyz"], "no format for a name like out.xyz"),
        (["out.csv", "--labels", "no_such"], "no predicate no_such"),
        (["out.spacy", "--merge"], "no place for merged facts"),
        (["out.csv", "--min-score", "2"], r"min_score must be in \[0, 1\]"),
        (["out.csv", "--split", "word"], "Unknown split 'word'"),
        (["out.csv", "--engine", "no"], "Unknown engine 'no'"),
        (["out.csv", "--on-error", "no"], "'record' or 'stop'"),
        (["out.csv", "--batch-size", "0"], "batch_size must be at least 1"),
        (["out.csv", "--ner", "none"], "Can't find the pipeline none"),
        (["out.csv", "--component", "none"], "has no component 'none'"),
    ],
)
def test_what_is_wrong_is_said(
    arguments, message, trained_path, ner, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "in.jsonl", make_texts(2))
    command = ["apply", str(trained_path), "in.jsonl", *arguments]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1
    assert re.search(message, " ".join(result.output.split()))
