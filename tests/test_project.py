"""The project file: every path in it is there, every command says what it does."""

from pathlib import Path

import pytest
import srsly

from spacy_dualre.predicates import parse_predicates

ROOT = Path(__file__).parent.parent
PROJECT = srsly.read_yaml(ROOT / "project.yml")
COMMANDS = {command["name"]: command for command in PROJECT["commands"]}


def test_workflows_name_commands_that_exist():
    steps = {step for steps in PROJECT["workflows"].values() for step in steps}
    assert steps <= set(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_commands_have_help_and_know_what_they_need(name):
    command = COMMANDS[name]
    assert command["help"]
    made = {path for other in COMMANDS.values() for path in other["outputs"]}
    fetched = {asset["dest"] for asset in PROJECT["assets"]}
    for path in command["deps"]:
        at_default = path.replace("${vars.data}", PROJECT["vars"]["data"])
        known = path in made or at_default in fetched or (ROOT / path).exists()
        # The files of some benchmarks are for the user to bring.
        assert known or path.startswith("${vars.data}"), path


@pytest.mark.parametrize("path", sorted((ROOT / "assets").glob("*/predicates.yml")))
def test_predicates_of_every_corpus_are_valid(path):
    predicates = parse_predicates(srsly.read_yaml(path))
    assert predicates[0].label == "no_relation"
    assert len({predicate.description for predicate in predicates}) == len(predicates)
