"""The real files. Counts are those that are published."""

import pytest
import spacy
from spacy.tokens import DocBin

from spacy_dualre import get_relations
from spacy_dualre.cli.convert import convert

pytestmark = pytest.mark.shared


@pytest.fixture
def converted(data_dir, tmp_path):
    def converted(corpus, folder):
        report = convert(corpus, data_dir / folder, tmp_path, strict=True)
        nlp = spacy.blank("en")
        docs = {
            split: list(DocBin().from_disk(path).get_docs(nlp.vocab))
            for split in ("train", "dev", "test")
            if (path := tmp_path / f"{split}.spacy")
        }
        return docs, [report[split].to_data() for split in ("train", "dev", "test")]

    return converted


def finding(data, reason):
    return sum(f["count"] for f in data["findings"] if f["reason"] == reason)


def test_chemprot(converted):
    docs, reports = converted("chemprot", "chemprot")
    assert [data["documents"] for data in reports] == [1020, 612, 800]
    gold = [sum(len(get_relations(doc)) for doc in docs[split]) for split in docs]
    assert gold == [4157, 2416, 3458]
    assert [data["relations"] for data in reports] == [
        {"CPR:4": 2254, "CPR:3": 768, "CPR:9": 727, "CPR:6": 235, "CPR:5": 173},
        {"CPR:4": 1094, "CPR:3": 550, "CPR:9": 457, "CPR:6": 199, "CPR:5": 116},
        {"CPR:4": 1661, "CPR:3": 665, "CPR:9": 644, "CPR:6": 293, "CPR:5": 195},
    ]
    assert [sum(data["mentions"].values()) for data in reports] == [25752, 15567, 20828]
    two_labels = [finding(data, "has more than one label") for data in reports]
    assert two_labels == [10, 4, 14]
    overlap = [finding(data, "subject and object overlap") for data in reports]
    assert overlap == [15, 0, 0]
    crossing = [finding(data, "crosses a sentence boundary") for data in reports]
    assert crossing == [0, 0, 0]


def test_biored(converted):
    docs, reports = converted("biored", "biored")
    assert [data["documents"] for data in reports] == [400, 100, 100]
    gold = [
        sum(len(doc.user_data["concept_relations"]) for doc in docs[split])
        for split in docs
    ]
    assert gold == [4178, 1162, 1163]
    mentions = [len(doc.spans["entities"]) for split in docs for doc in docs[split]]
    assert sum(mentions) == 20419
    no_identifier = [finding(data, "has no identifier") for data in reports]
    assert no_identifier == [31, 20, 12]
    itself = [finding(data, "of a concept with itself") for data in reports]
    assert itself == [3, 1, 0]


def test_scierc(converted):
    docs, reports = converted("scierc", "scierc")
    sentences = [sum(len(list(d.sents)) for d in docs[split]) for split in docs]
    assert sentences == [1861, 275, 551]
    assert [data["input"]["relations"] for data in reports] == [3219, 455, 974]
    repeated = [finding(data, "is there more than once") for data in reports]
    assert repeated == [4, 0, 0]
    gold = [sum(len(get_relations(doc)) for doc in docs[split]) for split in docs]
    assert gold == [3215, 455, 974]
    assert [data["tokens"] for data in reports] == [45412, 6521, 13401]
    assert [sum(data["mentions"].values()) for data in reports] == [5598, 811, 1685]


def test_semeval2010(converted):
    docs, reports = converted("semeval2010", "semeval2010_task8")
    assert len(docs["train"]) + len(docs["dev"]) == 8000
    assert len(docs["dev"]) == 799
    assert len(docs["test"]) == 2717
    other = [finding(data, "labelled Other: no relation") for data in reports]
    assert other[0] + other[1] == 1410
    assert other[2] == 454
    assert not {d.text for d in docs["train"]} & {d.text for d in docs["dev"]}
    assert finding(reports[2], "is in train too") == 15
    assert finding(reports[2], "is in dev too") == 0
    glued = [finding(data, "space set where a tag was glued") for data in reports]
    assert sum(glued) == 7
    backwards = 0
    for doc in docs["test"]:
        for relation in get_relations(doc):
            backwards += relation.object < relation.subject
    assert backwards == 194 + 150 + 39 + 1 + 47 + 134 + 201 + 51 + 123


@pytest.mark.parametrize("name", ["pubtator", "bioc"])
def test_biored_in_general_formats(data_dir, tmp_path, name):
    report = convert(name, data_dir / "biored", tmp_path / "out", strict=True)
    counts = [report[split].known_counts() for split in ("train", "dev", "test")]
    assert [c["mentions"] for c in counts] == [13351, 3533, 3535]
    assert [c["relations"] for c in counts] == [4178, 1162, 1163]
    assert report["train"].to_data()["concept_relations"]["Association"] == 2192


@pytest.fixture
def general_dir(data_dir):
    path = data_dir / "general"
    if not path.is_dir():
        pytest.skip("no folder 'general' beside the benchmark files")
    return path


def test_brat_folder(general_dir, tmp_path):
    folder = general_dir / "materials_syntheses"
    report = convert("brat-events", folder, tmp_path / "out")
    counts = report["train"].known_counts()
    assert counts["documents"] == 230
    assert counts["mentions"] == 21345
    assert counts["relations"] == 14262 + 4140
    assert report["train"].total("lost", "attribute") == 261
    assert report["train"].total("lost", "relation") == 0


def test_fire(general_dir, tmp_path):
    report = convert("fire", general_dir / "fire", tmp_path / "out")
    counts = [report[split].known_counts() for split in ("dev", "test")]
    assert [c["documents"] for c in counts] == [454, 454]
    assert [c["relations"] for c in counts] == [1225, 1213]


def test_redocred(general_dir, tmp_path):
    report = convert("docred", general_dir / "redocred_part", tmp_path / "out")
    counts = report["dev"].known_counts()
    assert counts["documents"] == 500
    assert counts["mentions"] == 13189
    assert counts["relations"] == 16003


def test_fewrel(general_dir, tmp_path):
    file = general_dir / "fewrel64" / "fewrel64_a.jsonl"
    report = convert("fewrel", file, tmp_path / "out", strict=True)
    assert len(report["train"].relations) > 1
    assert report["train"].total("noted", "document") == sum(
        report["train"].relations.values()
    )
