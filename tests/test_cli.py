"""The package's own commands."""

import re
import subprocess
import sys

import fsspec
import pytest
import spacy
import srsly
from spacy.tokens import DocBin, Span
from spacy.util import load_config
from test_render import read_data
from tiny_corpus import TEXTS, make_docs, write_corpus
from typer.testing import CliRunner

from spacy_dualre.cli import app


@pytest.fixture
def run():
    def run(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run


CORPORA = ["sample", "scierc", "chemprot", "biored", "semeval2010"]


@pytest.mark.parametrize("name", CORPORA)
def test_config_makes_a_complete_config(run, request, tmp_path, name):
    root = request.config.rootpath
    changes, output = root / "configs" / f"{name}.cfg", tmp_path / "deep" / "a.cfg"
    result = run("config", changes, output, "--system.seed", "7")
    assert result.exit_code == 0, result.output
    config = load_config(output)
    own = load_config(changes)
    assert config["system"]["seed"] == 7
    assert config["training"]["max_steps"] == own["training"]["max_steps"]
    assert config["training"]["max_steps"] % config["training"]["eval_frequency"] == 0
    assert config["training"]["optimizer"]["use_averages"] is False


def test_config_says_what_is_wrong_with_a_config(run, request, tmp_path):
    changes = tmp_path / "wrong.cfg"
    changes.write_text("[components]\n[components.dual_relation_extractor]\nnone = 1\n")
    output = tmp_path / "out.cfg"
    result = run("config", changes, output)
    assert result.exit_code == 1
    assert "none" in result.output
    assert not output.exists()


def test_evaluate_prints_and_saves_the_scores_of_every_predicate(
    run, trained_path, tmp_path
):
    gold = write_corpus(tmp_path / "gold.spacy", make_docs(spacy.blank("en").vocab))
    output = tmp_path / "deep" / "scores.json"
    result = run("evaluate", trained_path, gold, "--output", output)
    assert result.exit_code == 0, result.output
    scores = srsly.read_json(output)
    assert scores["rel_micro_f"] == 1.0
    assert scores["rel_candidate_f"] == 1.0
    for label in scores["rel_per_type"]:
        assert label in result.output
    assert re.search(r"^micro +100.00 +100.00 +100.00$", result.output, re.MULTILINE)
    # Without `concepts` there are no scores of concepts.
    assert not re.search(r"^concept ", result.output, re.MULTILINE)


def test_evaluate_prints_no_warning_and_no_progress_into_a_log(
    run, trained_path, tmp_path, recwarn
):
    gold = write_corpus(tmp_path / "gold.spacy", make_docs(spacy.blank("en").vocab))
    result = run("evaluate", trained_path, gold)
    assert result.exit_code == 0, result.output
    assert not recwarn.list
    assert "Reading" not in result.output


def test_evaluate_prints_the_scores_of_concepts(run, trained_path, tmp_path):
    docs = make_docs(spacy.blank("en").vocab)
    for doc in docs:
        spans = {
            (e.start, e.end): Span(doc, e.start, e.end, e.label, kb_id=e.text)
            for e in doc.ents
        }
        doc._.relations = [
            (spans[s.start, s.end], spans[o.start, o.end], label)
            for s, o, label, _ in doc._.relations
        ]
        doc.ents = list(spans.values())
    gold = write_corpus(tmp_path / "gold.spacy", docs)
    component = "--components.dual_relation_extractor"
    settings = [f"{component}.decoder.concepts", "max"]
    settings += [f"{component}.scorer.concepts", "true"]
    result = run("evaluate", trained_path, gold, *settings)
    assert result.exit_code == 0, result.output
    assert re.search(r"^concept +100.00 +100.00 +100.00$", result.output, re.MULTILINE)


def test_evaluate_prints_the_score_of_the_candidates_only(run, trained_path, tmp_path):
    gold = write_corpus(tmp_path / "gold.spacy", make_docs(spacy.blank("en").vocab))
    # "Anna was born in Rome" has three tokens in between.
    setting = ["--components.dual_relation_extractor.candidates.max_tokens", "2"]
    result = run("evaluate", trained_path, gold, *setting)
    assert re.search(r"^micro +100.00 +80.00 +88.89$", result.output, re.MULTILINE)
    row = r"^micro, candidates only +100.00$"
    assert re.search(row, result.output, re.MULTILINE)


def test_evaluate_can_change_settings_for_the_run(run, trained_path, tmp_path):
    gold = write_corpus(tmp_path / "gold.spacy", make_docs(spacy.blank("en").vocab))
    output = tmp_path / "scores.json"
    setting = "--components.dual_relation_extractor.candidates.max_tokens"
    run("evaluate", trained_path, gold, "--output", output, setting, "0")
    assert srsly.read_json(output)["rel_candidate_recall"] < 1.0


def test_evaluate_can_change_what_is_stored_with_the_weights(
    run, trained_path, tmp_path
):
    gold = write_corpus(tmp_path / "gold.spacy", make_docs(spacy.blank("en").vocab))
    output = tmp_path / "scores.json"
    setting = "--components.dual_relation_extractor.threshold"
    for value, recall in (("0.0", 1.0), ("1.0", 0.0)):
        run("evaluate", trained_path, gold, "--output", output, setting, value)
        assert srsly.read_json(output)["rel_micro_r"] == recall


@pytest.fixture
def ner(tmp_path):
    """A pipeline that finds entities."""
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    ruler = nlp.add_pipe("entity_ruler")
    names = {"Anna": "PER", "Berta": "PER", "Rome": "LOC", "Oslo": "LOC"}
    ruler.add_patterns([{"label": v, "pattern": k} for k, v in names.items()])
    nlp.to_disk(tmp_path / "ner")
    return tmp_path / "ner"


def test_render_adds_the_component_to_a_pipeline_that_finds_entities(
    run, trained_path, ner, tmp_path
):
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(TEXTS[:2]), encoding="utf8")
    page = tmp_path / "deep" / "page.html"
    result = run("render", trained_path, texts, page, "--ner", ner, "--title", "Two")
    assert result.exit_code == 0, result.output
    assert "2 relations in 2 documents" in result.output
    data = read_data(page.read_text("ascii"))
    assert data["title"] == "Two"
    first, second = data["documents"]
    assert first["relations"][0]["predicate"] == "born_in"
    assert second["id"] == "texts.txt:2"
    assert "explanation" not in first["relations"][0]


def test_render_explains_and_takes_other_predicates(run, trained_path, ner, tmp_path):
    texts, page = tmp_path / "texts.jsonl", tmp_path / "page.html"
    srsly.write_jsonl(texts, [{"name": "x", "body": TEXTS[0]}])
    predicates = tmp_path / "predicates.json"
    srsly.write_json(predicates, {"native_of": "{subject} was born in {object}"})
    options = ["--ner", ner, "--text-field", "body", "--id-field", "name"]
    options += ["--predicates", predicates, "--explain"]
    result = run("render", trained_path, texts, page, *options)
    assert result.exit_code == 0, result.output
    (document,) = read_data(page.read_text("ascii"))["documents"]
    assert document["id"] == "x"
    (relation,) = document["relations"]
    opinions = relation["explanation"]["opinions"]
    assert {x["predicate"] for x in opinions} == {"native_of", "no_relation"}


def test_render_shows_relations_that_are_there(run, tmp_path):
    docs = make_docs(spacy.blank("en").vocab)
    data, page = tmp_path / "found.spacy", tmp_path / "page.html"
    write_corpus(data, docs)
    result = run("render", data, page)
    assert result.exit_code == 0, result.output
    assert f"5 relations in {len(docs)} documents" in result.output
    texts = [d["text"] for d in read_data(page.read_text("ascii"))["documents"]]
    assert texts == [doc.text for doc in docs]


def test_render_reads_a_url(run, tmp_path):
    docs = make_docs(spacy.blank("en").vocab)
    files = fsspec.filesystem("memory")
    files.pipe("/render/found.spacy", DocBin(docs=docs).to_bytes())
    result = run("render", "memory://render/found.spacy", tmp_path / "page.html")
    files.rm("/render", recursive=True)
    assert result.exit_code == 0, result.output
    assert f"5 relations in {len(docs)} documents" in result.output


def test_render_reads_lines_as_the_converters_do(run, trained_path, tmp_path):
    texts, page = tmp_path / "texts.txt", tmp_path / "page.html"
    text = "One text\u2028with\x0c separators\x85 in it"
    texts.write_bytes(f"\ufeff{text}\n".encode())
    result = run("render", trained_path, texts, page)
    assert result.exit_code == 0, result.output
    (document,) = read_data(page.read_text("ascii"))["documents"]
    assert document["text"] == text
    texts.write_bytes("One\nZoë\n".encode("latin1"))
    result = run("render", trained_path, texts, page)
    assert result.exit_code == 1
    assert "texts.txt:2" in result.output


def test_render_names_what_is_missing(run, tmp_path):
    spacy.blank("en").to_disk(tmp_path / "blank")
    texts, page = tmp_path / "texts.txt", tmp_path / "page.html"
    texts.write_text("Anna sleeps.", encoding="utf8")
    result = run("render", tmp_path / "blank", texts, page)
    assert result.exit_code == 1
    assert "dual_relation_extractor" in result.output
    result = run("render", texts, page)
    assert result.exit_code == 1
    assert "MODEL" in result.output
    assert run("render", texts).exit_code == 2
    assert not page.exists()


@pytest.mark.slow
def test_commands_are_part_of_spacys_command_line():
    command = [sys.executable, "-m", "spacy", "dualre", "--help"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    for name in ("convert", "config", "evaluate", "render", "explain", "tune"):
        assert name in result.stdout
