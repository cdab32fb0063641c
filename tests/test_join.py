"""Corpora with different predicates as one training corpus."""

import pytest
import spacy
import srsly
from spacy.tokens import DocBin
from tiny_corpus import make_docs

from spacy_dualre.corpora.join import join_corpora


def write(folder, labels, predicates):
    """Write the tiny corpus, annotated with some labels, and its predicates."""
    folder.mkdir()
    docs = make_docs(spacy.blank("en").vocab)
    for doc in docs:
        doc._.relations = [r for r in doc._.relations if r.label in labels]
        doc.user_data["labels"] = list(labels)
    DocBin(docs=docs, store_user_data=True).to_disk(folder / "train.spacy")
    srsly.write_yaml(folder / "predicates.yml", predicates)
    return folder / "train.spacy", folder / "predicates.yml"


def test_wordings_of_a_predicate_are_joined_and_docs_keep_their_labels(tmp_path):
    one = write(tmp_path / "a", ["knows"], {"knows": "{subject} knows {object}"})
    two = write(
        tmp_path / "b",
        ["knows", "works_in"],
        {"knows": "{object} met {subject}", "works_in": "{subject} works in {object}"},
    )
    docs, predicates = join_corpora([one, two])
    assert [p.label for p in predicates] == ["no_relation", "knows", "works_in"]
    assert predicates[1].descriptions == (
        "{subject} knows {object}",
        "{object} met {subject}",
    )
    assert {tuple(doc.user_data["labels"]) for doc in docs} == {
        ("knows",),
        ("knows", "works_in"),
    }


def test_predicates_that_no_doc_was_annotated_with_are_left_out(tmp_path):
    both = {"knows": "{subject} knows {object}", "held_out": "{subject} {object}"}
    _, predicates = join_corpora([write(tmp_path / "a", ["knows"], both)])
    assert [predicate.label for predicate in predicates] == ["no_relation", "knows"]


def test_a_wrong_predicates_file_is_named(tmp_path):
    corpus = write(tmp_path / "a", ["knows"], {"knows": "no slots"})
    with pytest.raises(ValueError, match=r"predicates.yml: .*'knows'"):
        join_corpora([corpus])


def test_a_label_without_a_predicate_is_named_with_its_files(tmp_path):
    corpus = write(tmp_path / "a", ["knows"], {"other": "{subject} {object}"})
    with pytest.raises(ValueError, match=r"train.spacy.*predicates.yml lacks: knows"):
        join_corpora([corpus])
