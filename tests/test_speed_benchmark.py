"""The benchmark in `benchmarks/`, on tiny encoders and few pairs."""

import json

import numpy
import pytest
import spacy
import torch
from tiny_encoders import make_bert
from transformers import BertConfig

from spacy_dualre.model.architectures import with_settings
from spacy_dualre.model.shim import get_shim

pytest.importorskip("psutil")
NAME = "dual_relation_extractor"
KEYS = {
    *("mode", "dtype", "device", "pairs", "seconds", "pairs_per_s", "ratio_to_naive"),
    *("share_of_ceiling", "padding", "peak_mb", "max_score_diff"),
}


@pytest.fixture(scope="module")
def speed(import_benchmark):
    """The benchmark as a module."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        sizes = import_benchmark("speed.measure").MATRIX_SIZE
        monkeypatch.setitem(sizes, "cpu", 64)
        yield import_benchmark("speed.speed")


def read(path):
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return {row["mode"]: row for row in rows}


@pytest.fixture(scope="module")
def rows(speed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("speed")
    encoder = make_bert(folder / "bert")
    path = folder / "rows.json"
    speed.main("sample", pairs=11, json_file=path, encoder=encoder, repeats=2)
    return read(path)


def test_rows(rows):
    assert all(row.keys() >= KEYS for row in rows.values())
    assert {row["pairs"] for row in rows.values() if row["ratio_to_naive"]} == {11}
    assert rows["naive"]["ratio_to_naive"] == pytest.approx(1)
    assert rows["naive"]["padding"] > rows["exact"]["padding"]
    for mode in ("nlp.pipe", "training step"):
        assert sum(rows[mode]["parts"].values()) == pytest.approx(1)


def test_padding_is_counted_whatever_form_a_mask_has(import_benchmark):
    mask = torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0]])
    ids = torch.zeros_like(mask)
    attended = mask[:, None, :]  # as a GPU gets it
    each_other = mask[:, :, None] * mask[:, None, :]
    for form in (mask, attended, each_other):
        for read in ({"input_ids": ids}, {"inputs_embeds": torch.zeros(2, 4, 16)}):
            watch = import_benchmark("speed.measure").Watch()
            watch._count({**read, "attention_mask": form})
            assert (watch.wordpieces, watch.real) == (8, 4)


def test_exact_modes_have_the_scores_of_the_published_procedure(rows):
    for mode in ("exact", "exact, warm cache", "head"):
        assert rows[mode]["max_score_diff"] < 1e-4


def test_modes_are_what_their_names_say(speed, import_benchmark, tmp_path):
    """A trained pipeline's own settings must not leak into a mode."""
    bench = import_benchmark("speed.bench")
    encoder = make_bert(tmp_path / "bert")
    measured = speed.make_bench("sample", None, 5, encoder)
    own = {"mixed_precision": True, "prune": 0.5, "predict_with": "head"}
    measured.model = with_settings(measured.model, **own)
    exact = measured.use(bench.Mode("exact"))
    assert get_shim(measured.component.model) is exact
    settings = exact.settings
    assert (settings.mixed_precision, settings.prune) == (False, 0)
    assert settings.predict_with == "dual"
    bfloat16 = measured.use(bench.Mode("bfloat16", "bfloat16", bench.BFLOAT16))
    assert bfloat16.settings.mixed_precision
    assert bfloat16.settings.predict_with == "dual"


def test_a_compiled_mode_that_can_not_compile_has_no_row(
    rows, speed, import_benchmark, tmp_path, monkeypatch
):
    assert not [mode for mode in rows if "compiled" in mode]  # it was not asked for
    measured = speed.make_bench("sample", None, 5, make_bert(tmp_path / "bert"))
    [mode] = measured.choose(["compiled"])

    def fail(*args, **kwargs):
        raise RuntimeError("no compiler")

    monkeypatch.setattr(torch, "compile", fail)
    with pytest.raises(UserWarning, match="RuntimeError: no compiler"):
        measured.measure([mode], repeats=1, progress=False)


def test_only_a_warm_mode_finds_descriptions_in_the_cache(
    speed, import_benchmark, tmp_path
):
    bench = import_benchmark("speed.bench")
    measured = speed.make_bench("sample", None, 5, make_bert(tmp_path / "bert"))
    shim = measured.use(bench.Mode("exact"))
    measured.component.predict(measured.docs)
    assert len(shim.cache)
    warm = measured.use(bench.Mode("exact, warm cache", warm=True))
    assert warm is shim
    assert len(warm.cache)
    assert not len(measured.use(bench.Mode("exact")).cache)


def test_pipelines_are_those_of_the_configs(speed, import_benchmark, tmp_path):
    """BioRED's pairs and context, and what a variant changes."""
    datasets = import_benchmark("datasets")
    config = datasets.DATASETS["biored"].make_config()["components"][NAME]
    assert config["candidates"]["max_pairs_per_concept"] == 3
    assert config["model"]["context_length"] == 256
    measured = speed.make_bench(
        "sample", None, 5, make_bert(tmp_path / "bert"), "levitated-both-no-spans"
    )
    assert measured.kind == "levitated-both no-spans "
    assert not measured.settings.fill_spans


def test_only_chosen_modes_of_a_whole_split_have_rows(speed, tmp_path):
    path = tmp_path / "rows.json"
    speed.main(
        "sample",
        pairs=0,
        json_file=path,
        encoder=make_bert(tmp_path / "bert"),
        modes="exact; nlp.pipe",
        repeats=1,
    )
    rows = read(path)
    assert list(rows) == ["exact", "nlp.pipe"]
    assert {row["workload"] for row in rows.values()} == {"sample-test"}
    assert rows["exact"]["pairs"] == rows["nlp.pipe"]["pairs"] > 80


def test_a_mode_of_a_model_without_span_text_reads_few_descriptions(speed, tmp_path):
    """Descriptions without the pair's text are the same for all pairs of its types."""
    encoder = make_bert(tmp_path / "bert")
    whole, bare = (
        speed.make_bench("sample", None, 30, encoder, variant)
        for variant in ("dual", "no-spans")
    )
    assert bare.kind == "no-spans "
    everything = bare.allowed.any(axis=1)
    (lengths,) = bare._distinct(everything)
    assert len(lengths) < len(whole._distinct(everything)[0])
    types = bare.pairs.types[bare.pairs.surfaces]
    row, predicate = bare.allowed.nonzero()
    assert len(lengths) == len({(*types[i], r) for i, r in zip(row, predicate)})


def test_rows_of_a_trained_pipeline_say_how_long_it_was_trained(speed, tmp_path):
    encoder = make_bert(tmp_path / "bert")
    nlp = speed.make_bench("sample", None, 5, encoder).nlp
    nlp.config["training"]["max_steps"] = 2100
    nlp.to_disk(tmp_path / "model")
    path = tmp_path / "rows.json"
    speed.main(
        "sample",
        pairs=5,
        json_file=path,
        model=[tmp_path / "model"],
        modes="head",
        repeats=1,
    )
    row = read(path)["head"]
    assert row["steps"] == 2100
    assert speed.cells(row)[0] == "head, 2,100 steps"


def test_missing_corpus_falls_back_to_the_sample(speed, tmp_path, capsys):
    dataset, folder = speed.find_dataset("chemprot", tmp_path)
    assert dataset.name == "sample"
    assert speed.read_docs(spacy.blank("en"), dataset, folder)
    assert "There is no chemprot corpus" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [{"workload": "x"}, {"variant": "x"}])
def test_unknown_names(speed, capsys, arguments):
    with pytest.raises(SystemExit):
        speed.main(**arguments)
    assert "'x'" in capsys.readouterr().out


def test_sweep(speed, tmp_path, monkeypatch):
    for name in ("PREDICATES", "SENTENCE_WORDS", "DOC_WORDS"):
        monkeypatch.setattr(f"benchmarks.speed.sweeps.{name}", (8,))
    path = tmp_path / "rows.json"
    speed.main("sweep", pairs=12, json_file=path, docs=0, entities=6)
    rows = read(path)
    assert all(row.keys() >= KEYS for row in rows.values())
    sweeps = {row["sweep"] for row in rows.values() if "sweep" in row}
    assert sweeps == {
        *("pairs", "predicates", "words per sentence", "words per document")
    }
    assert rows["a Doc with 6 entities"]["pairs"] == 30
    for row in rows.values():
        assert (row["max_score_diff"] or 0) < 1e-4


def test_multiply_adds(import_benchmark):
    multiply_adds = import_benchmark("speed.measure").multiply_adds
    config = BertConfig(hidden_size=2, intermediate_size=3, num_hidden_layers=5)
    expected = 5 * sum(n * (4 * 4 + 2 * 6) + 2 * 2 * n * n for n in (7, 9))
    assert multiply_adds(config, numpy.asarray([7, 9])) == expected
