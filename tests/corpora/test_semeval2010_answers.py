"""The answer format of SemEval-2010 Task 8. Sentences are made up."""

import pytest
import spacy
from spacy.tokens import DocBin, Span
from spacy.training import Example
from tiny_corpus import make_docs, make_pipeline, write_corpus
from typer.testing import CliRunner

from spacy_dualre import Relation, get_relations, set_relations
from spacy_dualre.cli import app
from spacy_dualre.corpora.semeval2010 import TEST_FILE, TRAIN_FILE, answer
from spacy_dualre.output.scorer import score_relations
from spacy_dualre.training.corpus import build_corpus

SENTENCES = [
    ("The <e1>rain</e1> caused a <e2>flood</e2>.", "Cause-Effect(e1,e2)"),
    ("A <e1>flood</e1>, made by <e2>rain</e2>.", "Cause-Effect(e2,e1)"),
    ("A <e1>cow</e1> saw the <e2>sea</e2>. Yes.", "Other"),
    ("The <e1>oak door</e1> of a <e2>shed</e2>.", "Component-Whole(e1,e2)"),
    ("The <e1>shed</e1> has a <e2>door</e2>.", "Component-Whole(e2,e1)"),
]
LABELS = [label for _, label in SENTENCES]
RELATIONS = [
    "Cause-Effect",
    "Component-Whole",
    "Content-Container",
    "Entity-Destination",
    "Entity-Origin",
    "Instrument-Agency",
    "Member-Collection",
    "Message-Topic",
    "Product-Producer",
]


@pytest.fixture
def convert_labels(convert_files):
    """Convert the sentences, over and over, with other labels; as the test split."""

    def convert_labels(labels):
        blocks = [
            f'{8001 + i}\t"{SENTENCES[i % len(SENTENCES)][0]}"\n{label}\nComment:\n\n'
            for i, label in enumerate(labels)
        ]
        files = {TRAIN_FILE: blocks[0], TEST_FILE: "".join(blocks)}
        docs, _ = convert_files("semeval2010", files)
        return docs["test"]

    return convert_labels


@pytest.fixture
def doc(convert_labels):
    return convert_labels(["Cause-Effect(e2,e1)"])[0]


@pytest.fixture
def trained_path(bert, convert_labels, tmp_path):
    """A pipeline that has learned the sentences by heart, beside their file."""
    convert_labels(LABELS)
    nlp = make_pipeline(
        bert,
        predicates={"Cause-Effect": {}, "Component-Whole": {}},
        spans_key="entities",
        decoder={"@misc": "spacy-dualre.decoder.v1", "single_direction": True},
    )
    spacy.util.fix_random_seed(0)
    examples = list(build_corpus(str(tmp_path / "output" / "test.spacy"))(nlp))
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.003
    for _ in range(60):
        nlp.update(examples, sgd=optimizer, drop=0.0)
    nlp.to_disk(tmp_path / "model")
    return tmp_path / "model"


def run(*arguments):
    return CliRunner().invoke(app, ["answers", *map(str, arguments)])


def answers_of(docs):
    return [answer(doc, get_relations(doc)) for doc in docs]


def official_macro_f(predicted, gold):
    """The task's official measure, from answer lines."""
    pairs = [[line.split("\t")[1] for line in pair] for pair in zip(predicted, gold)]
    f_scores = []
    for relation in RELATIONS:
        right = sum(p == g and g.startswith(relation) for p, g in pairs)
        # Relations with the wrong direction are among the found and the true ones.
        precision = right / sum(p.startswith(relation) for p, _ in pairs)
        recall = right / sum(g.startswith(relation) for _, g in pairs)
        f_scores.append(2 * precision * recall / (precision + recall))
    return sum(f_scores) / len(RELATIONS)


def test_gold_relations_are_the_labels_of_the_file(convert_labels):
    docs = convert_labels(LABELS)
    expected = [f"{8001 + i}\t{label}" for i, label in enumerate(LABELS)]
    assert answers_of(docs) == expected


def test_of_several_relations_the_most_probable_is_the_answer(doc):
    e1, e2 = doc.spans["entities"]
    relations = [Relation(e1, e2, "A", 0.4), Relation(e2, e1, "B", 0.6)]
    assert answer(doc, relations) == "8001\tB(e2,e1)"
    assert answer(doc, reversed(relations)) == "8001\tB(e2,e1)"


@pytest.mark.parametrize(
    "ids", [[], ["e1"], ["e1", "e1"], ["e1", "e3"], ["e1", "e2", "e3"]]
)
def test_other_nominals_are_refused(doc, ids):
    doc.spans["entities"] = [
        Span(doc, i, i + 1, label="NOMINAL", span_id=id_) for i, id_ in enumerate(ids)
    ]
    with pytest.raises(ValueError, match="Is this SemEval-2010 Task 8, converted"):
        answer(doc, ())


def test_a_doc_without_id_is_refused(doc):
    del doc.user_data["doc_id"]
    with pytest.raises(ValueError, match="Is this SemEval-2010 Task 8, converted"):
        answer(doc, ())


def test_macro_f_is_the_official_measure(convert_labels):
    gold, predicted = [], []
    for i, relation in enumerate(RELATIONS):
        forward, backward = f"{relation}(e1,e2)", f"{relation}(e2,e1)"
        other = f"{RELATIONS[i - 1]}(e1,e2)"
        confusion = [
            *[(forward, forward), (backward, backward)] * (i + 1),
            (forward, backward),
            *[(forward, other), (other, backward)] * (i % 3),
            *[("Other", forward)] * (i % 2),
            *[(backward, "Other")] * (i % 4),
            ("Other", "Other"),
        ]
        gold += [pair[0] for pair in confusion]
        predicted += [pair[1] for pair in confusion]
    found, true = convert_labels(predicted), convert_labels(gold)
    scores = score_relations([Example(*pair) for pair in zip(found, true)])
    expected = official_macro_f(answers_of(found), answers_of(true))
    assert 0.3 < expected < 0.9
    assert scores["rel_macro_f"] == pytest.approx(expected)


def test_the_command_writes_what_the_pipeline_finds(trained_path, tmp_path):
    data, output = tmp_path / "output" / "test.spacy", tmp_path / "deep" / "answers.txt"
    result = run(trained_path, data, output)
    assert result.exit_code == 0, result.output
    expected = [f"{8001 + i}\t{label}\n" for i, label in enumerate(LABELS)]
    assert output.read_text("utf8") == "".join(expected)
    # Whatever the gold relations are.
    docs = [eg.reference for eg in build_corpus(str(data))(spacy.blank("en"))]
    for doc in docs:
        set_relations(doc, ())
    DocBin(docs=docs, store_user_data=True).to_disk(data)
    again = tmp_path / "again.txt"
    assert run(trained_path, data, again).exit_code == 0
    assert again.read_text("utf8") == output.read_text("utf8")


def test_the_command_refuses_another_corpus(trained_path, tmp_path):
    data = write_corpus(tmp_path / "other.spacy", make_docs(spacy.blank("en").vocab))
    result = run(trained_path, data, tmp_path / "answers.txt")
    assert result.exit_code == 1
    assert "Is this SemEval-2010 Task 8" in " ".join(result.output.split())
    assert not (tmp_path / "answers.txt").exists()


def test_the_command_names_the_component_that_is_missing(convert_labels, tmp_path):
    convert_labels(LABELS)
    spacy.blank("en").to_disk(tmp_path / "blank")
    data = tmp_path / "output" / "test.spacy"
    result = run(tmp_path / "blank", data, tmp_path / "answers.txt")
    assert result.exit_code == 1
    assert "dual_relation_extractor" in result.output


@pytest.mark.shared
def test_gold_answers_of_the_real_test_split_are_its_key(data_dir, convert_files):
    folder = data_dir / "semeval2010_task8"
    own = f'1\t"{SENTENCES[0][0]}"\n{LABELS[0]}\nComment:\n'
    files = {TRAIN_FILE: own, TEST_FILE: (folder / TEST_FILE).read_text("utf8")}
    docs, _ = convert_files("semeval2010", files)
    lines = [f"{line}\n" for line in answers_of(docs["test"])]
    key = (folder / TEST_FILE).with_name("TEST_FILE_KEY_DIRECTED.derived.TXT")
    assert "".join(lines) == key.read_text("utf8")
