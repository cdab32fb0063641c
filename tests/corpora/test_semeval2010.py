"""Sentences are made up, in the format of SemEval-2010 Task 8."""

import pytest

from spacy_dualre import get_relations
from spacy_dualre.corpora.semeval2010 import TEST_FILE, TRAIN_FILE


def block(id_, sentence, label, comment=""):
    return f'{id_}\t"{sentence}"\n{label}\nComment:{comment}\n\n'


TRAIN = "".join(
    [
        block(1, "The <e1>rain</e1> caused a <e2>flood</e2>.", "Cause-Effect(e1,e2)"),
        block(2, "A <e1>flood</e1>, by <e2>rain</e2>.", "Cause-Effect(e2,e1)", " Why?"),
        block(3, "A <e1>cow</e1> saw the <e2>sea</e2>. Yes.", "Other"),
        block(4, '"Oh, <e1>tea</e1> in a "<e2>pot</e2>"', "Content-Container(e1,e2)"),
        block(5, "The<e1>oak door</e1> of a<e2>shed</e2>.", "Component-Whole(e2,e1)"),
        block(6, "The <e1>rain</e1> <e2>caused</e2> a flood.", "Other"),
    ]
)
TEST = block(8001, "A <e1>cow</e1> saw <e2>the</e2> sea. Yes.", "Other")


@pytest.fixture
def converted(convert_files):
    docs, report = convert_files(
        "semeval2010", {TRAIN_FILE: TRAIN, TEST_FILE: TEST}, strict=True
    )
    by_id = {d.user_data["doc_id"]: d for split in docs.values() for d in split}
    return by_id, report


def test_directions(converted):
    docs, _ = converted
    relations = {id_: [str(r) for r in get_relations(doc)] for id_, doc in docs.items()}
    assert relations == {
        "1": ["(rain, Cause-Effect, flood)"],
        "2": ["(rain, Cause-Effect, flood)"],
        "3": [],
        "4": ["(tea, Content-Container, pot)"],
        "5": ["(shed, Component-Whole, oak door)"],
        "6": [],
        "8001": [],
    }


def test_texts(converted):
    docs, report = converted
    assert docs["4"].text == '"Oh, tea in a "pot"'  # one quote less at each end
    assert docs["5"].text == "The oak door of a shed."
    spans = [(s.id_, s.text, s.label_) for s in docs["5"].spans["entities"]]
    assert spans == [("e1", "oak door", "NOMINAL"), ("e2", "shed", "NOMINAL")]
    assert len(list(docs["3"].sents)) == 1
    (finding,) = [f for f in report["train"].findings if f.outcome == "changed"]
    assert report["train"].findings[finding] == ["5", "5"]


def test_shared_texts_are_reported(converted):
    _, report = converted
    findings = report["test"].to_data()["findings"]
    assert {f["reason"]: f["count"] for f in findings} == {
        "is in train too": 1,
        "labelled Other: no relation": 1,
    }


def test_dev_is_stratified_and_shares_no_text(convert_files):
    labels = ["Cause-Effect(e1,e2)", "Cause-Effect(e2,e1)", "Other"]
    blocks = []
    for i in range(300):
        # Every fourth text is there twice, with other nominals.
        nominals = ("<e1>cow</e1> {}, <e2>hen</e2>", "<e1>cow</e1> <e2>{}</e2>, hen")
        sentence = nominals[i % 4 == 1].format(f"number {i - (i % 4 == 1)}")
        blocks.append(block(i, sentence, labels[i // 4 % 3]))
    blocks.append(block(300, "<e1>a</e1> <e2>b</e2>", "Message-Topic(e1,e2)"))
    files = {TRAIN_FILE: "".join(blocks), TEST_FILE: ""}
    docs, report = convert_files("semeval2010", files)
    texts = {split: {doc.text for doc in docs[split]} for split in docs}
    assert not texts["train"] & texts["dev"]
    assert len(docs["train"]) + len(docs["dev"]) == 301
    found = [(r.label, r.subject.id_) for d in docs["dev"] for r in get_relations(d)]
    assert len(docs["dev"]) == 30
    assert len(found) == 20
    order = [r.subject < r.object for d in docs["dev"] for r in get_relations(d)]
    assert order.count(True) == order.count(False) == 10
    # Other sentences and another order leave a sentence where it is.
    files[TRAIN_FILE] = "".join(reversed(blocks))
    again, _ = convert_files("semeval2010", files)
    assert {doc.text for doc in again["dev"]} == texts["dev"]


@pytest.mark.parametrize(
    "train,line,expected",
    [
        (TRAIN[:-13], 22, "expected a label"),
        (block(1, "No <e1>tag</e1>.", "Other"), 1, "expected a number, a tab"),
        (block(1, "<e2>b</e2> <e1>a</e1>.", "Other"), 1, "expected a number, a tab"),
        ("1\t<e1>a</e1> <e2>b</e2>\nOther\n", 1, "in double quotes"),
        (block(1, "<e1>a</e1> <e2>b</e2>", "Cause-Effect"), 2, "found 'Cause-Effect'"),
        (
            TRAIN.replace("Comment:", "", 1),
            3,
            "expected a line that begins with 'Comment:'",
        ),
        ('1\t"<e1>a</e1> <e2>b</e2>"\n', 2, "found ''. Is the file complete"),
    ],
)
def test_bad_files(convert_files, train, line, expected):
    with pytest.raises(ValueError, match=rf"TRAIN_FILE.TXT, line {line}: .*{expected}"):
        convert_files("semeval2010", {TRAIN_FILE: train, TEST_FILE: ""})
