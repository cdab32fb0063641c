"""Names: entry points, registered functions, config, what a bare install can do."""

from importlib.metadata import distribution

import pytest
import spacy
from processes import NO_NETWORK, run_python
from spacy.language import Language
from spacy.util import registry
from thinc.api import Config
from tiny_corpus import PREDICATES

from spacy_dualre.model.shim import get_shim

NAME = "dual_relation_extractor"
REGISTERED = {
    "spacy_factories": "factories",
    "spacy_architectures": "architectures",
    "spacy_misc": "misc",
    "spacy_readers": "readers",
    "spacy_scorers": "scorers",
}
ENTRY_POINTS = list(distribution("spacy-dualre").entry_points)


@pytest.mark.parametrize("entry_point", ENTRY_POINTS, ids=lambda e: e.name)
def test_entry_point_resolves(entry_point):
    loaded = entry_point.load()
    # Formats and writers are values of the package's own groups.
    assert callable(loaded) or entry_point.group.startswith("spacy_dualre_")


@pytest.mark.parametrize(
    "entry_point",
    [e for e in ENTRY_POINTS if e.group in REGISTERED],
    ids=lambda e: e.name,
)
def test_entry_point_is_registered_with_spacy(entry_point):
    spacy.blank("en")  # spaCy loads the factories with its first pipeline
    assert entry_point.name in registry.get_registry_names() or (
        getattr(registry, REGISTERED[entry_point.group]).get(entry_point.name)
    )


@pytest.mark.parametrize("group", [*REGISTERED, "spacy_cli"])
def test_there_is_an_entry_point_for(group):
    assert any(entry_point.group == group for entry_point in ENTRY_POINTS)


def test_registered_names_carry_the_package_and_a_version():
    named = [e.name for e in ENTRY_POINTS if e.group in REGISTERED]
    named.remove(NAME)
    for name in named:
        package, _, version = name.partition(".")[0], name, name.rpartition(".")[2]
        assert package == "spacy-dualre"
        assert version == "v1"


def test_analysis_shows_what_is_assigned_and_required():
    nlp = spacy.blank("en")
    nlp.add_pipe(NAME)
    analysis = nlp.analyze_pipes()
    assert "doc._.relations" in analysis["summary"][NAME]["assigns"]
    assert analysis["summary"][NAME]["requires"] == ["doc.ents"]
    assert analysis["problems"][NAME] == ["doc.ents"]


def test_analysis_is_content_with_a_component_that_sets_entities():
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler")
    nlp.add_pipe(NAME)
    assert nlp.analyze_pipes()["problems"][NAME] == []


def test_analysis_lists_the_scores():
    scores = Language.get_factory_meta(NAME).default_score_weights
    assert scores["rel_micro_f"] == 1.0
    assert sum(weight or 0 for weight in scores.values()) == 1.0


def test_micro_f_drives_training():
    nlp = spacy.blank("en")
    nlp.add_pipe(NAME)
    assert nlp.config["training"]["score_weights"]["rel_micro_f"] == 1.0


def test_config_round_trips():
    nlp = spacy.blank("en")
    settings = {
        "predicates": PREDICATES,
        "threshold": 0.4,
        "spans_key": "things",
        "relations_key": "things_related",
        "use_gold_ents": False,
        "overwrite": True,
        "sampler": {
            "@misc": "spacy-dualre.sampler.v1",
            "descriptions": "mixed",
            "n_descriptions": 3,
            "negative_ratio": 2.5,
        },
        "decoder": {
            "@misc": "spacy-dualre.decoder.v1",
            "concepts": "mean",
            "single_direction": True,
        },
        "scorer": {"@scorers": "spacy-dualre.relation_scorer.v1", "concepts": True},
        "model": {
            "@architectures": "spacy-dualre.DualEncoder.v1",
            "reading": {
                "@misc": "spacy-dualre.levitated_reading.v1",
                "markers": "both",
            },
        },
    }
    nlp.add_pipe(NAME, config=settings)
    text = nlp.config.interpolate().to_str()
    again = spacy.util.load_model_from_config(Config().from_str(text))
    assert again.config.to_str() == text
    component = again.get_pipe(NAME)
    # The order of labels is not kept by a config's sections.
    assert set(component.predicates) == set(nlp.get_pipe(NAME).predicates)
    plain = ("threshold", "spans_key", "relations_key", "use_gold_ents", "overwrite")
    for key in plain:
        assert getattr(component, key) == settings[key]
    assert component.sampler.descriptions == "mixed"
    assert component.sampler.n_descriptions == 3
    assert component.sampler.negative_ratio == 2.5
    assert component.decoder.concepts == "mean"
    assert component.decoder.single_direction is True
    assert get_shim(component.model).settings.reading.markers == "both"


def test_defaults_are_written_out_in_the_config():
    nlp = spacy.blank("en")
    nlp.add_pipe(NAME)
    config = spacy.util.load_model_from_config(nlp.config, auto_fill=True).config[
        "components"
    ][NAME]
    assert config["model"]["@architectures"] == "spacy-dualre.DualEncoder.v1"
    assert config["model"]["reading"]["@misc"] == "spacy-dualre.marked_reading.v1"
    assert config["sampler"]["descriptions"] == "all"
    assert config["decoder"] == {
        "@misc": "spacy-dualre.decoder.v1",
        "concepts": None,
        "single_direction": False,
    }
    assert config["scorer"]["concepts"] is False
    assert config["threshold"] is None
    assert config["overwrite"] is False


BARE = (
    NO_NETWORK
    + """
import sys
import spacy

nlp = spacy.blank("en")
nlp.add_pipe("dual_relation_extractor")
assert nlp.pipe_names == ["dual_relation_extractor"]
nlp.to_bytes()
spacy.util.load_model_from_config(nlp.config)
print("added")
"""
)


@pytest.mark.slow
def test_pipe_is_added_without_import_network_or_weights():
    assert "import spacy_dualre" not in BARE
    assert run_python(BARE, HF_HUB_OFFLINE="1", HF_HOME="/nowhere") == "added\n"


# spaCy itself imports spacy-transformers, and with it transformers, once a pipeline is
# made; this package must not add to what a plain import of its modules costs.
IMPORT = """
import sys
import spacy_dualre.component
print("transformers" in sys.modules)
"""


@pytest.mark.slow
def test_component_does_not_import_transformers():
    assert run_python(IMPORT) == "False\n"


LATER = """
import sys
import spacy_dualre
spacy_dualre.render
print("spacy_dualre.component" in sys.modules)
spacy_dualre.explain
print("spacy_dualre.component" in sys.modules)
"""


@pytest.mark.slow
def test_what_takes_time_is_imported_when_it_is_asked_for():
    assert run_python(LATER) == "False\nTrue\n"
