"""spaCy's own commands on a pipeline with the component, as a user runs them."""

import json
import subprocess
import sys

import pytest
import spacy
from processes import NO_NETWORK, run_process, run_python
from spacy.cli import setup_cli  # noqa: F401 (registers the commands)
from spacy.cli._util import app
from spacy.cli.find_threshold import find_threshold
from spacy.tokens import DocBin
from tiny_corpus import (
    PREDICATES,
    gold_triples,
    make_docs,
    relations_of,
    triples_of,
    with_entities,
    write_corpus,
)
from typer.testing import CliRunner

NAME = "dual_relation_extractor"

CONFIG = """
[paths]
train = null
dev = null

[nlp]
lang = "en"
pipeline = ["dual_relation_extractor"]

[components]

[components.dual_relation_extractor]
factory = "dual_relation_extractor"
predicates = {predicates}

[components.dual_relation_extractor.model]
@architectures = "spacy-dualre.DualEncoder.v1"
encoder = {encoder}

[training]
max_steps = 80
eval_frequency = 40

[training.optimizer]
@optimizers = "Adam.v1"
learn_rate = 0.003
use_averages = true
"""

LABELS = """
[initialize]

[initialize.components]

[initialize.components.dual_relation_extractor]

[initialize.components.dual_relation_extractor.labels]
@readers = "spacy.read_labels.v1"
path = {labels}
"""

WITH_RULER = """
[paths]
train = null
dev = null

[nlp]
lang = "en"
pipeline = ["sentencizer", "entity_ruler", "dual_relation_extractor"]

[components]

[components.sentencizer]
factory = "sentencizer"

[components.entity_ruler]
factory = "entity_ruler"

[components.dual_relation_extractor]
factory = "dual_relation_extractor"
predicates = {predicates}
use_gold_ents = false

[components.dual_relation_extractor.model]
@architectures = "spacy-dualre.DualEncoder.v1"
encoder = {encoder}

[training]
max_steps = 80
eval_frequency = 80
annotating_components = ["sentencizer", "entity_ruler"]

[training.optimizer]
@optimizers = "Adam.v1"
learn_rate = 0.003

[initialize]

[initialize.components]

[initialize.components.entity_ruler]

[initialize.components.entity_ruler.patterns]
@readers = "srsly.read_json.v1"
path = {patterns}
"""

SOURCED = """
[paths]
train = null
dev = null

[nlp]
lang = "en"
pipeline = ["dual_relation_extractor"]

[components]

[components.dual_relation_extractor]
source = {source}

[training]
max_steps = 2
eval_frequency = 1
"""

PATTERNS = [
    *({"label": "PER", "pattern": name} for name in ("Anna", "Berta Blum", "Dora")),
    *({"label": "PER", "pattern": name} for name in ("Berta", "Carl Berg", "Carl")),
    *({"label": "LOC", "pattern": name} for name in ("Rome", "Oslo")),
]


def spacy_command(*arguments):
    """Run `spacy ...` in this process. RETURNS (str): What it prints."""
    result = CliRunner().invoke(app, list(map(str, arguments)))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def spacy_process(*arguments):
    """Run `python -m spacy ...`. RETURNS (str): What it prints."""
    return "".join(run_process("-m", "spacy", *arguments, HF_HUB_OFFLINE="1"))


def fill(template, path, **values):
    """Write a partial config and complete it with `spacy init fill-config`."""
    partial = path.with_suffix(".partial.cfg")
    text = template.strip()
    for key, value in values.items():
        text = text.replace(f"{{{key}}}", json.dumps(value))
    partial.write_text(text)
    spacy_command("init", "fill-config", partial, path)
    return path


def found_by(nlp):
    return [relations_of(doc) for doc in nlp.pipe(with_entities(nlp))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the corpus."""
    folder = tmp_path_factory.mktemp("project")
    vocab = spacy.blank("en").vocab
    write_corpus(folder / "gold.spacy", make_docs(vocab))
    write_corpus(folder / "entities.spacy", with_entities(spacy.blank("en")))
    return folder


@pytest.fixture(scope="module")
def paths(folder):
    """The options that name the corpus."""
    gold = folder / "gold.spacy"
    return ["--paths.train", gold, "--paths.dev", gold]


@pytest.fixture(scope="module")
def config(folder, bert):
    predicates = [{"label": k, **_entry(v)} for k, v in PREDICATES.items()]
    return fill(CONFIG, folder / "config.cfg", predicates=predicates, encoder=bert)


def _entry(value):
    return {"description": value} if isinstance(value, str) else value


@pytest.fixture(scope="module")
def labels(config, paths, folder):
    """The file that `spacy init labels` writes for the component."""
    spacy_command("init", "labels", config, folder / "labels", *paths)
    return folder / "labels" / f"{NAME}.json"


@pytest.fixture(scope="module")
def training(folder, bert, labels, paths):
    """What `spacy train` prints; its pipeline is in the folder "trained"."""
    # Without predicates in the component's own section: they come from the file.
    template = CONFIG.replace("predicates = {predicates}\n", "") + LABELS
    config = fill(
        template, folder / "train.cfg", encoder=bert, labels=str(labels.absolute())
    )
    output = ["--output", folder / "trained", "--verbose"]
    return spacy_process("train", config, *output, *paths)


@pytest.fixture(scope="module")
def model(training, folder):
    """The folder of the pipeline that `spacy train` made."""
    return folder / "trained" / "model-best"


def test_fill_config_completes_the_component(config):
    filled = spacy.util.load_config(config)["components"][NAME]
    assert filled["candidates"]["@misc"] == "spacy-dualre.candidate_pairs.v1"
    assert filled["scorer"]["@scorers"] == "spacy-dualre.relation_scorer.v1"
    assert filled["model"]["alpha"] == 0.5
    assert filled["threshold"] is None


def test_debug_config_finds_nothing_to_complain_of(config, paths):
    spacy_command("debug", "config", config, *paths)


def test_debug_config_names_a_wrong_setting(config, paths):
    setting = [f"--components.{NAME}.threshold", "high"]
    result = CliRunner().invoke(
        app, list(map(str, ["debug", "config", config, *paths, *setting]))
    )
    assert result.exit_code == 1
    assert "threshold" in result.output


def test_init_labels_writes_the_predicates(labels):
    data = json.loads(labels.read_text())
    assert [entry["label"] for entry in data] == ["no_relation", *PREDICATES]
    assert data[1]["description"] == PREDICATES["born_in"]["description"]


def test_debug_model_goes_through_all_steps(config, paths):
    steps = ["-P0", "-P1", "-P2", "-P3", "-ATTR", "-PAR", "-GRAD", "-DIM"]
    output = spacy_command("debug", "model", config, NAME, *steps, *paths)
    assert "STEP 3" in output


@pytest.mark.slow
def test_train_learns_with_gold_entities(training, model):
    assert "REL_MICRO_F" in training
    nlp = spacy.load(model)
    assert [[r[:3] for r in doc] for doc in found_by(nlp)] == gold_triples()
    assert nlp.meta["performance"]["rel_micro_f"] == 1.0


@pytest.mark.slow
def test_train_logs_the_data(training):
    assert "6 docs, 22 candidate pairs, 5 positive" in training


@pytest.mark.slow
def test_evaluate_writes_the_scores(model, folder):
    output = folder / "scores.json"
    spacy_command("evaluate", model, folder / "gold.spacy", "--output", output)
    scores = json.loads(output.read_text())
    assert scores["rel_micro_f"] == 1.0
    assert scores["rel_candidate_recall"] == 1.0
    assert set(scores["rel_per_type"]) == set(PREDICATES)


@pytest.mark.slow
def test_find_threshold_tries_thresholds_and_they_matter(model, folder):
    _, best, scores = find_threshold(
        str(model), folder / "gold.spacy", NAME, "threshold", "rel_micro_f", n_trials=3
    )
    assert best == 1.0
    # At 0 every pair has a relation, at 1 hardly any.
    assert scores[0.0] < best


@pytest.mark.slow
def test_find_threshold_runs_as_a_command(model, folder):
    data = folder / "gold.spacy"
    setting = [NAME, "threshold", "rel_micro_f", "--n_trials", 2]
    spacy_command("find-threshold", model, data, *setting)


@pytest.mark.slow
def test_apply_writes_docs_with_relations(model, folder):
    output = folder / "applied.spacy"
    spacy_command("apply", model, folder / "entities.spacy", output)
    docs = DocBin().from_disk(output).get_docs(spacy.blank("en").vocab)
    assert [relations_of(doc) for doc in docs] == found_by(spacy.load(model))


@pytest.mark.slow
def test_benchmark_speed_runs(model, folder):
    batches = ["--batches", 30, "--warmup", 1, "--batch-size", 4]
    spacy_command("benchmark", "speed", model, folder / "entities.spacy", *batches)


@pytest.mark.slow
def test_assemble_keeps_the_relations(model, folder):
    config = fill(SOURCED, folder / "assemble.cfg", source=str(model))
    spacy_command("assemble", config, folder / "assembled")
    assembled = spacy.load(folder / "assembled")
    assert found_by(assembled) == found_by(spacy.load(model))


@pytest.mark.slow
def test_training_resumes_from_a_trained_model(model, folder, paths):
    config = fill(SOURCED, folder / "resume.cfg", source=str(model))
    output = folder / "resumed"
    spacy_command("train", config, "--output", output, *paths)
    resumed = spacy.load(output / "model-last")
    assert resumed.meta["performance"]["rel_micro_f"] == 1.0
    before = spacy.load(model).get_pipe(NAME).model.to_bytes()
    assert resumed.get_pipe(NAME).model.to_bytes() != before


@pytest.mark.slow
def test_train_with_predicted_entities(folder, bert, paths):
    patterns = folder / "patterns.json"
    patterns.write_text(json.dumps(PATTERNS))
    predicates = [{"label": k, **_entry(v)} for k, v in PREDICATES.items()]
    config = fill(
        WITH_RULER,
        folder / "ruler.cfg",
        predicates=predicates,
        encoder=bert,
        patterns=str(patterns),
    )
    spacy_command("train", config, "--output", folder / "ruled", *paths)
    nlp = spacy.load(folder / "ruled" / "model-best")
    texts = [doc.text for doc in make_docs(nlp.vocab)]
    assert [triples_of(doc) for doc in nlp.pipe(texts)] == gold_triples()


@pytest.mark.slow
def test_packaged_wheel_installs_and_loads(model, folder):
    command = ["package", model, folder, "--name", "tiny_relations", "--force"]
    spacy_command(*command, "--version", "1.2.3", "--build", "wheel")
    (wheel,) = folder.glob("en_tiny_relations-1.2.3/dist/*.whl")
    target = folder / "site"
    offline = ["--no-deps", "--no-index", "--target", target, wheel]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", *map(str, offline)],
        check=True,
    )
    (metadata,) = target.glob("*.dist-info/METADATA")
    assert "spacy-dualre" in metadata.read_text().replace("_", "-")
    code = NO_NETWORK + (
        "import sys, json, spacy\n"
        "from spacy.tokens import DocBin\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "nlp = spacy.load('en_tiny_relations')\n"
        "docs = DocBin().from_disk(sys.argv[2]).get_docs(nlp.vocab)\n"
        "found = [[(str(r), r.score) for r in d._.relations] for d in nlp.pipe(docs)]\n"
        "json.dump(found, sys.stdout)\n"
    )
    found = json.loads(
        run_python(code, target, folder / "entities.spacy", HF_HUB_OFFLINE="1")
    )
    nlp = spacy.load(model)
    docs = nlp.pipe(with_entities(nlp))
    assert found == [[[str(r), r.score] for r in doc._.relations] for doc in docs]


@pytest.mark.slow
def test_train_refuses_a_corpus_that_drops_relations(config, paths, folder):
    setting = ["--corpora.train.max_length", 20]
    with pytest.raises(ValueError, match=r"corpora\.train\.max_length"):
        spacy_command("train", config, *paths, *setting)


@pytest.mark.slow
def test_train_without_the_encoder_says_what_to_do(config, paths):
    setting = [f"--components.{NAME}.model.encoder", "no/such/encoder"]
    with pytest.raises(ValueError, match="Can't load the encoder 'no/such/encoder'"):
        spacy_command("train", config, *paths, *setting)
