"""UIMA CAS, in the layers of INCEpTION. Texts are made up."""

import sys

import pytest

from spacy_dualre import get_relations
from spacy_dualre.corpora import find_format

cassis = pytest.importorskip("cassis", reason="needs the extra cas")

# Its first character is two for UIMA.
TEXT = "\U0001f600 Ann Poe runs Baa Inc. It is old."
SENTENCE = "de.tudarmstadt.ukp.dkpro.core.api.segmentation.type.Sentence"
NAMED_ENTITY = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
LAYERS = {
    SENTENCE: (),
    NAMED_ENTITY: ("value", "identifier"),
    "custom.Span": ("label", "note"),
    "webanno.custom.Plain": (),
}


class Builder:
    """A CAS that gets annotations by the text that they are on."""

    def __init__(self):
        self.types = cassis.TypeSystem()
        for name, features in LAYERS.items():
            layer = self.types.create_type(name)
            for feature in features:
                self.types.create_feature(layer, feature, "uima.cas.String")
        layer = self.types.create_type("custom.Relation")
        self.types.create_feature(layer, "label", "uima.cas.String")
        for end in ("Governor", "Dependent"):
            self.types.create_feature(layer, end, "uima.tcas.Annotation")
        self.cas = cassis.Cas(self.types)
        self.cas.sofa_string = TEXT

    def add(self, layer, text, **features):
        start = TEXT.index(text)
        layer = self.types.get_type(layer)
        annotation = layer(begin=start, end=start + len(text), **features)
        self.cas.add(annotation)
        return annotation

    def relate(self, subject, object_, label="runs"):
        ends = {"Governor": subject, "Dependent": object_}
        return self.add("custom.Relation", "Baa Inc", label=label, **ends)

    def files(self, kind):
        if kind == "json":
            return {"a.json": self.cas.to_json()}
        return {"a.xmi": self.cas.to_xmi(), "TypeSystem.xml": self.types.to_xml()}


@pytest.fixture
def cas():
    builder = Builder()
    ann = builder.add("custom.Span", "Ann Poe", label="PER")
    baa = builder.add("custom.Span", "Baa Inc", label="ORG")
    builder.relate(ann, baa)
    return builder


@pytest.fixture
def convert_cas(convert_files):
    def convert_cas(builder, kind="json", **options):
        docs, report = convert_files("cas", builder.files(kind), **options)
        return docs["train"][0], report["train"]

    return convert_cas


def mentions(doc):
    return [(span.text, span.label_, span.kb_id_) for span in doc.spans["entities"]]


@pytest.mark.parametrize("kind", ["json", "xmi"])
def test_layers_of_a_project_and_named_entities(cas, convert_cas, kind):
    cas.add(NAMED_ENTITY, "It", value="ORG", identifier="http://example.org/Q1")
    cas.add(SENTENCE, "\U0001f600 Ann Poe runs")
    cas.add(SENTENCE, "Baa Inc. It is old.")
    doc, _ = convert_cas(cas, kind, strict=True)
    assert mentions(doc) == [
        ("Ann Poe", "PER", ""),
        ("Baa Inc", "ORG", ""),
        ("It", "ORG", "http://example.org/Q1"),
    ]
    assert [str(r) for r in get_relations(doc)] == ["(Ann Poe, runs, Baa Inc)"]
    assert [sent.text for sent in doc.sents][1] == "Baa Inc. It is old."
    assert doc.user_data["doc_id"] == "a"


def test_mention_without_label_has_the_name_of_its_layer(cas, convert_cas):
    cas.add("webanno.custom.Plain", "runs")
    cas.add("custom.Span", "old")
    doc, report = convert_cas(cas)
    labels = {text: label for text, label, _ in mentions(doc)}
    assert (labels["runs"], labels["old"]) == ("Plain", "Span")
    reasons = {reason: len(ids) for (_, _, reason), ids in report.findings.items()}
    assert reasons["has no label: that of its layer"] == 1


def test_other_features_are_lost(cas, convert_cas):
    cas.add("custom.Span", "It", label="ORG", note="hm")
    _, report = convert_cas(cas)
    assert report.total("lost", "feature 'note'") == 1


def test_relation_of_what_is_no_mention_is_lost(cas, convert_cas):
    cas.relate(cas.add(SENTENCE, "It is old."), None)
    doc, report = convert_cas(cas)
    assert len(get_relations(doc)) == 1
    assert report.total("lost", "relation") == 1


@pytest.mark.parametrize(
    "change, message",
    [
        ({"a.xmi": "<a"}, "a.xmi, line 1: expected a UIMA CAS"),
        ({"TypeSystem.xml": "<a/>"}, "a.xmi, line 1: expected a UIMA CAS"),
        ({"TypeSystem.xml": None}, "there is no TypeSystem.xml beside it"),
        ({"a.xmi": '<!DOCTYPE a [<!ENTITY b "c">]><a/>'}, "entities of a file's own"),
        ({"b.json": "[1]"}, "b.json, line 1: expected a UIMA CAS"),
        ({"b.json": '{"%TYPES": {}, "%TYPES": {}}'}, "b.json, line 1: .*twice"),
        ({"b.json": '{"%TYPES": {}}'}, "b.json, line 1: expected"),
    ],
)
def test_errors(cas, convert_files, change, message):
    files = {k: v for k, v in (cas.files("xmi") | change).items() if v is not None}
    with pytest.raises(ValueError, match=message):
        convert_files("cas", files)


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cassis", None)
    monkeypatch.delitem(sys.modules, "spacy_dualre.corpora.cas", raising=False)
    with pytest.raises(ValueError, match=r'pip install "spacy-dualre\[cas\]"'):
        find_format("cas")
