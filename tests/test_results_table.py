"""The tables of `benchmarks/scores/table.py`, from results that were made up here."""

import json

import pytest

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
COMPONENT = "components.dual_relation_extractor"
PART = "{}\nold\n{}\n\nBetween.\n\n"
PAGE = f"Before.\n\n{PART}{PART}{PART}After.\n"


@pytest.fixture(scope="module")
def table(import_benchmark):
    """The script as a module."""
    return import_benchmark("scores.table")


@pytest.fixture(scope="module")
def pages(import_benchmark):
    """The module that the scripts share."""
    return import_benchmark("pages")


def make_scores(f, measure="micro"):
    """Scores of a split, of which only the numbers in the table differ."""
    return {
        f"rel_{measure}_f": f,
        "rel_micro_p": 0.5,
        "rel_micro_r": 0.25,
        "rel_concept_p": 0.375,
        "rel_concept_r": 0.125,
        "rel_candidate_f": 0.75,
    }


def make_row(variant="linear", seed=0, f=0.6, counts=(), **changes):
    """A recorded run, as `benchmarks/scores/runs.py` writes it.

    f (float): F1 on test; on dev it is a tenth more.
    counts (List[List[int]]): Counts of every way to predict.
    changes: Other values of the row.
    """
    ways = ["dual", "head", "mean"]
    if variant.endswith("linear"):
        ways = ["head"]
    elif variant == "contrastive":
        ways = ["dual"]
    row = {
        "dataset": "scierc",
        "encoder": MINILM,
        "variant": variant,
        "seed": seed,
        "steps": None,
        "train_docs": None,
        "passes": None,
        "eval_every": None,
        "learn_rate": None,
        "overrides": "",
        "scored": "best",
        "versions": {"spacy": "3.8.0", "torch": "2.0.0"},
        "commit": "abc123",
        "hardware": {"machine": "x86_64", "cpu": "AVX2", "cores": 2, "threads": 1},
        "seconds": {"train": 90.0, "dev": 1.0, "test": 1.0},
        "pairs_per_s": {"dev": 1.0, "test": 12.34},
        "counts": {way: [list(count) for count in counts] for way in ways},
        **changes,
    }
    measure = {"biored": "concept", "semeval2010": "macro"}.get(row["dataset"], "micro")
    row["scores"] = {
        "dev": {way: make_scores(f + 0.1, measure) for way in ways},
        "test": {way: make_scores(f, measure) for way in ways},
    }
    row["commands"] = [f"python -m spacy train WORK/{variant}-{seed}/config.cfg"]
    return row


@pytest.fixture
def results(tmp_path):
    """Writes rows as the results folder, and returns it."""

    def write(*rows):
        folder = tmp_path / "results"
        folder.mkdir(exist_ok=True)
        for row in rows:
            with (folder / f"{row['dataset']}.jsonl").open("a", encoding="utf8") as f:
                f.write(json.dumps(row) + "\n")
        return folder

    return write


def lines_of(text, *starts):
    """The lines of a text that begin with one of these."""
    return [line for line in text.splitlines() if line.startswith(starts)]


# One document with one right and one missed, another with one wrong and one missed.
COUNTS = [[0, 0, 1, 0, 1], [1, 0, 0, 1, 1]]


def test_nothing_is_run(table, results):
    text = table.make_tables(results())
    main = "linear, dual, contrastive, no-spans, tied"
    everything = "MiniLM-L6 on any dataset; MPNet-base on any dataset"
    assert text.strip() == f"Not run, of {main}: {everything}."


def test_row_of_one_run(table, results):
    text = table.make_tables(results(make_row(counts=COUNTS)))
    (line,) = lines_of(text, "| MiniLM-L6 | linear | 0")
    assert line.endswith(" | 0 | 70.00 | 50.00 | 25.00 | 60.00 | 75.00 | 1.5 | 12.3 |")
    (missing,) = lines_of(text, "Not run")
    assert "on SciERC (dual, contrastive, no-spans, tied); " in missing
    assert "on BioRED (all); " in missing
    assert "### BioRED" not in text


def test_nothing_is_missing(table, results):
    encoders = (MINILM, "sentence-transformers/all-mpnet-base-v2")
    for dataset in ("chemprot", "biored", "scierc", "semeval2010"):
        for variant in table.MAIN_VARIANTS:
            for encoder in encoders:
                results(make_row(variant, dataset=dataset, encoder=encoder))
    assert (
        table.missing_runs(
            {name: table.read_results(name, results()) for name in table.DATASETS}
        )
        == ""
    )


def test_spread_of_several_seeds(table, results):
    rows = [make_row(seed=1, f=0.6, counts=COUNTS), make_row(seed=0, f=0.62)]
    text = table.make_tables(results(*rows))
    # The sample standard deviation of 60 and 62 is the square root of 2.
    (line,) = lines_of(text, "| MiniLM-L6 | linear | 0, 1 | 71.00 ± 1.41 |")
    assert "| 61.00 ± 1.41 |" in line


def test_dual_run_has_three_ways_to_predict(table, results):
    text = table.make_tables(results(make_row("dual", counts=COUNTS)))
    numbers = "0 | 70.00 | 50.00 | 25.00 | 60.00 | 75.00 | 1.5"
    assert lines_of(text, "| MiniLM-L6 | dual") == [
        f"| MiniLM-L6 | dual | {numbers} | 12.3 |",
        f"| MiniLM-L6 | dual, mean of both | {numbers} | 12.3 |",
        f"| MiniLM-L6 | dual, its own head | {numbers} | - |",
    ]


def test_contrastive_run_has_no_head_to_take_a_mean_with(table, results):
    text = table.make_tables(results(make_row("contrastive", counts=COUNTS)))
    assert len(lines_of(text, "| MiniLM-L6 | contrastive")) == 1
    assert lines_of(text, "| MiniLM-L6 | contrastive | 0 | 70.00 |")


def test_main_measures(table, results):
    for dataset in ("biored", "semeval2010"):
        results(make_row(dataset=dataset, f=0.4, counts=COUNTS))
    text = table.make_tables(results())
    rows = lines_of(text, "| MiniLM-L6 | linear | 0")
    assert "| 50.00 | 37.50 | 12.50 | 40.00 | - |" in rows[0]
    assert "| 50.00 | 50.00 | 25.00 | 40.00 | - |" in rows[1]
    assert "test micro P | test micro R | test macro F1" in text


def test_subsets_and_other_variants_have_rows_of_their_own(table, results):
    rows = [
        make_row(counts=COUNTS),
        make_row("linear", train_docs=200, counts=COUNTS),
        make_row("linear", steps=100, train_docs=200, counts=COUNTS),
        make_row("linear", passes=3, learn_rate=1e-4, counts=COUNTS),
        make_row("linear", overrides=f"{COMPONENT}.x=1 nlp.y=2", counts=COUNTS),
        make_row("linear", steps=9, scored="last", counts=COUNTS),
        make_row("no-context", counts=COUNTS),
        make_row("an-old-one", counts=COUNTS),
        make_row(encoder="/models/tiny", counts=COUNTS),
    ]
    text = table.make_tables(results(*rows))
    assert lines_of(text, "| MiniLM-L6 | linear, 200 training documents | 0 |")
    assert lines_of(
        text, "| MiniLM-L6 | linear, 200 training documents, 100 steps | 0 |"
    )
    assert lines_of(text, "| MiniLM-L6 | linear, 3 passes, 0.0001 learning rate | 0 |")
    assert lines_of(text, "| MiniLM-L6 | linear, x=1, nlp.y=2 | 0 |")
    assert lines_of(text, "| MiniLM-L6 | linear, 9 steps, last step | 0 |")
    assert lines_of(text, "| MiniLM-L6 | no-context | 0 |")
    assert lines_of(text, "| MiniLM-L6 | an-old-one | 0 |")
    assert lines_of(text, "| tiny | linear | 0 |")
    assert "/models" not in text


def test_runs_of_one_encoder_are_together_wherever_it_was(table, results):
    rows = [
        make_row(encoder=folder + "all-mpnet-base-v2", seed=seed, counts=COUNTS)
        for seed, folder in enumerate(("/models/", "sentence-transformers/"))
    ]
    text = table.make_tables(results(*rows))
    assert lines_of(text, "| MPNet-base | linear | 0, 1 |")


def test_a_run_that_was_scored_on_dev_only_has_no_test_scores(table, results):
    row = make_row("levitated-no-spans-sharp", steps=9)
    del row["scores"]["test"], row["pairs_per_s"]["test"], row["counts"]
    (line,) = lines_of(
        table.make_tables(results(row)),
        "| MiniLM-L6 | levitated-no-spans-sharp, 9 steps |",
    )
    assert line.endswith("| 70.00 | - | - | - | - | 1.5 | 1.0 |")


def test_machines_and_versions_are_named_once(table, results):
    gpu = {**make_row()["hardware"], "gpu": "A card"}
    rows = [
        make_row(seed=0, counts=COUNTS),
        make_row(seed=1, counts=COUNTS),
        make_row(seed=2, counts=COUNTS, hardware=gpu),
    ]
    text = table.make_tables(results(*rows))
    assert lines_of(text, "- ") == [
        "- Hardware: no GPU; x86_64, AVX2, cores: 2, threads: 1",
        "- Hardware: A card; x86_64, AVX2, cores: 2, threads: 1",
        "- Versions: spacy 3.8.0, torch 2.0.0",
    ]
    assert text.count("; commit abc123") == 3


def test_bootstrap_of_equal_runs(table):
    dual, linear = make_row("dual", counts=COUNTS), make_row(counts=COUNTS)
    assert table.bootstrap("scierc", [dual], [linear], "dual") == (0, 0, 0, 1)


def test_bootstrap_of_a_better_run(table):
    # 100 documents: the one finds 3 of 4 relations, the other 1 of 4, with 1 wrong.
    better = [[i, 0, 3, 1, 1] for i in range(100)]
    worse = [[i, 0, 1, 1, 3] for i in range(100)]
    worse[0] = [0, 0, 4, 0, 0]
    rows = [make_row("dual", counts=better)], [make_row(counts=worse)]
    gain, low, high, p = table.bootstrap("scierc", *rows, "mean")
    # F1 of 2 tp / (2 tp + fp + fn).
    assert gain == pytest.approx(600 / 800 - 206 / (206 + 99 + 297))
    assert 0 < low < gain < high
    assert p == pytest.approx(2 / 10_001)


def test_bootstrap_adds_up_seeds(table):
    row = make_row("dual", counts=[[0, 0, 3, 0, 0], [1, 0, 0, 0, 3]])
    other = make_row("dual", counts=[[0, 0, 1, 0, 2], [1, 0, 3, 2, 0]], seed=1)
    linear = [
        make_row(counts=[[0, 0, 0, 0, 3], [1, 0, 0, 0, 3]], seed=s) for s in (0, 1)
    ]
    gain, *_ = table.bootstrap("scierc", [row, other], linear, "dual")
    assert gain == pytest.approx(2 * 7 / (2 * 7 + 2 + 5))


def test_bootstrap_of_macro_f1(table):
    """The mean of the labels in the gold data; another label that is predicted is not
    one of them."""
    dual = make_row("dual", counts=[[0, 0, 1, 0, 0], [1, 2, 1, 1, 1], [2, 1, 0, 5, 0]])
    linear = make_row(counts=[[0, 0, 1, 0, 0], [1, 2, 0, 0, 2]])
    gain, *_ = table.bootstrap("semeval2010", [dual], [linear], "dual")
    assert gain == pytest.approx((1 + 0.5) / 2 - (1 + 0) / 2)


def test_seeds_are_compared_with_their_own(table, results):
    rows = [make_row("dual", seed=seed, counts=COUNTS) for seed in (0, 1, 2)]
    rows += [make_row(seed=seed, counts=COUNTS) for seed in (1, 2, 3)]
    rows += [make_row("dual", seed=4, train_docs=7, counts=COUNTS)]
    text = table.make_tables(results(*rows))
    assert lines_of(text, "| MiniLM-L6 | dual | 1, 2 |") == [
        "| MiniLM-L6 | dual | 1, 2 | +0.00 | +0.00 to +0.00 | 1.0000 |"
    ]
    assert not lines_of(text, "| MiniLM-L6 | dual, 7 training documents | 4 | +")


@pytest.mark.parametrize(
    "variant, linear",
    [
        ("levitated", "levitated-linear"),
        ("levitated-no-spans", "levitated-linear"),
        ("levitated-no-spans-all-descriptions", "levitated-linear"),
        (
            "levitated-no-spans-all-descriptions-fast-temperature",
            "levitated-linear",
        ),
        ("levitated-both-no-spans", "levitated-both-linear"),
    ],
)
def test_levitated_markers_are_compared_with_a_linear_head_that_has_them(
    table, results, variant, linear
):
    others = {"linear", "levitated-linear", "levitated-both-linear"} - {linear}
    rows = [make_row(name, counts=COUNTS) for name in (variant, *others)]
    gain = f"| MiniLM-L6 | {variant}, mean of both | 0 | +0.00"
    assert not lines_of(table.make_tables(results(*rows)), gain)
    folder = results(make_row(linear, counts=COUNTS))
    assert len(lines_of(table.make_tables(folder), gain)) == 1


def test_a_run_that_was_scored_on_dev_only_is_not_compared(table, results):
    row = make_row("dual")
    del row["scores"]["test"], row["pairs_per_s"]["test"], row["counts"]
    text = table.make_tables(results(row, make_row(counts=COUNTS)))
    assert text.count("to compare") == 1


def test_only_what_is_between_the_markers_changes(table, pages, results, tmp_path):
    folder = results(make_row("dual", counts=COUNTS), make_row(counts=COUNTS))
    page = tmp_path / "page.md"
    marks = [*pages.marks("summary"), *pages.marks("documents"), *pages.marks()]
    page.write_text(PAGE.format(*marks), encoding="utf8")
    table.main(folder, page)
    once = page.read_text("utf8")
    assert "old" not in once
    assert once.startswith(f"Before.\n\n{marks[0]}\n")
    assert f"{marks[1]}\n\nBetween.\n\n{marks[2]}\n" in once
    assert f"{marks[3]}\n\nBetween.\n\n{marks[4]}\n" in once
    assert once.endswith(f"{marks[5]}\n\nBetween.\n\nAfter.\n")
    table.main(folder, page)
    assert page.read_text("utf8") == once


def test_page_without_markers(pages):
    with pytest.raises(ValueError, match="generated results"):
        pages.replace_generated(f"Only {pages.marks()[0]}", "")


def test_no_number_of_the_page_is_written_by_hand(table, pages):
    page = table.PAGE.read_text("utf8")
    assert table.update(page, table.RESULTS) == page


def test_the_summary_compares_the_trainings_that_are_best_on_dev(table, results):
    rows = [
        make_row(variant, seed, f, COUNTS, passes=passes)
        for variant, passes, seed, f in (
            ("linear", 1, 0, 0.9),
            ("dual", 1, 0, 0.2),
            ("levitated-linear", 2, 0, 0.5),
            ("levitated-linear", 2, 1, 0.7),
            ("levitated-no-spans", 2, 1, 0.6),
            # Nothing to compare them with.
            ("dual", 3, 0, 0.9),
            ("levitated", 1, 0, 0.9),
        )
    ]
    for row in rows:
        row["dev_curve"] = [[0, 0.1], [350 * row["passes"], 0.2]]
    (line,) = table.summary_table({"scierc": rows})[2:]
    assert line.startswith(
        "| SciERC | micro | MiniLM-L6 | levitated-no-spans | 700 | 0, 1; 1 "
        "| 60.00 ± 14.14 | 60.00 |"
    )


def test_the_summary_has_models_of_the_best_step_only(table):
    rows = [
        make_row(variant, 0, f, COUNTS, scored=scored)
        for variant, f, scored in (
            ("linear", 0.5, "best"),
            ("dual", 0.25, "best"),
            ("linear", 0.9, "last"),
            ("dual", 0.9, "last"),
            # A head alone, too, though by its name none of those of today.
            ("document-linear", 0.9, "best"),
        )
    ]
    (line,) = table.summary_table({"scierc": rows})[2:]
    assert "| dual |" in line and "| 50.00 | 25.00 |" in line


def test_the_summary_says_where_the_seeds_differ(table):
    rows = [make_row("linear", 0, counts=COUNTS), make_row("dual", 1, counts=COUNTS)]
    assert "| no common seed |" in table.summary_table({"scierc": rows})[2]


def test_curves_are_those_of_the_trainings_that_the_summary_compares(import_benchmark):
    curve = [[0, 0.01], [10, 0.25], [20, 0.5]]
    short = [[0, 0.01], [10, 0.125]]
    rows = [
        make_row("linear", 0, dev_curve=short),
        make_row("dual", 0, dev_curve=short),
        make_row("linear", 0, 0.7, passes=2, dev_curve=curve),
        make_row("dual", 0, 0.7, passes=2, dev_curve=curve),
        make_row("dual", 1, 0.7, passes=2),
        make_row("no-spans", 0, 0.6, passes=2, dev_curve=curve),
    ]
    points = [[10, 25.0], [20, 50.0]]
    assert import_benchmark("scores.groups").curves_of(rows) == [
        ("all-MiniLM-L6-v2", "linear", points),
        ("all-MiniLM-L6-v2", "dual", points),
    ]


@pytest.fixture
def rows_by_documents():
    """Trainings on 35 and 175 of SciERC's 350 documents and on all, and their F1."""
    sizes = {
        ("levitated", 35): (0.3, 0.25),
        ("levitated", 175): (0.4, 0.45),
        # Better on dev than the line before, and than all documents.
        ("dual", 175): (0.7, 0.75),
        ("dual", None): (0.5, 0.625),
    }
    return [
        make_row(variant, seed, f, COUNTS, train_docs=n, dev_curve=[[8, 0.5]])
        for (dual, n), scores in sizes.items()
        for variant, f in zip(
            ("linear" if dual == "dual" else "levitated-linear", dual), scores
        )
        for seed in (0, 1)
    ]


def test_trainings_by_the_number_of_documents(table, rows_by_documents):
    lines = table.documents_table({"scierc": rows_by_documents, "biored": []})
    cells = [line.split(" | ") for line in lines[2:]]
    assert [line[2:5] + line[6:8] for line in cells] == [
        ["35 (10 %)", "levitated", "8", "30.00 ± 0.00", "25.00 ± 0.00"],
        ["175 (50 %)", "dual", "8", "70.00 ± 0.00", "75.00 ± 0.00"],
        ["350 (100 %)", "dual", "8", "50.00 ± 0.00", "62.50 ± 0.00"],
    ]


def test_the_summary_has_trainings_on_all_documents_only(table, rows_by_documents):
    (line,) = table.summary_table({"scierc": rows_by_documents})[2:]
    assert "| 50.00 ± 0.00 | 62.50 ± 0.00 |" in line


def test_a_training_on_fewer_documents_leaves_its_variant_missing(
    table, rows_by_documents
):
    fewer = [row for row in rows_by_documents if row["train_docs"]]
    assert "MiniLM-L6 on any dataset" in table.missing_runs({"scierc": fewer})
    assert "on SciERC (contrastive, no-spans, tied)" in table.missing_runs(
        {"scierc": rows_by_documents}
    )


def test_there_is_no_curve_by_documents_where_all_trainings_have_all(table):
    rows = [make_row("linear", counts=COUNTS), make_row("dual", counts=COUNTS)]
    assert len(table.documents_table({"scierc": rows})) == 2


def test_plots(import_benchmark, results, rows_by_documents, tmp_path):
    pytest.importorskip("matplotlib")
    curves = import_benchmark("scores.curves")
    curves.main(results(make_row("linear"), make_row("dual")), tmp_path / "whole")
    assert [path.name for path in (tmp_path / "whole").iterdir()] == ["dev.svg"]
    curves.main(results(*rows_by_documents), tmp_path / "plots")
    for name in ("dev.svg", "documents.svg"):
        plot = (tmp_path / "plots" / name).read_text("utf8")
        assert all(text in plot for text in ("SciERC", "linear head", "dual encoder"))


def test_trainings_whose_last_step_is_scored_are_folded_away(table, results):
    older = make_row("linear", scored="last")
    text = table.make_tables(results(make_row("linear", counts=COUNTS), older))
    shown, folded = text.split("<summary>Earlier, shorter trainings")
    assert len(lines_of(shown, "| MiniLM-L6 | linear | 0")) == 1
    assert len(lines_of(folded, "| MiniLM-L6 | linear, last step | 0")) == 1
