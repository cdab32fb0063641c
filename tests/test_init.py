"""`spacy-dualre init`: what is seen in a corpus, and what config it gets."""

import json

import pytest
import spacy
import srsly
from processes import run_process
from spacy.tokens import Doc, DocBin, Span
from spacy.util import load_config
from tiny_corpus import make_docs, write_corpus
from typer.testing import CliRunner

from spacy_dualre.cli import app
from spacy_dualre.cli.init import estimate, init
from spacy_dualre.corpora.format import NO_SPLITS
from spacy_dualre.model.low_rank import read_arguments
from spacy_dualre.model.start import GENERAL
from spacy_dualre.predicates import parse_predicates, read_predicates
from spacy_dualre.training.facts import CorpusFacts
from spacy_dualre.training.recipe import make_recipe, plan_steps, write_predicates

NAME = "dual_relation_extractor"
ENCODER = f"components.{NAME}.model.encoder"
TEXT = "Ann Poe runs Baa Inc. She left Coo."


def make_doc(relations, sent_starts=(0,), kb_ids=None, key=None):
    """A Doc of ten words, each of them an entity "A" (or "B", if it is odd)."""
    doc = Doc(
        spacy.blank("en").vocab,
        words=[f"w{i}" for i in range(10)],
        sent_starts=[i in sent_starts for i in range(10)],
    )
    spans = [
        Span(doc, i, i + 1, "AB"[i % 2], kb_id=kb_ids[i] if kb_ids else "")
        for i in range(10)
    ]
    doc.ents = spans
    if key:
        doc.spans[key] = [*spans, Span(doc, 0, 3, "A")]
    doc._.relations = [(spans[s], spans[o], label) for s, label, o in relations]
    return doc


def recipe_of(*docs, n_train=100, **options):
    return make_recipe(CorpusFacts(docs), n_train, **options)


def settings_of(*docs, **options):
    """The settings of the component, by their names in it."""
    changes = recipe_of(*docs, **options).changes
    prefix = f"components.{NAME}."
    return {k.removeprefix(prefix): v for k, v in changes.items()}


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    for split in ("train", "dev"):
        write_corpus(folder / f"{split}.spacy", make_docs(spacy.blank("en").vocab))
    return folder


def test_config_trains_as_it_is(corpus, tmp_path, bert):
    made = init(corpus, tmp_path / "out", overrides={ENCODER: bert})
    config = load_config(made.config)
    assert config["paths"]["train"] == str(corpus / "train.spacy")
    assert config["paths"]["predicates"] == str(made.predicates)
    assert estimate(made.config) > 0


def dualre(*arguments):
    """Run a command. RETURNS (str): What it prints."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


@pytest.mark.slow
def test_four_commands_from_annotations_to_scores(tmp_path, bert):
    words = [doc.text for doc in make_docs(spacy.blank("en").vocab)[:2]]
    entities = [
        [
            {"start": 0, "end": 4, "label": "PER"},
            {"start": 17, "end": 21, "label": "LOC"},
        ],
        [
            {"start": 0, "end": 5, "label": "PER"},
            {"start": 15, "end": 19, "label": "LOC"},
        ],
    ]
    for split in ("train", "dev", "test"):
        lines = [
            {
                "text": text,
                "entities": own,
                "relations": [{"subject": 0, "object": 1, "label": label}],
            }
            for text, own, label in zip(words, entities, ("born_in", "works_in"))
        ]
        srsly.write_jsonl(tmp_path / f"{split}.jsonl", lines)
    run = tmp_path / "run"
    dualre("convert", "jsonl", tmp_path, run / "corpus")
    output = dualre("init", run / "corpus", "-o", run, f"--{ENCODER}", bert)
    assert "training takes about" in output
    steps = ("--training.max_steps", "2", "--training.eval_frequency", "1")
    run_process("-m", "spacy", "train", run / "config.cfg", "-o", run, *steps)
    output = dualre("evaluate", run / "model-best", run / "corpus" / "test.spacy")
    assert "born_in" in output


def test_schedule_follows_max_steps(corpus, tmp_path):
    made = init(corpus, tmp_path / "out")
    config = load_config(made.config, overrides={"training.max_steps": 5000})
    training = config.interpolate()["training"]
    assert training["optimizer"]["learn_rate"]["total_steps"] == 5000


@pytest.mark.parametrize("n_docs", [1, 20, 350, 7000, 100_000])
def test_steps_end_with_an_evaluation(n_docs):
    steps, frequency = plan_steps(n_docs, 4, passes=6)
    assert steps % frequency == 0
    assert 3 <= steps // frequency <= 8
    assert steps >= max(150, 6 * n_docs / 4)


def test_many_relations_are_seen_less_often():
    few, many = make_doc([(0, "r", 1)]), make_doc([(i, "r", 9) for i in range(9)])
    steps = [
        recipe_of(doc, n_train=5000).changes["training.max_steps"] * size
        for doc, size in ((few, 8), (many, 1))
    ]
    assert steps[1] < steps[0] == 20_000


def test_reasons_stand_in_the_config(corpus, tmp_path):
    made = init(corpus, tmp_path / "out")
    comments = made.config.read_text("utf8").partition("\n\n")[0]
    assert made.reasons
    for reason in made.reasons:
        assert reason in " ".join(comments.replace("\n#", "").split())


def test_predicates_have_descriptions_and_the_types_that_were_seen(corpus, tmp_path):
    made = init(corpus, tmp_path / "out")
    predicates = {
        p.label: p for p in parse_predicates(read_predicates(str(made.predicates)))
    }
    assert set(predicates) == {"no_relation", "born_in", "works_in", "knows"}
    assert predicates["born_in"].descriptions == ("{subject} born in {object}",)
    assert predicates["born_in"].subject_types == ("PER",)
    assert predicates["born_in"].object_types == ("LOC",)


@pytest.mark.parametrize(
    "label", ["USED-FOR", "a: b", "# no", "yes", 'say "so"', "ü{x}"]
)
def test_any_label_can_be_read_back(label, tmp_path):
    path = tmp_path / "predicates.yml"
    path.write_text(write_predicates(CorpusFacts([make_doc([(0, label, 1)])]), "mine"))
    assert [p["label"] for p in read_predicates(str(path))] == ["no_relation", label]


def test_symmetry_is_guessed_where_all_relations_are_there_both_ways():
    pairs = [(i, i + 1) for i in range(0, 6, 2)]
    both = [(s, "both", o) for a, b in pairs for s, o in ((a, b), (b, a))]
    one = [(s, "one", o) for s, o in [*pairs, *pairs]]
    facts = CorpusFacts([make_doc([*both, *one])])
    data = srsly.yaml_loads(write_predicates(facts, "mine"))
    assert data["both"]["symmetric"] is True
    assert "symmetric" not in data["one"]


def test_few_relations_show_no_symmetry():
    facts = CorpusFacts([make_doc([(0, "r", 1), (1, "r", 0)])])
    assert "symmetric" not in srsly.yaml_loads(write_predicates(facts, "mine"))["r"]


def test_entities_that_overlap_are_read_from_their_group():
    assert settings_of(make_doc([(0, "r", 1)], key="things"))["spans_key"] == "things"
    assert "spans_key" not in settings_of(make_doc([(0, "r", 1)]))


def test_relations_across_sentences_get_candidates():
    within, across = make_doc([(0, "r", 1)], (0, 5)), make_doc([(0, "r", 9)], (0, 5))
    assert "candidates.max_sentences" not in settings_of(within)
    assert settings_of(within, across)["candidates.max_sentences"] == 2
    far = make_doc([(0, "r", 9)], range(10))
    assert settings_of(within, far)["candidates.max_sentences"] is None


def test_relations_of_concepts_across_sentences_are_joined():
    doc = make_doc([(0, "r", 9)], (0, 5), kb_ids=list("abcdefghij"))
    settings = settings_of(doc)
    assert settings["decoder.concepts"] == "max"
    assert settings["scorer.concepts"] is True
    assert settings["training.score_weights.rel_concept_f"] == 1.0
    within = make_doc([(0, "r", 1)], (0, 5), kb_ids=list("abcdefghij"))
    assert "decoder.concepts" not in settings_of(within)


@pytest.mark.parametrize("optimize, markers", [("speed", "object"), ("accuracy", None)])
def test_speed_is_the_levitated_reading(corpus, tmp_path, optimize, markers):
    made = init(corpus, tmp_path / "out", optimize=optimize)
    model = load_config(made.config)["components"][NAME]["model"]
    assert model["reading"].get("markers") == markers
    assert model["fill_spans"] is (markers is None)


def test_training_can_be_for_a_gpu_and_start_from_the_general_model(corpus, tmp_path):
    config = load_config(init(corpus, tmp_path / "a", gpu=True, general=True).config)
    assert config["system"]["gpu_allocator"] == "pytorch"
    model = config["components"][NAME]["model"]
    assert model["start"] == "general"
    assert model["fill_spans"] is False
    assert model["fill_spans"] is read_arguments(GENERAL)["fill_spans"]
    assert config["components"][NAME]["sampler"]["descriptions"] == "all"
    config = load_config(init(corpus, tmp_path / "b").config)
    assert config["system"]["gpu_allocator"] is None
    assert config["components"][NAME]["model"]["start"] is None


def test_predicates_that_are_there_are_kept(corpus, tmp_path):
    made = init(corpus, tmp_path / "out")
    edited = made.predicates.read_text("utf8").replace("born in", "comes from")
    made.predicates.write_text(edited, encoding="utf8")
    with pytest.raises(ValueError, match="config.cfg is there. Use --overwrite"):
        init(corpus, tmp_path / "out")
    assert init(corpus, tmp_path / "out", overwrite=True).kept
    assert made.predicates.read_text("utf8") == edited
    made.predicates.write_text('born_in: "{subject} from {object}"', encoding="utf8")
    with pytest.raises(ValueError, match="have the predicates knows, works_in"):
        init(corpus, tmp_path / "out", overwrite=True)


def test_annotations_are_converted_and_divided(tmp_path):
    folder = tmp_path / "brat"
    folder.mkdir()
    for i in range(10):
        (folder / f"{i}.txt").write_text(f"{TEXT} {i}")
        (folder / f"{i}.ann").write_text(
            "T1\tPER 0 7\tAnn Poe\nT2\tORG 13 20\tBaa Inc\nR1\truns Arg1:T1 Arg2:T2\n"
        )
    made = init(folder, tmp_path / "out")
    assert made.report is not None
    assert NO_SPLITS not in made.report.warnings
    paths = load_config(made.config)["paths"]
    sizes = [len(DocBin().from_disk(paths[split])) for split in ("train", "dev")]
    assert sizes == [6, 2]
    assert made.reasons[0] == "format: by the look of the files it is brat."
    assert "10 documents without a dev split were divided" in made.reasons[1]


def test_format_can_be_named(tmp_path):
    entity = {"start_offset": 0, "end_offset": 3, "label": "PER"}
    other = {"start_offset": 13, "end_offset": 20, "label": "ORG"}
    line = {
        "text": TEXT,
        "entities": [{"id": 1, **entity}, {"id": 2, **other}],
        "relations": [{"from_id": 1, "to_id": 2, "type": "runs"}],
    }
    for split in ("train", "dev"):
        (tmp_path / f"{split}.jsonl").write_text(json.dumps(line))
    made = init(tmp_path, tmp_path / "out", format_="doccano")
    assert "runs" in made.predicates.read_text("utf8")


def test_error_in_files_says_what_format_they_were_taken_for(tmp_path):
    (tmp_path / "train.jsonl").write_text('{"text": "a"}')
    with pytest.raises(ValueError, match=r"'entities'(.|\n)*taken for jsonl.*--format"):
        init(tmp_path, tmp_path / "out")
    with pytest.raises(ValueError, match="is none.$"):
        init(tmp_path, tmp_path / "out", format_="jsonl")


def test_other_language_needs_another_encoder(corpus, tmp_path, bert):
    german = init(corpus, tmp_path / "a", lang="de")
    assert load_config(german.config)["nlp"]["lang"] == "de"
    assert "the default one reads English" in german.reasons[-1]
    given = init(corpus, tmp_path / "b", lang="de", overrides={ENCODER: bert})
    assert not any("reads English" in reason for reason in given.reasons)


@pytest.mark.parametrize(
    "files, message",
    [
        ({"a.csv": ""}, "Can't tell the format"),
        ({"train.jsonl": '{"text": "a b", "entities": []}'}, "1 documents, too few"),
        (
            {f"{s}.jsonl": '{"text": "a", "entities": []}' for s in ("train", "dev")},
            "There are no relations",
        ),
    ],
)
def test_what_can_not_be_trained_on_is_refused(files, message, tmp_path):
    folder = tmp_path / "input"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    result = CliRunner().invoke(app, ["init", str(folder), "-o", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())
    assert not (tmp_path / "out" / "config.cfg").exists()
