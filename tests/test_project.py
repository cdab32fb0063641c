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
BENCHMARKS = sorted(
    path.parent.name
    for path in ROOT.glob("assets/*/predicates.yml")
    if (ROOT / "configs" / f"{path.parent.name}.cfg").exists()
)
TIED = "components.dual_relation_extractor.model.tie_encoders"


def substituted(arguments):
    """The commands with the values of the variables, some of them given."""
    project = srsly.read_yaml(ROOT / "project.yml")
    values = substitute_project_variables(project, parse_config_overrides(arguments))
    return {command["name"]: command for command in values["commands"]}


def test_workflows_name_commands_that_exist():
    steps = {step for steps in PROJECT["workflows"].values() for step in steps}
    assert steps <= set(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_commands_have_help_and_know_what_they_need(name, benchmark):
    given = ["--vars.name", benchmark, "--vars.data", "DIR"]
    commands = substituted([*given, "--vars.general_data", "DIR"])
    command = commands[name]
    assert command["help"]
    made = {path for other in commands.values() for path in other["outputs"]}
    if name == "answers-semeval2010":  # it does not go by the name
        made |= {path.replace(benchmark, "semeval2010") for path in made}
    for path in command["deps"]:
        # The files of a benchmark are for the user to bring.
        assert path in made or (ROOT / path).exists() or path == "DIR", path


def test_assets_are_where_the_default_benchmark_is_read():
    folder = PROJECT["vars"]["data"]
    assert {str(Path(asset["dest"]).parent) for asset in PROJECT["assets"]} == {folder}


@pytest.mark.parametrize("overrides, tied", [("", False), (f" --{TIED} true", True)])
@pytest.mark.parametrize(
    "name, benchmark",
    [("train-sample", "scierc"), *(("train", name) for name in BENCHMARKS)],
)
def test_trainings_take_overrides(
    name, benchmark, overrides, tied, tmp_path, monkeypatch
):
    monkeypatch.chdir(ROOT)
    given = ["--vars.overrides", overrides, "--vars.name", benchmark]
    script = substituted(given)[name]["script"][0]
    # python -m spacy dualre config CHANGES OUTPUT ...
    arguments = split_command(script)[4:]
    arguments[2] = str(tmp_path / "config.cfg")
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    model = load_config(arguments[2])["components"]["dual_relation_extractor"]["model"]
    assert model["tie_encoders"] is tied


@pytest.mark.parametrize("path", sorted((ROOT / "assets").glob("*/predicates.yml")))
def test_predicates_of_every_corpus_are_valid(path):
    predicates = parse_predicates(srsly.read_yaml(path))
    assert predicates[0].label == "no_relation"
    descriptions = [text for predicate in predicates for text in predicate.descriptions]
    assert len({*descriptions}) == len(descriptions)
