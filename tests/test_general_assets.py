"""The data for training on many predicates: assets/general."""

import json
from pathlib import Path

import pytest
import srsly

from spacy_dualre.predicates import PROPERTIES, parse_predicates

GENERAL = Path(__file__).parent.parent / "assets" / "general"
WRITTEN = GENERAL / "written"
PARTS = ("train", "dev", "test")
FILES = ("fewrel.yml", "docred.yml", "fire.yml", "materials.yml")


def read(part):
    lines = (WRITTEN / f"{part}.jsonl").read_text(encoding="utf8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def corpus():
    return {part: read(part) for part in PARTS}


@pytest.fixture(scope="module")
def predicates():
    return srsly.read_yaml(WRITTEN / "predicates.yml")


@pytest.fixture(scope="module")
def domains():
    return srsly.read_yaml(WRITTEN / "domains.yml")


def domain_of(doc):
    return doc["id"].rsplit("-", 2)[0]


@pytest.mark.parametrize("path", [*FILES, "written/predicates.yml"])
def test_descriptions_have_both_slots_once(path):
    data = srsly.read_yaml(GENERAL / path)
    for label, properties in data.items():
        descriptions = properties["description"]
        assert 2 <= len(descriptions) <= 6, label
        assert len(set(descriptions)) == len(descriptions), label
        for description in descriptions:
            assert description.count("{subject}") == 1, (label, description)
            assert description.count("{object}") == 1, (label, description)
            assert description.count("{") == description.count("}") == 2
        assert set(properties) <= set(PROPERTIES), label


@pytest.mark.parametrize(
    ("path", "count"), zip(FILES, (64, 87, 18, 16), strict=True), ids=FILES
)
def test_corpora_of_others_have_all_their_predicates(path, count):
    assert len(srsly.read_yaml(GENERAL / path)) == count


def test_shared_properties_have_the_same_descriptions():
    fewrel, docred = (srsly.read_yaml(GENERAL / path) for path in FILES[:2])
    shared = set(fewrel) & set(docred)
    assert len(shared) == 42
    assert all(fewrel[label] == docred[label] for label in shared)


def test_the_written_corpus_is_large_enough(corpus, predicates):
    assert sum(map(len, corpus.values())) >= 2500
    assert len(predicates) >= 150


def test_texts_and_ids_are_unique(corpus):
    docs = [doc for docs in corpus.values() for doc in docs]
    assert len({doc["id"] for doc in docs}) == len(docs)
    assert len({doc["text"] for doc in docs}) == len(docs)


@pytest.mark.parametrize("part", PARTS)
def test_ids_name_the_domain_and_the_part(part, corpus, domains):
    for doc in corpus[part]:
        domain, id_part, _ = doc["id"].rsplit("-", 2)
        assert domain in domains[part]
        assert id_part == part


@pytest.mark.parametrize("part", PARTS)
def test_offsets_are_valid(part, corpus):
    for doc in corpus[part]:
        last = 0
        for entity in doc["entities"]:
            assert last <= entity["start"] < entity["end"] <= len(doc["text"])
            mention = doc["text"][entity["start"] : entity["end"]]
            assert mention == mention.strip()
            last = entity["end"]


@pytest.mark.parametrize("part", PARTS)
def test_relations_fit_their_predicates(part, corpus, domains, predicates):
    for doc in corpus[part]:
        found = [tuple(relation.values()) for relation in doc["relations"]]
        assert len(set(found)) == len(found)
        for relation in doc["relations"]:
            label = relation["label"]
            assert label in domains[part][domain_of(doc)], doc["id"]
            first, second = (
                doc["entities"][relation[side]]["label"]
                for side in ("subject", "object")
            )
            _, predicate = parse_predicates({label: predicates[label]})
            assert predicate.admits(first, second), (doc["id"], relation)


@pytest.mark.parametrize("part", PARTS)
def test_symmetric_relations_are_there_once_in_text_order(part, corpus, predicates):
    for doc in corpus[part]:
        for relation in doc["relations"]:
            if predicates[relation["label"]].get("symmetric"):
                assert relation["subject"] < relation["object"], doc["id"]


def test_parts_share_no_predicate(domains, predicates):
    labels = {
        part: {label for labels in domains[part].values() for label in labels}
        for part in PARTS
    }
    assert set.union(*labels.values()) == set(predicates)
    assert sum(map(len, labels.values())) == len(predicates)


@pytest.mark.parametrize("part", PARTS)
def test_every_predicate_is_used(part, corpus, domains):
    used = {
        (domain_of(doc), relation["label"])
        for doc in corpus[part]
        for relation in doc["relations"]
    }
    for domain, labels in domains[part].items():
        assert {(domain, label) for label in labels} <= used
