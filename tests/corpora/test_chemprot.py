"""Sentences are made up, in the format of ChemProt."""

import pytest

from spacy_dualre import get_relations
from spacy_dualre.corpora.chemprot import SPLIT_FILES

TITLE = "Fooxane blocks barase."
ABSTRACT = "In rats β-fooxane\u00a0A cut barase-2. It bound bazin."
TEXT = f"{TITLE} {ABSTRACT}"


def entity(id_, type_, mention, pmid="11", nth=0):
    start = -1
    for _ in range(nth + 1):
        start = TEXT.index(mention, start + 1)
    end = start + len(mention)
    return f"{pmid}\t{id_}\t{type_}\t{start}\t{end}\t{mention}\n"


ENTITIES = "".join(
    [
        entity("T4", "GENE-Y", "bazin"),
        entity("T1", "CHEMICAL", "Fooxane"),
        entity("T2", "GENE-N", "barase"),
        entity("T3", "CHEMICAL", "β-fooxane\u00a0A"),
        entity("T5", "CHEMICAL", "ooxane\u00a0A"),  # nested, cuts a token
        entity("T6", "GENE-N", "ooxane\u00a0A"),  # identical
        entity("T7", "GENE-Y", "barase", nth=1),  # cuts a token
    ]
)
GOLD = "".join(
    [
        "11\tCPR:4\tArg1:T1\tArg2:T2\n",
        "11\tCPR:9\tArg1:T1\tArg2:T2\n",
        "11\tCPR:4\tArg1:T3\tArg2:T7\n",
        "11\tCPR:3\tArg1:T3\tArg2:T4\n",
        "11\tCPR:3\tArg1:T5\tArg2:T6\n",
    ]
)


def corpus(abstracts=f"11\t{TITLE}\t{ABSTRACT}\n", entities=ENTITIES, gold=GOLD):
    files = {name: "" for names in SPLIT_FILES.values() for name in names}
    return {**files, **dict(zip(SPLIT_FILES["train"], (abstracts, entities, gold)))}


@pytest.fixture
def converted(convert_files):
    docs, report = convert_files("chemprot", corpus(), strict=True)
    assert set(docs) == {"train"}
    return docs["train"][0], report["train"]


def test_text_and_mentions(converted):
    doc, _ = converted
    assert doc.text == TEXT
    assert doc.user_data["doc_id"] == "11"
    assert {(s.id_, s.label_, s.text) for s in doc.spans["entities"]} == {
        ("T1", "CHEMICAL", "Fooxane"),
        ("T2", "GENE-N", "barase"),
        ("T3", "CHEMICAL", "β-fooxane\u00a0A"),
        ("T4", "GENE-Y", "bazin"),
        ("T5", "CHEMICAL", "ooxane\u00a0A"),
        ("T6", "GENE-N", "ooxane\u00a0A"),
        ("T7", "GENE-Y", "barase"),
    }
    assert [ent.text for ent in doc.ents] == [
        *("Fooxane", "barase", "β-fooxane\u00a0A", "barase", "bazin")
    ]


def test_relations_have_the_chemical_as_subject(converted):
    doc, _ = converted
    relations = {(str(r), r.object.start_char) for r in get_relations(doc)}
    second = TEXT.index("barase-2")
    assert relations == {
        ("(Fooxane, CPR:4, barase)", TEXT.index("barase")),
        ("(Fooxane, CPR:9, barase)", TEXT.index("barase")),
        ("(β-fooxane\u00a0A, CPR:4, barase)", second),
        ("(β-fooxane\u00a0A, CPR:3, bazin)", TEXT.index("bazin")),
        ("(ooxane\u00a0A, CPR:3, ooxane\u00a0A)", TEXT.index("ooxane\u00a0A")),
    }


def test_title_is_a_sentence(converted):
    doc, _ = converted
    assert [sentence.text for sentence in doc.sents] == [
        TITLE,
        "In rats β-fooxane\u00a0A cut barase-2.",
        "It bound bazin.",
    ]


def test_report(converted):
    data = converted[1].to_data()
    assert data["documents"] == 1
    assert data["sentences"] == 3
    assert data["input"] == {"mentions": 7, "relations": 5}
    assert data["mentions"] == {"CHEMICAL": 3, "GENE-N": 2, "GENE-Y": 2}
    assert data["relations"] == {"CPR:3": 2, "CPR:4": 2, "CPR:9": 1}
    found = {(f["outcome"], f["what"], f["reason"]): f for f in data["findings"]}
    assert {key: finding["count"] for key, finding in found.items()} == {
        ("noted", "document", "sentences were found by rule"): 1,
        ("changed", "mention", "split a token at its edge"): 3,
        ("noted", "mention", "not in doc.ents: overlaps a longer"): 2,
        ("noted", "pair", "has more than one label"): 1,
        ("noted", "relation", "crosses a sentence boundary"): 1,
        ("noted", "relation", "subject and object overlap"): 1,
    }
    assert all(finding["examples"] == ["11"] for finding in found.values())


def test_leading_double_quote(convert_files):
    abstracts = '11\t"A" is\there "b\n12\tNext\t"one"\n'
    docs, _ = convert_files("chemprot", corpus(abstracts, "", ""))
    assert [doc.text for doc in docs["train"]] == ['"A" is here "b', 'Next "one"']


def test_title_without_full_stop_is_a_sentence(convert_files):
    docs, _ = convert_files("chemprot", corpus("11\tA title\tand text.\n", "", ""))
    assert [s.text for s in docs["train"][0].sents] == ["A title", "and text."]


def test_other_line_ends_in_the_text(convert_files):
    docs, _ = convert_files("chemprot", corpus("11\tA\u2028b\tc\u0085d\n", "", ""))
    assert docs["train"][0].text == "A\u2028b c\u0085d"


@pytest.mark.parametrize(
    "files,reason",
    [
        ({"gold": "11\tCPR:4\tArg1:T1\tArg2:T9\n"}, "relation: .* no such mention"),
        ({"gold": "99\tCPR:4\tArg1:T1\tArg2:T2\n"}, "relation: .* no such abstract"),
        (
            {"entities": ENTITIES + "99\tT1\tCHEMICAL\t0\t7\tFooxane\n"},
            "mention: .* no such abstract",
        ),
    ],
)
def test_losses(convert_files, tmp_path, files, reason):
    with pytest.raises(ValueError, match=f"--strict[^:]*:\ntrain: {reason}"):
        convert_files("chemprot", corpus(**files), strict=True)
    assert not (tmp_path / "output").exists()
    _, report = convert_files("chemprot", corpus(**files))
    ((split, finding, doc_ids),) = report.losses()
    assert split == "train"
    assert finding.outcome == "lost"
    assert len(doc_ids) == 1


@pytest.mark.parametrize(
    "files,where,expected",
    [
        (
            {"abstracts": "11\tA\tb\n12\tA\n"},
            "abstracts.tsv, line 2",
            "3 tab-separated",
        ),
        ({"abstracts": "11\tA\tb\n11\tA\tb\n"}, "abstracts.tsv, line 2", "11 .*twice"),
        ({"entities": ENTITIES[:-12]}, "entities.tsv, line 7", "6 tab-separated"),
        ({"entities": ENTITIES[:-4]}, "entities.tsv, line 7", "expected 'bar' at 47"),
        ({"entities": ENTITIES * 2}, "entities.tsv, line 8", "T4 .*twice"),
        (
            {"entities": "11\tT1\tCHEMICAL\t0\tx\tFooxane\n"},
            "entities.tsv, line 1",
            "numbers, but found '0' and 'x'",
        ),
        (
            {"entities": "11\tT1\tCHEMICAL\t1\t8\tFooxane\n"},
            "entities.tsv, line 1",
            "expected 'Fooxane' at 1 to 8 of PMID 11",
        ),
        (
            {"gold": "11\tCPR:4\tT1\tArg2:T2\n"},
            "gold_standard.tsv, line 1",
            "'Arg1:T..' and 'Arg2:T..'",
        ),
    ],
)
def test_bad_files(convert_files, tmp_path, files, where, expected):
    with pytest.raises(ValueError, match=f"{where}: .*{expected}"):
        convert_files("chemprot", corpus(**files))
    assert not (tmp_path / "output").exists()
