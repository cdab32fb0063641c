"""The runs of the benchmarks in `benchmarks/`, without a real dataset."""

import json

import numpy
import pytest
import spacy
from spacy.tokens import Span
from spacy.training import Example
from tiny_corpus import make_docs, make_pipeline, train, write_corpus

from spacy_dualre import set_relations
from spacy_dualre.model.architectures import with_settings
from spacy_dualre.output.scorer import score_relations
from spacy_dualre.training.corpus import build_corpus

NAME = "dual_relation_extractor"


@pytest.fixture(scope="module")
def runs(import_benchmark):
    """The script as a module."""
    return import_benchmark("scores.runs")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A `.spacy` file of the tiny corpus."""
    path = tmp_path_factory.mktemp("corpus") / "test.spacy"
    return write_corpus(path, make_docs(spacy.blank("en").vocab))


@pytest.fixture(scope="module")
def half_trained(bert, tmp_path_factory):
    """The folder of a pipeline whose ways to predict still differ."""
    nlp = make_pipeline(bert)
    train(nlp, steps=15)
    path = tmp_path_factory.mktemp("half_trained") / "model"
    nlp.to_disk(path)
    return path


@pytest.fixture(scope="module")
def evaluated(runs, half_trained, corpus):
    return runs.evaluate(half_trained, corpus)


def f1(rows):
    """The micro F1 of rows of counts."""
    tp, fp, fn = numpy.sum(rows, axis=0)[2:]
    return 2 * tp / (2 * tp + fp + fn)


def test_a_run_matches_its_own_row_only(runs):
    row = {
        **{"dataset": "scierc", "encoder": "e", "variant": "dual", "seed": 0},
        **{"steps": None, "train_docs": None, "passes": None, "eval_every": None},
        **{"learn_rate": None, "overrides": "", "scored": "best", "scores": {}},
    }
    assert runs.Run("scierc", "e", "dual", 0).matches(row)
    others = [
        runs.Run("biored", "e", "dual", 0),
        runs.Run("scierc", "f", "dual", 0),
        runs.Run("scierc", "e", "tied", 0),
        runs.Run("scierc", "e", "dual", 1),
        runs.Run("scierc", "e", "dual", 0, steps=5),
        runs.Run("scierc", "e", "dual", 0, train_docs=5),
        runs.Run("scierc", "e", "dual", 0, passes=5),
        runs.Run("scierc", "e", "dual", 0, eval_every=5),
        runs.Run("scierc", "e", "dual", 0, learn_rate=5e-5),
        runs.Run("scierc", "e", "dual", 0, overrides="training.dropout=0"),
        runs.Run("scierc", "e", "dual", 0, scored="last"),
    ]
    assert not any(run.matches(row) for run in others)
    assert len({run.name for run in others}) == len(others)


def test_first_rows_are_of_the_last_step(runs, tmp_path):
    row = {"dataset": "scierc", "encoder": "e", "variant": "dual", "seed": 0}
    row |= {"steps": None, "train_docs": None}
    (tmp_path / "scierc.jsonl").write_text(json.dumps(row), encoding="utf8")
    (read,) = runs.read_results("scierc", tmp_path)
    assert runs.Run("scierc", "e", "dual", 0, scored="last").matches(read)
    assert not runs.Run("scierc", "e", "dual", 0).matches(read)


@pytest.fixture
def split(tmp_path):
    """The folder of a converted corpus, whose training split has six documents."""
    folder = tmp_path / "work" / "corpus"
    folder.mkdir(parents=True)
    write_corpus(folder / "train.spacy", make_docs(spacy.blank("en").vocab))
    return folder


def test_recorded_commands_name_no_path_of_the_machine(
    runs, split, tmp_path, monkeypatch
):
    monkeypatch.setattr(runs.subprocess, "run", lambda *args, **kwargs: None)
    run = runs.Run("scierc", str(tmp_path / "encoder"), "linear", 0)
    folder = tmp_path / "work" / run.name
    commands = runs.train(run, split, folder, -1)
    assert run.name == "scierc-encoder-linear-0"
    assert [command.split()[0] for command in commands] == ["python", "python"]
    assert "--paths.train WORK/corpus/train.spacy" in commands[0]
    assert "model.encoder encoder" in commands[0]
    assert str(tmp_path) not in " ".join(commands)


@pytest.mark.parametrize(
    "settings, steps, warmup, eval_every",
    [
        # Six documents, a step each.
        ({"passes": 3}, 18, 1, 6),
        ({"passes": 5, "train_docs": 4}, 20, 2, 4),
        ({"passes": 3, "eval_every": 2}, 18, 1, 2),
        ({"passes": 3, "overrides": "training.batcher.size=4"}, 6, 0, 2),
        # The last evaluation is near the end.
        ({"steps": 20}, 20, 2, 6),
        ({"steps": 4}, 4, 0, 4),
    ],
)
def test_length_of_a_training(runs, split, settings, steps, warmup, eval_every):
    arguments = runs.make_overrides(
        runs.Run("scierc", "e", "dual", 0, **settings), split
    )
    given = dict(zip(arguments[::2], arguments[1::2]))
    assert given["--training.max_steps"] == str(steps)
    assert given["--training.optimizer.learn_rate.warmup_steps"] == str(warmup)
    assert given["--training.eval_frequency"] == str(eval_every)


def test_fewer_documents_are_drawn_with_the_seed(runs, split, tmp_path, monkeypatch):
    monkeypatch.setattr(runs.subprocess, "run", lambda *args, **kwargs: None)

    def drawn(variant, seed, n):
        run = runs.Run("scierc", "e", variant, seed, train_docs=n)
        commands = runs.train(run, split, tmp_path / "work" / run.name, -1)
        path = runs.find_train(run, split)
        assert f"--paths.train WORK/corpus/{path.name}" in commands[0]
        docs = runs.read_docs(path, spacy.blank("en").vocab)
        return [doc.text for doc in docs]

    texts = [drawn("dual", seed, 4) for seed in range(6)]
    assert [len(set(four)) for four in texts] == [4] * 6
    assert len({tuple(sorted(four)) for four in texts}) > 1
    assert drawn("linear", 5, 4) == texts[5]
    assert drawn("linear", 5, 2) == texts[5][:2]


def test_without_a_length_the_config_has_it(runs, split):
    arguments = runs.make_overrides(runs.Run("scierc", "e", "dual", 0), split)
    assert "--training.max_steps" not in arguments


def test_every_variant_makes_a_config(runs, import_benchmark):
    datasets = import_benchmark("datasets")
    for variant in runs.VARIANTS:
        config = datasets.DATASETS["scierc"].make_config(runs.overrides_of(variant))
        component = config["components"][NAME]
        markers = component["model"]["reading"].get("markers")
        assert (markers == "both") == ("both" in variant)
        assert (markers is None) == ("levitated" not in variant)


def test_curve_of_a_training(runs, tmp_path):
    points = [{"epoch": 0, "step": i, "score": i / 8, "scores": {}} for i in (0, 4, 8)]
    text = "".join(json.dumps(point) + "\n" for point in points)
    (tmp_path / runs.CURVE_FILE).write_text(text, encoding="utf8")
    assert runs.read_curve(tmp_path) == [[0, 0], [4, 0.5], [8, 1]]


def test_without_git_there_is_no_commit(runs, monkeypatch):
    def run(*args, **kwargs):
        raise FileNotFoundError("git")

    monkeypatch.setattr(runs.subprocess, "run", run)
    assert runs._commit() == ""


def test_recorded_runs_are_not_run_again(runs, tmp_path, monkeypatch):
    done = []

    def do_run(run, data, work, gpu, splits):
        done.append((run.variant, run.seed))
        return vars(run)

    monkeypatch.setattr(runs, "do_run", do_run)
    variants, dataset = ["linear", "dual"], ["scierc"]
    results = tmp_path / "results"
    assert runs.read_results("scierc", results) == []
    runs.main(tmp_path, dataset, variants[:1], [0], results=results)
    runs.main(tmp_path, dataset, variants, [0, 1], results=results)
    assert done == [("linear", 0), ("linear", 1), ("dual", 0), ("dual", 1)]
    rows = runs.read_results("scierc", results)
    assert [(row["variant"], row["seed"]) for row in rows] == done
    runs.main(tmp_path, dataset, variants[:1], [0], steps=5, results=results)
    assert len(done) == 5


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"dataset": ["sciercs"]}, "sciercs"),
        ({"variant": ["scierc"]}, "scierc"),
        ({"override": ["training.dropout"]}, "SECTION.KEY=VALUE"),
        ({"steps": 3, "passes": 3}, "either --passes or --steps"),
    ],
)
def test_wrong_arguments(runs, tmp_path, capsys, settings, message):
    arguments = {"dataset": ["scierc"], "variant": ["dual"], "seed": [0], **settings}
    with pytest.raises(SystemExit):
        runs.main(tmp_path, results=tmp_path, **arguments)
    assert message in capsys.readouterr().out


def test_a_run_that_fails_is_not_recorded(runs, tmp_path, monkeypatch):
    def fail(*args):
        raise RuntimeError("interrupted")

    monkeypatch.setattr(runs, "do_run", fail)
    with pytest.raises(RuntimeError, match="interrupted"):
        runs.main(tmp_path, ["scierc"], ["dual"], [0], results=tmp_path)
    assert runs.read_results("scierc", tmp_path) == []


@pytest.mark.filterwarnings("ignore:.*has no entities to relate")
@pytest.mark.parametrize("way", ["dual", "head", "mean"])
def test_scores_are_those_of_the_pipeline(evaluated, half_trained, corpus, way):
    scores, _, pairs_per_s = evaluated
    nlp = spacy.load(half_trained)
    component = nlp.get_pipe(NAME)
    component.model = with_settings(component.model, predict_with=way)
    expected = nlp.evaluate(list(build_corpus(str(corpus))(nlp)))
    assert scores[way] == {name: expected[name] for name in scores[way]}
    assert "rel_candidate_f" in scores[way]
    assert pairs_per_s > 0


def test_ways_to_predict_differ(evaluated):
    """Otherwise the test above would not tell one from another."""
    _, counts, _ = evaluated
    assert counts["dual"] != counts["head"]


@pytest.mark.parametrize("way", ["dual", "head", "mean"])
def test_counts_add_up_to_the_scores(evaluated, way):
    scores, counts, _ = evaluated
    assert f1(counts[way]) == pytest.approx(scores[way]["rel_micro_f"])
    assert json.loads(json.dumps(counts)) == counts
    per_label = {}
    for _, label, *rest in counts[way]:
        per_label.setdefault(label, []).append([0, label, *rest])
    per_type = sorted(prf["f"] for prf in scores[way]["rel_per_type"].values())
    assert sorted(map(f1, per_label.values())) == pytest.approx(per_type)


def test_linear_head_has_one_way_to_predict(runs, bert, corpus, tmp_path):
    nlp = make_pipeline(bert, {"alpha": 1.0})
    train(nlp, steps=2)
    nlp.to_disk(tmp_path / "model")
    scores, counts, _ = runs.evaluate(tmp_path / "model", corpus)
    assert set(scores) == set(counts) == {"head"}


def test_concept_relations_are_counted_once_for_a_doc(runs, bert):
    nlp = make_pipeline(bert)
    component = nlp.get_pipe(NAME)
    predicted, gold = (nlp.make_doc("Anna met Bo , and Anna met Cy") for _ in range(2))
    ids = {0: "a", 2: "b", 5: "a", 7: "c"}
    for doc, pairs in (predicted, [(0, 2), (7, 5)]), (gold, [(0, 2), (2, 5), (0, 7)]):
        spans = {i: Span(doc, i, i + 1, "PER", kb_id=id_) for i, id_ in ids.items()}
        relations = [(spans[s], spans[o], "knows", 1.0) for s, o in pairs]
        relations += [(spans[0], spans[2], "works_in", 1.0)] if doc is predicted else []
        set_relations(doc, relations, "relations")
    example = Example(predicted, gold)
    rows = runs.count([example], component, are_concepts=True)
    # "knows" is symmetric: a and b, a and c, both found.
    knows, works_in = (component.labels.index(name) for name in ("knows", "works_in"))
    expected = [[0, knows, 2, 0, 0], [0, works_in, 0, 1, 0]]
    assert sorted(rows) == sorted(expected)
    scores = score_relations([example], concepts=True, symmetric=["knows"])
    assert f1(rows) == pytest.approx(scores["rel_concept_f"])
