"""Writes commands.md and api.md from the code: python docs/reference.py"""

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from spacy_dualre.cli import app

FOLDER = Path(__file__).parent
HEADER = "<!-- Written by docs/reference.py from the code. -->\n"
COMMANDS = """
# Commands

`spacy-dualre COMMAND` is the same as `python -m spacy dualre COMMAND`. The exit status
is 0 where all went well, 1 where what was given can't be used (with one line that says
why), and 2 where the command line is wrong.
"""
API = """
# Python

What the commands do, and what a component, a format or a writer of your own is made of.
"""
# Module -> names. A class brings its public methods.
CONTENTS = {
    "spacy_dualre": None,
    "spacy_dualre.component": ["DualRelationExtractor"],
    "spacy_dualre.changeable": ["ChangeablePipe"],
    "spacy_dualre.predicates": ["Predicate", "parse_predicates", "read_predicates"],
    "spacy_dualre.pairs.candidates": ["Candidates", "build_candidate_pairs"],
    "spacy_dualre.training.sampler": ["build_sampler"],
    "spacy_dualre.training.corpus": ["build_corpus"],
    "spacy_dualre.output.decoder": ["build_decoder"],
    "spacy_dualre.output.scorer": ["build_relation_scorer"],
    "spacy_dualre.encoding.marked": ["build_marked_reading"],
    "spacy_dualre.encoding.levitated": ["build_levitated_reading"],
    "spacy_dualre.model.architectures": ["build_dual_encoder"],
    "spacy_dualre.apply": ["apply", "Settings", "Selection", "Outcome"],
    "spacy_dualre.cli.convert": ["convert", "check"],
    "spacy_dualre.cli.divide": ["divide_file"],
    "spacy_dualre.corpora.join": ["join_corpora", "write_joined"],
    "spacy_dualre.cli.init": ["init", "Initialized", "estimate"],
    "spacy_dualre.cli.check": ["check"],
    "spacy_dualre.training.check": ["check_config", "Check", "Finding"],
    "spacy_dualre.cli.config": ["complete_config"],
    "spacy_dualre.cli.evaluate": ["evaluate"],
    "spacy_dualre.evaluation": ["evaluate"],
    "spacy_dualre.output.evaluation_page": ["render_evaluation"],
    "spacy_dualre.tuning": ["tune_threshold"],
    "spacy_dualre.pruning": ["measure_pruning"],
    "spacy_dualre.corpora.format": ["Format"],
    "spacy_dualre.corpora.docs": ["Document", "Mention"],
    "spacy_dualre.corpora.documents": ["DocumentReader"],
    "spacy_dualre.output.writers.writer": ["Writer"],
    "spacy_dualre.output.writers.results": ["Results", "Fact", "Evidence", "Entity"],
}
FIELD = re.compile(r"(\*{0,2}\w+) \((.+?)\): (.*)")


def write_commands() -> str:
    """RETURNS (str): The page of all commands."""
    commands = get_command(app).commands
    sections = [_describe_command(name, commands[name]) for name in sorted(commands)]
    return "\n".join([HEADER + COMMANDS, *sections])


def _describe_command(name: str, command: Any) -> str:
    # What typer makes of the options is a class of click, or of its own copy of it.
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    usage = ["spacy-dualre", name, *map(_metavar, arguments), "[OPTIONS]"]
    lines = [f"## `{name}`", "", inspect.cleandoc(command.help or ""), ""]
    lines += ["```text", " ".join(usage), "```", ""]
    lines += ["| | default | |", "| --- | --- | --- |"]
    for parameter in command.params:
        lines.append(f"| {' | '.join(_describe_parameter(parameter))} |")
    return "\n".join([*lines, ""])


def _metavar(argument: Any) -> str:
    name = argument.metavar or argument.name.upper().rstrip("_")
    return name if argument.required else f"[{name}]"


def _describe_parameter(parameter: Any) -> tuple[str, ...]:
    if parameter.param_type_name == "argument":
        names = f"`{_metavar(parameter)}`"
    else:
        both = (*parameter.opts, *parameter.secondary_opts)
        names = ", ".join(f"`{option}`" for option in both)
    default = parameter.default
    if parameter.required:
        value = "required"
    elif default is None or default == ():
        value = ""
    else:
        value = f"`{str(default).lower() if isinstance(default, bool) else default}`"
    cells = names, value, parameter.help or ""
    return tuple(cell.replace("|", "\\|") for cell in cells)


def write_api() -> str:
    """RETURNS (str): The page of the Python API."""
    sections = []
    for module_name, names in CONTENTS.items():
        module = importlib.import_module(module_name)
        sections.append(f"## `{module_name}`\n")
        doc = inspect.getdoc(module)
        if doc and names is None:
            sections.append(f"{doc}\n")
        for name in names or module.__all__:
            sections += _describe_object(name, getattr(module, name), "###")
    return "\n".join([HEADER + API, *sections])


def _describe_object(name: str, thing: Any, level: str) -> Iterator[str]:
    yield f"{level} `{name}`\n"
    if not inspect.isclass(thing):
        yield f"```text\n{_signature(name, thing)}\n```\n"
    yield from describe_docstring(inspect.getdoc(thing) or "")
    if not inspect.isclass(thing):
        return
    for key, member in vars(thing).items():
        own = member.fget if isinstance(member, property) else member
        is_public = not key.startswith("_") or key == "__call__"
        if is_public and inspect.isfunction(own) and own.__doc__:
            title = f"{name}.{key}"
            if isinstance(member, property):
                yield f"{level}# `{title}` (property)\n"
                yield from describe_docstring(inspect.getdoc(own) or "")
            else:
                yield from _describe_object(title, own, f"{level}#")


def _signature(name: str, function: Any) -> str:
    """Names and defaults; types stand in the table."""
    parts = []
    star = False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            star = True
            parts.append("*")
        star = star or parameter.kind is parameter.VAR_POSITIONAL
        bare = parameter.replace(annotation=parameter.empty)
        parts.append(str(bare) if _is_plain(bare.default) else f"{bare.name}=...")
    line = f"{name}({', '.join(parts)})"
    if len(line) <= 88:
        return line
    return "\n".join([f"{name}(", *(f"    {part}," for part in parts), ")"])


def _is_plain(value: Any) -> bool:
    plain = (str, int, float, bool, type(None), tuple, dict)
    return value is inspect.Parameter.empty or isinstance(value, plain)


def describe_docstring(text: str) -> Iterator[str]:
    """Turn a docstring in spaCy's style into Markdown.

    text (str): The docstring.
    YIELDS (str): Its prose, and a table of what is passed, returned and raised.
    """
    rows: list[list[str]] = []
    prose: list[str] = []
    for line in text.splitlines():
        match = FIELD.fullmatch(line)
        if match:
            rows.append(list(match.groups()))
        elif rows and line.startswith("    "):
            rows[-1][2] += f" {line.strip()}"
        elif line.strip() or not rows:
            prose.append(line)
    if any(prose):
        yield "\n".join(prose).strip() + "\n"
    if rows:
        table = ["| | type | |", "| --- | --- | --- |"]
        for name, type_, meaning in rows:
            type_, meaning = (x.replace("|", "\\|") for x in (type_, meaning))
            name = name.lower() if name.isupper() else f"`{name}`"
            table.append(f"| {name} | `{type_}` | {meaning} |")
        yield "\n".join(table) + "\n"


PAGES = {"commands.md": write_commands, "api.md": write_api}

if __name__ == "__main__":
    for name, write in PAGES.items():
        (FOLDER / name).write_text(write(), encoding="utf8")
