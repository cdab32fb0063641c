"""The measurement of unseen predicates in `benchmarks/`, without a real dataset."""

import importlib
import json
from pathlib import Path

import numpy
import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from tiny_corpus import PREDICATES, make_docs
from typer.testing import CliRunner

from spacy_dualre.output.decoder import build_decoder
from spacy_dualre.predicates import parse_predicates, to_data
from spacy_dualre.training.corpus import build_corpus

ROOT = Path(__file__).parent.parent
INF = numpy.inf


@pytest.fixture(scope="module")
def module():
    """Imports a module of `benchmarks/zero_shot`."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.syspath_prepend(str(ROOT))
        yield lambda name: importlib.import_module(f"benchmarks.zero_shot.{name}")


@pytest.fixture(scope="module")
def model(bert, tmp_path_factory):
    """The folder of a pipeline with random weights."""
    nlp = spacy.blank("en")
    architecture = {"@architectures": "spacy-dualre.DualEncoder.v1", "encoder": bert}
    config = {"predicates": PREDICATES, "model": architecture, "spans_key": "entities"}
    nlp.add_pipe("dual_relation_extractor", config=config)
    spacy.util.fix_random_seed(0)
    nlp.initialize(lambda: [Example(doc.copy(), doc) for doc in make_spans_docs()])
    path = tmp_path_factory.mktemp("zero_shot") / "model"
    nlp.to_disk(path)
    return path


@pytest.fixture(scope="module")
def reader(module, model):
    return module("reader").Reader(model)


def make_spans_docs():
    """The tiny corpus, its entities in a span group."""
    docs = make_docs(spacy.blank("en").vocab)
    for i, doc in enumerate(docs):
        doc.spans["entities"] = list(doc.ents)
        doc.user_data["doc_id"] = f"doc-{i}"
    return docs


def write(path, docs):
    path.parent.mkdir(parents=True, exist_ok=True)
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    return path


def make_doc(words, entities, relations, **user_data):
    """A gold Doc of one sentence.

    entities: (start, end, type). relations: (subject, label, object).
    """
    words = words.split()
    vocab = spacy.blank("en").vocab
    doc = Doc(vocab, words=words, sent_starts=[i == 0 for i in range(len(words))])
    spans = [Span(doc, start, end, label=label) for start, end, label in entities]
    doc.ents = doc.spans["entities"] = spans
    doc._.relations = [(spans[s], spans[o], label) for s, label, o in relations]
    doc.user_data.update(user_data)
    return doc


def test_sixteen_properties_are_held_out_the_same_everywhere(module):
    chosen = [module("corpora").held_out(split) for split in range(3)]
    assert [len(set(labels)) for labels in chosen] == [16, 16, 16]
    assert chosen[0][:4] == ["P1001", "P105", "P106", "P140"]
    assert chosen[0] != chosen[1] != chosen[2]


def test_relations_that_are_left_out_are_unknown(module):
    entities = [(0, 1, "PER"), (3, 4, "LOC")]
    both = make_doc(
        "Anna lives in Rome",
        entities,
        [(0, "a", 1), (0, "b", 1)],
        labels=("a", "b"),
        concept_relations=(
            ("1", "2", "a", "PER", "LOC"),
            ("1", "2", "b", "PER", "LOC"),
        ),
    )
    marked = {"complete": False, "labels": ("a",)}
    nothing_left = make_doc(
        "Anna lives in Rome",
        entities,
        [(0, "a", 1), (1, "no_relation", 0)],
        **marked,
    )
    (kept,) = module("corpora").leave_out([both, nothing_left], ["a"])
    assert [relation.label for relation in kept._.relations] == ["b"]
    assert kept.user_data["labels"] == ("b",)
    assert kept.user_data["unknown_pairs"] == ((0, 4, 14, 18),)
    assert [row[2] for row in kept.user_data["concept_relations"]] == ["b"]


def test_training_data_is_written_without_what_is_measured(module, corpora, tmp_path):
    predicates = tmp_path / "predicates.json"
    labels = ["P6", "P17", "P57", "audits"]
    predicates.write_text(json.dumps(dict.fromkeys(labels, "{subject} {object}")))
    source = corpora / "fewrel" / "train.spacy"
    target = tmp_path / "out" / "train.spacy"
    arguments = ["split", source, target, "--split", 0, "--corpus", "written-test"]
    arguments += ["--predicates", predicates]
    done = CliRunner().invoke(module("zero_shot").app, [str(x) for x in arguments])
    assert done.exit_code == 0, done.output
    assert len(DocBin().from_disk(target)) == 0
    left = json.loads((tmp_path / "out" / "predicates.json").read_text())
    assert [own["label"] for own in left] == ["no_relation", "P57"]


def test_each_description_gets_its_own_score(module):
    predicates = parse_predicates(
        {
            "a": {"description": ["{subject} a {object}", "{object} b {subject}"]},
            "s": {"description": "{subject} s {object}", "symmetric": True},
        }
    )
    single, of = module("pairs").split_descriptions(predicates)
    assert [p.label for p in single] == ["no_relation", "a", "a (1)", "s"]
    assert [p.symmetric for p in single] == [False, False, False, True]
    assert of.tolist() == [0, 1, 1, 2]


def test_domains_of_train_and_new_ones_are_corpora_of_their_own(module):
    """Each sentence of dev and test belongs to one of both, and has known labels."""
    folder = ROOT / "assets" / "general" / "written"
    known = {
        p.label for p in module("corpora").CORPORA["written-dev"].read_predicates()
    }
    trained = module("corpora").labels_of("written-train")
    for part in ("dev", "test"):
        lines = (folder / f"{part}.jsonl").read_text(encoding="utf8").splitlines()
        domains = {json.loads(line)["id"].rsplit("-", 2)[0] for line in lines}
        old, new = (
            set(module("corpora").domains_of(f"{x}-{part}"))
            for x in ("written", "domains")
        )
        assert old | new == domains and not old & new
        assert len(old) == 12
        for corpus in ("written", "domains"):
            labels = module("corpora").labels_of(f"{corpus}-{part}")
            assert set(labels) <= known and not set(labels) & set(trained)
    assert module("corpora").domains_of("scierc") == {}


def test_the_best_description_counts_as_in_the_model(module, reader, tmp_path):
    path = write(tmp_path / "corpus.spacy", make_spans_docs())
    component = reader.component
    predicates = parse_predicates(
        [
            *component.label_data[1:],
            {
                "label": "lives_in",
                "description": [
                    "{subject} lives in {object}",
                    "{object} has {subject}",
                ],
            },
        ]
    )
    predicates = (reader.no_relation, *predicates[1:])
    examples = reader.read(path)
    pairs = reader.score_corpus(examples, predicates)
    ours = pairs.join("max", signatures=True)
    found = [reader.find(example, predicates) for example in examples]
    theirs = reader.model.predict(found).dual
    fitting = pairs.fits[:, 1:].any(axis=1)
    assert numpy.allclose(ours[fitting], theirs, atol=1e-5)
    assert pairs.totals.tolist() == [0, 2, 2, 1, 0]
    mean = pairs.join("mean")
    assert (mean <= pairs.join("max") + 1e-6).all()
    first = predicates[-1]._replace(descriptions=predicates[-1].descriptions[:1])
    one = reader.score_corpus(examples, (*predicates[:-1], first)).join("max")
    assert numpy.allclose(pairs.join("first"), one, atol=1e-5)


def test_hidden_types_are_read_as_never_seen_ones(module, model, tmp_path):
    """The scores are those of entities with another type; signatures still count."""
    docs = make_spans_docs()
    path = write(tmp_path / "corpus.spacy", docs)
    for doc in docs:
        doc.spans["entities"] = [
            Span(doc, entity.start, entity.end, label="never seen")
            for entity in doc.ents
        ]
    unseen = write(tmp_path / "unseen.spacy", docs)
    predicates = parse_predicates(PREDICATES)

    def score(path, *, hide_types):
        own = module("reader").Reader(model, hide_types=hide_types)
        return own.score_corpus(own.read(path), predicates)

    seen = score(path, hide_types=False)
    hidden = score(path, hide_types=True)
    assert numpy.allclose(hidden.z, score(unseen, hide_types=False).z, atol=1e-5)
    assert not numpy.allclose(hidden.z, seen.z, atol=1e-3)
    assert (hidden.fits == seen.fits).all() and hidden.fits[:, 1:].any()
    assert (hidden.positive == seen.positive).all() and hidden.positive.any()


def test_hubs_are_corrected_and_no_relation_is_not(module):
    z = numpy.asarray([[1.0, 5, 0], [1, 7, 2], [1, 9, -INF]])
    corrected = module("hubs").correct_hubs(z, z, spread=False)
    assert corrected.tolist() == [[1, 2, 3], [1, 4, 5], [1, 6, -INF]]
    spread = module("hubs").correct_hubs(z, z, spread=True)[:, 1:]
    columns = [column[numpy.isfinite(column)] for column in spread.T]
    assert numpy.allclose([c.mean() for c in columns], 4)
    assert numpy.isclose(columns[0].std(), columns[1].std())


def test_the_cutoff_is_the_best_one(module):
    values = numpy.asarray([0.1, 0.9, 0.5, 0.5, 0.7])
    right = numpy.asarray([False, True, True, False, True])
    assert module("measures").best_cutoff(values, right, 2) == pytest.approx(0.6)
    # A tie is all above or none.
    assert module("measures").best_cutoff(values, right, 3) == pytest.approx(0.3)


def make_pairs(module, positive, fits=None, mirror=None, missed=0):
    """Pairs of made-up annotation."""
    positive = numpy.asarray(positive, dtype=bool)
    n, r = positive.shape
    totals = positive.sum(axis=0) * (numpy.arange(r) > 0)
    totals[1] += missed
    labels = {f"r{i}": "{subject} {object}" for i in range(1, r)}
    return module("pairs").Pairs(
        parse_predicates(labels),
        numpy.arange(r),
        numpy.zeros((n, r)),
        numpy.ones((n, r), bool) if fits is None else numpy.asarray(fits, bool),
        positive,
        numpy.ones(n, dtype=bool),
        numpy.full(n, -1) if mirror is None else numpy.asarray(mirror),
        totals,
    )


def test_every_annotated_relation_counts(module):
    positive = [[0, 1, 0], [0, 0, 1], [1, 0, 0], [1, 0, 0], [1, 0, 0]]
    fits = [[1, 1, 1]] * 4 + [[1, 0, 0]]
    pairs = make_pairs(module, positive, fits, missed=1)
    best = module("measures").Best(numpy.ones(5, int), numpy.ones(5), numpy.ones(5))
    related = numpy.asarray([1, 1, 1, 0, 0])
    scores = module("measures").measure(pairs, best, related, single_direction=False)
    assert scores["counts"] == {"r1": [1, 2, 1], "r2": [0, 0, 1]}
    assert scores["micro_p"] == pytest.approx(1 / 3)
    assert scores["micro_r"] == pytest.approx(1 / 3)
    assert scores["macro_f"] == pytest.approx((2 / 5 + 0) / 2)
    assert scores["unrelated_found"] == 0.5


def test_the_more_probable_direction_is_kept(module):
    pairs = make_pairs(module, [[0, 1], [1, 0]], mirror=[1, 0])
    related = numpy.asarray([1, 1])
    for p, right in ((0.9, 1), (0.5, 1), (0.1, 0)):
        best = module("measures").Best(related, numpy.asarray([p, 0.5]), numpy.ones(2))
        scores = module("measures").measure(pairs, best, related, single_direction=True)
        assert scores["counts"]["r1"] == [right, 1 - right, 1 - right]


def test_decisions(module):
    best = module("measures").Best.of(
        numpy.asarray([[0.0, 1, 0], [2, 0, 1], [0, -INF, -INF]])
    )
    assert best.r[:2].tolist() == [1, 2]
    assert best.probability[1] == pytest.approx(
        numpy.exp(1) / (1 + numpy.e + numpy.e**2)
    )
    assert best.decide(None).tolist() == [1, 0, 0]
    assert best.decide(0.2).tolist() == [1, 2, 0]


def test_n_way_scores_average_over_predicates(module):
    z = numpy.asarray([[2.0, 1], [2, 1], [2, 1], [1, 2]])
    p, r, f = module("measures").n_way(z, numpy.asarray([0, 0, 1, 1]))
    assert (p, r) == pytest.approx((5 / 6, 3 / 4))
    assert f == pytest.approx(2 * p * r / (p + r))


@pytest.fixture(scope="module")
def corpora(tmp_path_factory, module):
    """A folder with tiny corpora under the names of the real ones."""
    folder = tmp_path_factory.mktemp("corpora")
    entities = [(0, 2, "company"), (5, 6, "city"), (9, 11, "company")]
    words = "Kepler Dairy , based in Graz , fights with Tansy Foods ."
    relations = [(0, "headquartered_in", 1), (0, "competes_with", 2)]
    for part in ("train", "dev", "test"):
        own = relations if part == "dev" else [(0, "audits", 2)]
        docs = [
            make_doc(words, entities, own, doc_id=f"companies-{part}-{i}")
            for i in range(3)
        ]
        write(folder / "written" / f"{part}.spacy", docs)
    marked = [(0, 1, "ENTITY"), (3, 4, "ENTITY")]
    docs = [
        make_doc(
            "Anna works in Rome",
            marked,
            [(i % 2, label, 1 - i % 2), (1 - i % 2, "no_relation", i % 2)],
            complete=False,
            doc_id=f"{label}-{i}",
        )
        for label in module("corpora").held_out(0)
        for i in range(2)
    ]
    write(folder / "fewrel" / "train.spacy", docs)
    docs = [
        make_doc(
            "The audits produced waste",
            [(1, 2, "NOMINAL"), (3, 4, "NOMINAL")],
            [(0, "Cause-Effect", 1)][: i % 2],
            doc_id=str(i),
        )
        for i in range(6)
    ]
    for part in ("train", "test"):
        write(folder / "semeval2010" / f"{part}.spacy", docs)
    return folder


@pytest.fixture
def run(module, tmp_path):
    """Runs a command; returns the rows that it recorded."""

    def run_command(*arguments):
        results = tmp_path / "rows.jsonl"
        arguments = [*map(str, arguments), "--results", str(results)]
        done = CliRunner().invoke(
            module("zero_shot").app, arguments, catch_exceptions=False
        )
        assert done.exit_code == 0, done.output
        return module("rows").read_rows(results)

    return run_command


def test_fewrel_is_measured(module, model, corpora, run):
    arguments = ("fewrel", model, corpora, "--split", 0, "--per-relation", 1)
    rows = run(*arguments)
    hubs = {"none", "own-spread", "bank64-spread"}
    ways = {(row["is"]["n"], row["is"]["hub"]) for row in rows}
    assert ways == {(n, hub) for n in (5, 10, 15, 16) for hub in hubs}
    assert all(0 <= row["f"] <= 1 and not row["seen"] for row in rows)
    assert [len(row["subsets"]) for row in rows] == [5] * 9 + [1] * 3
    # Once more is the same, and takes the place of the first.
    assert run(*arguments) == rows


def test_corpora_with_negatives_are_measured_as_the_component_scores(
    module, model, corpora, run
):
    rows = run("negatives", model, corpora, "--corpus", "semeval2010")
    own = [row for row in rows if row["is"]["corpus"] == "semeval2010"]
    assert len(own) == 3 * 2 * 2
    assert len(rows) - len(own) == 5 * 3 * 2 * 2
    (row,) = (
        row
        for row in own
        if row["is"]["hub"] == "none"
        and row["is"]["decision"] == "default"
        and row["is"]["signatures"]
    )
    nlp = spacy.load(model)
    component = nlp.get_pipe("dual_relation_extractor")
    predicates = module("corpora").CORPORA["semeval2010"].read_predicates()
    component.set_predicates(to_data([component.predicates[0], *predicates[1:]]))
    component.decoder = build_decoder(single_direction=True)
    examples = list(build_corpus(str(corpora / "semeval2010" / "test.spacy"))(nlp))
    scores = component.score(examples)
    for name in ("micro_p", "micro_r", "micro_f", "macro_f"):
        assert row[name] == pytest.approx(scores[f"rel_{name}"])


def test_few_sentences_are_trained_once(module, model, corpora, bert, run, tmp_path):
    arguments = ["few", model, corpora, "--corpus", "semeval2010", "--sizes", "1"]
    arguments += ["--draws", 1, "--encoder", bert, "--work", tmp_path]
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(module("few"), "steps_of", lambda size: 2)
        rows = run(*arguments)
        assert [row["is"]["system"] for row in rows] == ["linear", "dual", "general"]
        assert {row["steps"] for row in rows} == {2}
        # What reaches a low threshold includes all that is found without.
        assert all(row["threshold"]["micro_r"] >= row["micro_r"] for row in rows)
        assert run(*arguments) == rows


def test_sentences_are_cut_with_their_relations(module):
    doc = make_doc(
        "Anna likes Rome . Carl likes Oslo . It rains .",
        [(0, 1, "PER"), (2, 3, "LOC"), (4, 5, "PER"), (6, 7, "LOC")],
        [(0, "a", 1), (2, "b", 3), (0, "c", 2)],
        doc_id="x",
    )
    for i in (4, 8):
        doc[i].is_sent_start = True
    cut = list(module("few").cut_sentences(doc))
    assert [sentence.text for sentence in cut] == [
        "Anna likes Rome . ",
        "Carl likes Oslo . ",
    ]
    triples = [[(s.text, r, o.text) for s, o, r, _ in d._.relations] for d in cut]
    assert triples == [[("Anna", "a", "Rome")], [("Carl", "b", "Oslo")]]
    assert [[e.text for e in d.spans["entities"]] for d in cut] == [
        ["Anna", "Rome"],
        ["Carl", "Oslo"],
    ]
    assert len(module("few").draw_sentences([doc], 1, 0)) == 1


def test_the_page_gets_tables(model, corpora, run, import_benchmark, tmp_path):
    run("fewrel", model, corpora, "--split", 0)
    run("negatives", model, corpora, "--corpus", "written-test")
    page = tmp_path / "page.md"
    start, end = import_benchmark("pages").marks()
    page.write_text(f"Before.\n{start}\nstale\n{end}\nAfter.\n")
    run("table", "--page", page)
    text = page.read_text()
    assert text.startswith("Before.") and text.endswith("After.\n")
    assert "stale" not in text and "### written-test" in text
    assert "| model | 0 | 40 | max | none | - |" in text


def test_the_page_folds_what_is_not_the_general_model(
    model, corpora, run, import_benchmark, tmp_path
):
    for name in ("general", "the one before"):
        run("negatives", model, corpora, "--corpus", "written-test", "--name", name)
    page = tmp_path / "page.md"
    page.write_text("\n".join(import_benchmark("pages").marks()))
    run("table", "--page", page)
    _, own = page.read_text().split("### written-test")
    shown, folded = own.split("<details")
    assert "| general | all | with | max | none | default |" in shown
    assert "| the one before | all | with | max | none | default |" in folded
    assert "| general | all | with | max | none | default |" not in folded


def test_fewer_docs_do_not_change_what_thresholds_are_chosen_on(
    model, corpora, run, module
):
    rows = run("negatives", model, corpora, "--corpus", "semeval2010", "--limit", 2)
    limits = {row["is"]["corpus"]: row["is"]["limit"] for row in rows}
    assert limits == {module("corpora").CHOSEN_ON: 0, "semeval2010": 2}


def test_the_page_has_what_is_recorded(module, import_benchmark):
    rows = module("rows").read_rows(module("rows").RESULTS)
    page = module("zero_shot").PAGE.read_text("utf8")
    tables = module("tables").make_tables(rows)
    assert import_benchmark("pages").replace_generated(page, tables) == page


@pytest.mark.parametrize(
    ("command", "option", "told"),
    [
        ("split", "--corpus", "No corpus is named nonsense"),
        ("negatives", "--corpus", "No corpus is named nonsense"),
        ("few", "--corpus", "No corpus is named nonsense"),
        ("few", "--system", "No system is named nonsense"),
    ],
)
def test_an_unknown_name_is_told_before_anything_is_measured(
    module, model, corpora, command, option, told
):
    arguments = [command, str(model), str(corpora), option, "nonsense"]
    done = CliRunner().invoke(module("zero_shot").app, arguments)
    assert done.exit_code == 1 and told in done.output
    assert "There are " in done.output
