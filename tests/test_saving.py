"""Saving, loading, copying and sending to other processes."""

import json
import pickle
import shutil

import pytest
import spacy
import srsly
import torch
from processes import NO_NETWORK, run_process, run_python
from spacy.tokens import Doc, DocBin
from tiny_corpus import (
    PREDICATES,
    make_doc,
    make_examples,
    make_pipeline,
    relations_of,
    train,
    with_entities,
    write_corpus,
)

from spacy_dualre.model.shim import get_shim

NAME = "dual_relation_extractor"


@pytest.fixture(scope="module")
def half_trained(bert):
    """A pipeline whose probabilities are not all close to 0 or 1."""
    nlp = make_pipeline(bert)
    train(nlp, steps=8)
    nlp.get_pipe(NAME).cfg["threshold"] = 0.2
    return nlp


@pytest.fixture(scope="module")
def half_trained_path(half_trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("half_trained") / "model"
    half_trained.to_disk(path)
    return path


@pytest.fixture(scope="module")
def docs_path(half_trained, tmp_path_factory):
    """Docs with entities and without relations, as a file."""
    return write_corpus(
        tmp_path_factory.mktemp("docs") / "docs.spacy", with_entities(half_trained)
    )


def probabilities_of(nlp, docs):
    scored = nlp.get_pipe(NAME).predict(docs)
    return [item.probabilities.tolist() for item in scored]


def relations_in(nlp):
    return [relations_of(doc) for doc in nlp.pipe(with_entities(nlp))]


# --- in this process


def test_half_trained_scores_are_worth_comparing(half_trained):
    scores = {r[3] for doc in relations_in(half_trained) for r in doc}
    assert len(scores) > 3
    assert all(0 < score < 1 for score in scores)


def test_bytes_round_trip(half_trained):
    loaded = spacy.blank("en")
    loaded.add_pipe(NAME)
    loaded.get_pipe(NAME).from_bytes(half_trained.get_pipe(NAME).to_bytes())
    docs = with_entities(half_trained)
    assert probabilities_of(loaded, docs) == probabilities_of(half_trained, docs)


def test_bytes_of_the_pipeline_round_trip(half_trained):
    loaded = spacy.blank("en")
    loaded.add_pipe(NAME)
    loaded.from_bytes(half_trained.to_bytes())
    assert relations_in(loaded) == relations_in(half_trained)


def test_disk_round_trip(half_trained, half_trained_path):
    assert relations_in(spacy.load(half_trained_path)) == relations_in(half_trained)


def test_what_was_loaded_can_be_saved_again(half_trained, half_trained_path, tmp_path):
    spacy.load(half_trained_path).to_disk(tmp_path)
    assert relations_in(spacy.load(tmp_path)) == relations_in(half_trained)


def test_pickle_round_trip(half_trained):
    copy = pickle.loads(pickle.dumps(half_trained))
    assert relations_in(copy) == relations_in(half_trained)


def test_pickled_component_is_a_copy(half_trained):
    before = relations_in(half_trained)
    copy = pickle.loads(pickle.dumps(half_trained))
    copy.update(make_examples(copy), sgd=copy.create_optimizer())
    assert relations_in(half_trained) == before


def test_weights_can_be_left_out(half_trained, tmp_path):
    component = half_trained.get_pipe(NAME)
    component.to_disk(tmp_path / "part", exclude=["model"])
    assert not (tmp_path / "part" / "model").exists()
    without = component.to_bytes(exclude=["model"])
    assert (
        len(without) < len(component.to_bytes()) - len(component.model.to_bytes()) / 2
    )


def test_weights_left_out_are_left_alone_when_loading(half_trained, tmp_path):
    other = pickle.loads(pickle.dumps(half_trained))
    other.get_pipe(NAME).cfg["threshold"] = 0.9
    data = other.get_pipe(NAME).to_bytes(exclude=["model"])
    copy = pickle.loads(pickle.dumps(half_trained)).get_pipe(NAME)
    copy.from_bytes(data, exclude=["model"])
    docs = with_entities(half_trained)
    assert copy.threshold == 0.9
    assert (
        copy.predict(docs)[3].probabilities.tolist()
        == (probabilities_of(half_trained, docs)[3])
    )


def test_untrained_pipeline_round_trips(tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe(NAME, config={"predicates": PREDICATES})
    nlp.to_disk(tmp_path)
    assert spacy.load(tmp_path).get_pipe(NAME).labels == tuple(PREDICATES)


def test_loaded_pipeline_needs_no_encoder_folder(half_trained, tmp_path):
    config = half_trained.config.copy()
    config["components"][NAME]["model"]["encoder"] = "moved/away"
    loaded = spacy.util.load_model_from_config(config)
    loaded.from_bytes(half_trained.to_bytes())
    assert relations_in(loaded) == relations_in(half_trained)


def test_predicates_are_saved_with_the_component(bert, tmp_path):
    nlp = make_pipeline(bert, predicates=None)
    nlp.initialize(lambda: make_examples(nlp))
    nlp.to_disk(tmp_path)
    predicates = spacy.load(tmp_path).get_pipe(NAME).predicates
    assert predicates == nlp.get_pipe(NAME).predicates


def test_training_goes_on_after_loading(half_trained_path):
    nlp = spacy.load(half_trained_path)
    examples = make_examples(nlp)
    optimizer = nlp.resume_training()
    optimizer.learn_rate = 0.003
    losses = [nlp.update(examples, sgd=optimizer)[NAME] for _ in range(20)]
    assert losses[-1] < losses[0] / 2


def saved(nlp, path):
    """Save and load a pipeline."""
    nlp.to_disk(path)
    return spacy.load(path)


@pytest.fixture
def changeable(half_trained):
    return pickle.loads(pickle.dumps(half_trained))


@pytest.mark.parametrize("threshold", [None, 0.0, 0.75, {"knows": 0.5}])
def test_changed_threshold_is_saved(changeable, tmp_path, threshold):
    changeable.get_pipe(NAME).threshold = threshold
    assert saved(changeable, tmp_path).get_pipe(NAME).threshold == threshold


def test_threshold_that_find_threshold_sets_is_saved(changeable, tmp_path):
    component = changeable.get_pipe(NAME)
    component.cfg = {**component.cfg, "threshold": 0.75}
    assert saved(changeable, tmp_path).get_pipe(NAME).threshold == 0.75


def test_added_predicate_is_saved(changeable, tmp_path):
    component = changeable.get_pipe(NAME)
    component.add_label("owns")
    loaded = saved(changeable, tmp_path)
    assert loaded.get_pipe(NAME).predicates == component.predicates
    docs = with_entities(loaded)
    assert probabilities_of(loaded, docs) == probabilities_of(changeable, docs)


def test_removed_predicate_is_saved(changeable, tmp_path):
    component = changeable.get_pipe(NAME)
    component.set_predicates(component.label_data[1:3])
    loaded = saved(saved(changeable, tmp_path / "1"), tmp_path / "2")
    assert loaded.get_pipe(NAME).labels == tuple(PREDICATES)[:2]


@pytest.mark.parametrize("value", [0.0, 0.9])
def test_override_beats_a_changed_threshold(changeable, tmp_path, value):
    changeable.get_pipe(NAME).threshold = 0.75
    changeable.to_disk(tmp_path)
    loaded = spacy.load(tmp_path, config={f"components.{NAME}.threshold": value})
    assert loaded.get_pipe(NAME).threshold == value


def test_override_beats_changed_predicates(changeable, tmp_path):
    changeable.get_pipe(NAME).add_label("owns")
    changeable.to_disk(tmp_path)
    predicates = [{"label": "lives_in"}]
    config = {f"components.{NAME}.predicates": predicates}
    assert spacy.load(tmp_path, config=config).get_pipe(NAME).labels == ("lives_in",)


def test_what_an_override_set_is_saved_again(half_trained_path, tmp_path):
    config = {f"components.{NAME}.threshold": 0.9}
    loaded = spacy.load(half_trained_path, config=config)
    assert saved(loaded, tmp_path).get_pipe(NAME).threshold == 0.9


def flip(data, position):
    """Flip a bit."""
    changed = bytearray(data)
    changed[position] ^= 4
    return bytes(changed)


DAMAGES = {
    "cut": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "noise": lambda data: b"\x07" * 99,
    "first byte flipped": lambda data: flip(data, 0),
    "last byte flipped": lambda data: flip(data, -1),
}


@pytest.mark.parametrize("name", ["cfg", "model"])
def test_missing_file_is_named(half_trained_path, tmp_path, name):
    folder = shutil.copytree(half_trained_path, tmp_path / "model") / NAME
    (folder / name).unlink()
    with pytest.raises(OSError, match=str(folder / name)):
        spacy.load(tmp_path / "model")


@pytest.mark.parametrize("name", ["cfg", "model"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damaged_file_is_named(half_trained_path, tmp_path, name, damage):
    folder = shutil.copytree(half_trained_path, tmp_path / "model") / NAME
    (folder / name).write_bytes(damage((folder / name).read_bytes()))
    with pytest.raises(ValueError, match=f"Can't load '{name}' from {folder}"):
        spacy.load(tmp_path / "model")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_bit_of_the_weights_that_is_flipped_is_noticed(
    half_trained_path, tmp_path, share
):
    folder = shutil.copytree(half_trained_path, tmp_path / "model") / NAME
    data = (folder / "model").read_bytes()
    (folder / "model").write_bytes(flip(data, int(share * len(data))))
    with pytest.raises(ValueError, match=f"Can't load 'model' from {folder}"):
        spacy.load(tmp_path / "model")


@pytest.mark.parametrize("name", ["cfg", "model"])
def test_file_of_another_pipeline_is_noticed(
    half_trained_path, trained_path, tmp_path, name
):
    folder = shutil.copytree(half_trained_path, tmp_path / "model") / NAME
    shutil.copy(trained_path / NAME / name, folder / name)
    with pytest.raises(ValueError, match="'model' from .* not what 'cfg' was saved"):
        spacy.load(tmp_path / "model")


def test_damaged_bytes_are_named(half_trained):
    files = srsly.msgpack_loads(half_trained.get_pipe(NAME).to_bytes())
    files["model"] = flip(files["model"], 1000)
    with pytest.raises(ValueError, match="Can't load 'model' from bytes"):
        pickle.loads(pickle.dumps(half_trained)).get_pipe(NAME).from_bytes(
            srsly.msgpack_dumps(files)
        )


def test_any_bit_of_cfg_that_is_flipped_is_noticed_or_harmless(
    half_trained_path, tmp_path
):
    folder = shutil.copytree(half_trained_path, tmp_path / "model") / NAME
    component = spacy.load(half_trained_path).get_pipe(NAME)
    data, before = (folder / "cfg").read_bytes(), dict(component.cfg)
    noticed = harmless = 0
    for position in range(0, len(data), 11):
        changed = bytearray(data)
        changed[position] ^= 1 << position % 7
        (folder / "cfg").write_bytes(changed)
        try:
            component.from_disk(folder, exclude=["model", "vocab"])
        except ValueError as e:
            assert f"Can't load 'cfg' from {folder}" in str(e)
            noticed += 1
        else:
            assert component.cfg == before
            harmless += 1
    assert noticed > 9 * harmless


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_weight_that_is_no_number_is_said_when_it_is_loaded(
    half_trained, tmp_path, number
):
    nlp = pickle.loads(pickle.dumps(half_trained))
    module = get_shim(nlp.get_pipe(NAME).model).module
    with torch.no_grad():
        next(module.instance_encoder.parameters())[0, 0] = number
    nlp.to_disk(tmp_path)
    with pytest.raises(ValueError) as error:
        spacy.load(tmp_path)
    for part in (str(tmp_path / NAME), "'model'", "instance_encoder", "training div"):
        assert part in str(error.value)


def test_weights_that_do_not_fit_the_config_are_refused(half_trained_path, tmp_path):
    override = {"components": {NAME: {"model": {"use_context": False}}}}
    with pytest.raises(ValueError, match="do not fit"):
        spacy.load(half_trained_path, config=override)


def test_changed_description_changes_the_scores(half_trained, changeable, tmp_path):
    component = changeable.get_pipe(NAME)
    data = component.label_data
    data[2]["description"] = "{object} is where {subject} has a job"
    component.set_predicates(data)
    changed = saved(changeable, tmp_path)
    docs = with_entities(changed)
    assert probabilities_of(changed, docs) != probabilities_of(half_trained, docs)


def test_two_trained_pipelines_do_not_share_descriptions(half_trained_path, bert):
    one, other = spacy.load(half_trained_path), spacy.load(half_trained_path)
    train(other, steps=3)
    docs = with_entities(one)
    before = probabilities_of(one, docs)
    probabilities_of(other, docs)
    assert probabilities_of(one, docs) == before


def test_component_with_a_key_of_its_own_keeps_it(bert, tmp_path):
    nlp = make_pipeline(bert, relations_key="found_relations")
    train(nlp, steps=2)
    nlp.to_disk(tmp_path)
    Doc.remove_extension("found_relations")
    other = spacy.load(tmp_path)
    doc = other(make_doc(other.vocab, "Anna .", [(0, 1, "PER")], []))
    assert doc._.found_relations == ()


# --- sourcing


def test_sourced_component_gives_the_same_relations(half_trained):
    expected = relations_in(half_trained)
    source = pickle.loads(pickle.dumps(half_trained))
    nlp = spacy.blank("en")
    nlp.add_pipe(NAME, source=source, name="relations_of_another")
    assert [relations_of(doc) for doc in nlp.pipe(with_entities(nlp))] == expected


def test_sourced_component_is_saved_under_its_new_name(half_trained, tmp_path):
    source = pickle.loads(pickle.dumps(half_trained))
    nlp = spacy.blank("en")
    nlp.add_pipe(NAME, source=source, name="renamed")
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    docs = loaded.pipe(with_entities(loaded))
    assert [relations_of(doc) for doc in docs] == relations_in(half_trained)


# --- other processes


PREDICT = (
    NO_NETWORK
    + """
import json, sys
import spacy
from spacy.tokens import DocBin

nlp = spacy.load(sys.argv[1])
docs = list(DocBin().from_disk(sys.argv[2]).get_docs(nlp.vocab))
scored = nlp.get_pipe("dual_relation_extractor").predict(docs)
found = [
    [(r.subject.text, r.label, r.object.text, r.score) for r in doc._.relations]
    for doc in nlp.pipe(docs)
]
json.dump([[item.probabilities.tolist() for item in scored], found], sys.stdout)
"""
)


@pytest.mark.slow
def test_fresh_process_without_network_gives_the_same_to_the_last_digit(
    half_trained, half_trained_path, docs_path
):
    output = run_python(
        PREDICT, half_trained_path, docs_path, HF_HUB_OFFLINE="1", HF_HOME="/nowhere"
    )
    probabilities, found = json.loads(output)
    assert probabilities == probabilities_of(half_trained, with_entities(half_trained))
    assert [[tuple(r) for r in doc] for doc in found] == relations_in(half_trained)


PARALLEL = """
import json, multiprocessing, sys
import spacy
from spacy.tokens import DocBin

if __name__ == "__main__":
    found = {}
    nlp = spacy.load(sys.argv[1])
    for method in ("fork", "spawn"):
        multiprocessing.set_start_method(method, force=True)
        docs = list(DocBin().from_disk(sys.argv[2]).get_docs(nlp.vocab))
        found[method] = [
            [(r.subject.text, r.label, r.object.text, r.score) for r in doc._.relations]
            for doc in nlp.pipe(docs, n_process=2, batch_size=2)
        ]
    json.dump(found, sys.stdout)
"""


@pytest.fixture(scope="module")
def found_in_parallel(half_trained_path, docs_path, tmp_path_factory):
    """What two processes find, by how they are started."""
    script = tmp_path_factory.mktemp("parallel") / "parallel.py"
    script.write_text(PARALLEL)
    return json.loads(
        run_process("-W", "ignore", script, half_trained_path, docs_path)[0]
    )


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_several_processes_give_the_same_relations_and_scores(
    half_trained, found_in_parallel, method
):
    found = found_in_parallel[method]
    assert [[tuple(r) for r in doc] for doc in found] == relations_in(half_trained)


def test_relations_survive_a_doc_bin(half_trained):
    docs = list(half_trained.pipe(with_entities(half_trained)))
    vocab = spacy.blank("en").vocab
    data = DocBin(docs=docs).to_bytes()
    stored = DocBin().from_bytes(data).get_docs(vocab)
    assert [relations_of(d) for d in stored] == [relations_of(d) for d in docs]
