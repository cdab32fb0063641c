"""`spacy-dualre check`: what is said of data and settings before training."""

import pytest
import spacy
from spacy.tokens import Doc, Span
from tiny_corpus import SENTENCES, make_doc, write_corpus
from typer.testing import CliRunner

from spacy_dualre.cli import app
from spacy_dualre.cli.check import check
from spacy_dualre.cli.init import init
from spacy_dualre.predicates import parse_predicates, to_data

COMPONENT = "components.dual_relation_extractor"
PER, LOC = (0, 1, "PER"), (3, 4, "LOC")
WORKS = [(0, "works_in", 1)]


@pytest.fixture
def check_docs(tmp_path, bert):
    """Checks Docs with settings of the component."""

    def check_docs(train, dev=None, test=(), **settings):
        vocab = spacy.blank("en").vocab
        folder = tmp_path / "corpus"
        folder.mkdir()
        dev = OTHER if dev is None else dev
        for split, own in (("train", train), ("dev", dev), ("test", test)):
            docs = [make_doc(vocab, *x) if isinstance(x, tuple) else x for x in own]
            write_corpus(folder / f"{split}.spacy", docs)
        overrides = {
            f"{COMPONENT}.{k.replace('__', '.')}": v for k, v in settings.items()
        }
        return check(
            folder, overrides={f"{COMPONENT}.model.encoder": bert, **overrides}
        )

    return check_docs


# Twelve sentences of one label, which give no reason for a finding, and others.
TRAIN = [(f"Ann{i} works in Oslo .", [PER, LOC], WORKS) for i in range(12)]
OTHER = [("Bob works in Rome .", [PER, LOC], WORKS)]
DESCRIBED = to_data(parse_predicates({"works_in": "{subject} has a job in {object}"}))


def findings_of(found):
    return [finding.what for finding in found.findings]


def test_nothing_is_found_where_all_is_well(check_docs):
    found = check_docs(TRAIN, predicates=DESCRIBED)
    assert findings_of(found) == []
    assert not found.failed
    assert found.reports["train"].labels == {"works_in": 12}


def test_command_says_what_there_is_and_that_it_is_ready(tmp_path, bert):
    docs = [make_doc(spacy.blank("en").vocab, *sentence) for sentence in SENTENCES]
    for split in ("train", "dev"):
        write_corpus(tmp_path / f"{split}.spacy", docs)
    encoder = ["--components.dual_relation_extractor.model.encoder", bert]
    result = CliRunner().invoke(app, ["check", str(tmp_path), *encoder])
    assert result.exit_code == 0, result.output
    output = " ".join(result.output.split())
    assert "born_in 2 2" in output
    assert "candidate recall of relations, % 100.0 100.0" in output
    assert "6 texts of dev are in train, too" in output
    assert "Ready to train" in output


def test_config_is_checked_with_its_own_predicates(tmp_path, bert):
    docs = [make_doc(spacy.blank("en").vocab, *sentence) for sentence in SENTENCES]
    for split in ("train", "dev"):
        write_corpus(tmp_path / f"{split}.spacy", docs)
    encoder = {f"{COMPONENT}.model.encoder": bert}
    made = init(tmp_path, tmp_path / "out", overrides=encoder)
    assert not check(made.config).failed
    text = made.predicates.read_text("utf8").replace('"born_in"', '"born"')
    made.predicates.write_text(text, encoding="utf8")
    found = check(made.config)
    assert found.failed
    assert "no predicate for: 2 born_in" in found.findings[0].what


@pytest.mark.parametrize("split", ["train", "dev"])
def test_split_without_relations_is_fatal(check_docs, split):
    without = [("Bob works in Rome .", [PER, LOC], [])]
    train, dev = (TRAIN, without) if split == "dev" else (without, OTHER)
    found = check_docs(train, dev)
    assert found.failed
    assert (
        f"None of the 1 documents of {split} has a relation" in found.findings[0].what
    )


def test_exit_status_is_1_where_training_means_nothing(tmp_path, bert):
    vocab = spacy.blank("en").vocab
    for split in ("train", "dev"):
        doc = make_doc(vocab, "Bob works in Rome .", [PER, LOC], [])
        write_corpus(tmp_path / f"{split}.spacy", [doc])
    encoder = ["--components.dual_relation_extractor.model.encoder", bert]
    result = CliRunner().invoke(app, ["check", str(tmp_path), *encoder])
    assert result.exit_code == 1
    assert "Training would fail, or mean nothing" in result.output


def test_error_of_training_is_fatal(check_docs):
    found = check_docs(TRAIN, model__encoder="/nowhere")
    assert found.failed
    assert "Training would fail: Can't load the encoder" in found.findings[0].what


def across(n):
    """Sentences with a relation across their boundary."""
    docs = []
    for i in range(n):
        words = ["Ann", f"sleeps{i}", "Rome", "is", "far"]
        starts = [True, False, True, False, False]
        doc = Doc(spacy.blank("en").vocab, words=words, sent_starts=starts)
        doc.ents = [Span(doc, 0, 1, "PER"), Span(doc, 2, 3, "LOC")]
        doc._.relations = [(*doc.ents, "works_in")]
        docs.append(doc)
    return docs


def test_lost_relations_are_named_by_reason_with_what_to_change(check_docs):
    found = check_docs([*TRAIN, *across(1)], candidates__max_sentences=1)
    (finding,) = [f for f in found.findings if "no candidate" in f.what]
    assert not finding.fatal
    assert "1 of the 13 relations of train" in finding.what
    assert "1 sentences" in finding.what
    assert "raise candidates.max_sentences" in finding.advice


def test_no_relation_between_candidates_is_fatal(check_docs):
    found = check_docs(across(12), candidates__max_sentences=1)
    assert found.failed
    assert "between candidates: 12 sentences" in found.findings[0].what


def test_signature_is_violated(check_docs):
    predicates = to_data(parse_predicates({"works_in": {"object_types": ["LOC"]}}))
    odd = ("Ann works in Oslo now .", [PER, (3, 4, "CITY")], WORKS)
    found = check_docs([*TRAIN, odd], predicates=predicates)
    assert any(
        "such as 1 works_in (PER -> CITY)" in what for what in findings_of(found)
    )


def test_pair_with_two_labels(check_docs):
    both = ("Eve works in Oslo .", [PER, LOC], [*WORKS, (0, "lives_in", 1)])
    found = check_docs([*TRAIN, both])
    assert any(
        "of pairs that have another label" in what for what in findings_of(found)
    )


def test_pair_with_a_label_and_no_relation(check_docs):
    both = ("Eve works in Oslo .", [PER, LOC], [*WORKS, (0, "no_relation", 1)])
    found = check_docs([*TRAIN, both])
    assert any("both no_relation and a label" in what for what in findings_of(found))


def test_labels_that_are_rare_or_in_one_split_only(check_docs):
    rare = ("Eve lives in Oslo .", [PER, LOC], [(0, "lives_in", 1)])
    other = ("Eve sleeps in Oslo .", [PER, LOC], [(0, "sleeps_in", 1)])
    whats = findings_of(check_docs([*TRAIN, rare], [*OTHER, other]))
    assert any("fewer than 10 relations in train: 1 lives_in" in what for what in whats)
    assert any("train does not have: sleeps_in" in what for what in whats)
    assert any("are found: lives_in" in what for what in whats)


def test_labels_out_of_balance(check_docs):
    many = [(f"Al{i} works in Oslo .", [PER, LOC], WORKS) for i in range(101)]
    rare = ("Eve lives in Oslo .", [PER, LOC], [(0, "lives_in", 1)])
    whats = findings_of(check_docs([*many, rare]))
    assert any("101 times as many relations" in what for what in whats)


def test_texts_in_two_splits(check_docs):
    whats = findings_of(check_docs(TRAIN, [*OTHER, TRAIN[0]], TRAIN[:2]))
    assert any("1 texts of dev are in train" in what for what in whats)
    assert any("2 texts of test are in train" in what for what in whats)


def test_texts_that_are_shortened(check_docs):
    long = ("Ann works in Oslo . " + "and " * 90, [PER, LOC], WORKS)
    whats = findings_of(check_docs([*TRAIN, long], model__max_length=64))
    assert any("do not fit into max_length" in what for what in whats)


def test_descriptions_that_nobody_wrote_and_that_are_alike(check_docs):
    predicates = {
        "works_in": "{subject} works in the city of {object}",
        "worked_in": "{subject} worked in the city of {object}",
        "lives_in": None,
    }
    found = check_docs(TRAIN, predicates=to_data(parse_predicates(predicates)))
    whats = findings_of(found)
    assert any("alike: works_in and worked_in" in what for what in whats)
    assert any("1 of the 3 descriptions" in what for what in whats)


def test_many_pairs(check_docs):
    words = " ".join(f"w{i}" for i in range(30))
    entities = [(i, i + 1, "PER") for i in range(30)]
    relations = [(i, "works_in", i + 1) for i in range(12)]
    whats = findings_of(check_docs([(words, entities, relations)]))
    assert any("has 870 candidate pairs" in what for what in whats)


def with_ids(words, ids):
    """A Doc of two sentences, each word of which is an entity with an id."""
    words = words.split()
    starts = [i in (0, len(words) // 2) for i in range(len(words))]
    doc = Doc(spacy.blank("en").vocab, words=words, sent_starts=starts)
    doc.ents = [Span(doc, i, i + 1, "X", kb_id=id_) for i, id_ in enumerate(ids)]
    doc._.relations = [
        (s, o, "works_in")
        for s in doc.ents
        for o in doc.ents
        if (s.kb_id_, o.kb_id_) == ("a", "b")
    ]
    return doc


def test_relations_of_concepts_are_counted_by_concept(check_docs):
    # Of 2 x 2 mention pairs one is a candidate, which is enough.
    docs = [with_ids(f"Ann Bo{i} it he", "abab") for i in range(12)]
    limit = {"candidates__max_pairs_per_concept": 1}
    found = check_docs(docs, predicates=DESCRIBED, **limit)
    assert found.by_concept
    assert found.reports["train"].candidate_recall < 1
    assert (
        found.reports["train"].concepts_found == found.reports["train"].concepts == 12
    )
    assert not any("no candidate" in what for what in findings_of(found))


def test_corpus_without_a_split_is_refused(tmp_path):
    write_corpus(tmp_path / "train.spacy", [])
    with pytest.raises(ValueError, match="There is no dev.spacy"):
        check(tmp_path)
