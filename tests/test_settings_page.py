"""docs/settings.md has every setting, with its default."""

import ast
import inspect
import re
from importlib.metadata import distribution
from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.util import registry

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"
COMPONENT = "dual_relation_extractor"
OTHERWISE = {"null": None, "true": True, "false": False}
# A title with the name of a registered function, or none for the component itself, then
# a table.
SECTION = re.compile(
    r"^`\[components\.([\w.]+)\]`(?:, `([\w.-]+)`)?\n\n((?:\|.*\n)+)", re.MULTILINE
)


def defaults_on_the_page():
    """For each function, and where it stands in a config, the settings' defaults."""
    found = {}
    for place, name, table in SECTION.findall(PAGE.read_text("utf8")):
        settings = found[name or COMPONENT, place] = {}
        for row in table.splitlines()[2:]:
            names, defaults = (cell.strip() for cell in row.split("|")[1:3])
            names = re.findall(r"`(\w+)`", names)
            settings.update(zip(names, defaults.split(", "), strict=True))
    return found


def defaults_of(name, place):
    """The settings of a function and their defaults."""
    if name == COMPONENT:
        spacy.blank("en")  # spaCy loads the factories with its first pipeline
        own = Language.get_factory_meta(name).default_config
        blocks = {key for key, value in own.items() if "@" in str(value)}
        return {key: own[key] for key in own.keys() - blocks}
    known = registry.architectures if place.endswith(".model") else registry.misc
    parameters = inspect.signature(known.get(name)).parameters
    return {key: parameter.default for key, parameter in parameters.items()}


def read_default(text):
    if text == "required":
        return inspect.Parameter.empty
    if text.startswith("`"):  # the name of a function that is meant by none
        return None
    return OTHERWISE[text] if text in OTHERWISE else ast.literal_eval(text)


@pytest.mark.parametrize("name, place", sorted(defaults_on_the_page()))
def test_page_has_all_settings_and_their_defaults(name, place):
    rows = defaults_on_the_page()[name, place]
    on_the_page = {key: read_default(text) for key, text in rows.items()}
    assert on_the_page == defaults_of(name, place)


def test_page_has_every_architecture():
    registered = distribution("spacy-dualre").entry_points
    names = {e.name for e in registered if e.group == "spacy_architectures"}
    assert names <= {name for name, _ in defaults_on_the_page()}
