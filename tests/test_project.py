"""The project file: every path in it is there, every command says what it does."""

from pathlib import Path

import pytest
import srsly
from spacy.util import load_config
from typer.testing import CliRunner
from weasel.util import parse_config_overrides, split_command
from weasel.util.config import substitute_project_variables

from spacy_dualre.cli import app
from spacy_dualre.predicates import parse_predicates

ROOT = Path(__file__).parent.parent
PROJECT = srsly.read_yaml(ROOT / "project.yml")
COMMANDS = {command["name"]: command for command in PROJECT["commands"]}
TIED = "components.dual_relation_extractor.model.tie_encoders"


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


@pytest.mark.parametrize("ablation,tied", [("", False), (f" --{TIED} true", True)])
@pytest.mark.parametrize("name", [name for name in COMMANDS if "train-" in name])
def test_trainings_take_an_ablation(name, ablation, tied, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    overrides = parse_config_overrides(["--vars.ablation", ablation])
    project = substitute_project_variables(srsly.read_yaml("project.yml"), overrides)
    (script,) = (c["script"][0] for c in project["commands"] if c["name"] == name)
    # python -m spacy dualre config BASE CHANGES OUTPUT ...
    arguments = split_command(script)[4:]
    arguments[3] = str(tmp_path / "config.cfg")
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    model = load_config(arguments[3])["components"]["dual_relation_extractor"]["model"]
    assert model["tie_encoders"] is tied


@pytest.mark.parametrize("path", sorted((ROOT / "assets").glob("*/predicates.yml")))
def test_predicates_of_every_corpus_are_valid(path):
    predicates = parse_predicates(srsly.read_yaml(path))
    assert predicates[0].label == "no_relation"
    assert len({predicate.description for predicate in predicates}) == len(predicates)
