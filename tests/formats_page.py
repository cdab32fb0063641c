"""The page of formats, and the example files of each format on it."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "formats.md").read_text("utf8")
EXAMPLE = re.compile(r"In `my_data/([^`]+)`:\n\n```\w+\n(.*?)```", re.DOTALL)
COMMAND = re.compile(r"^spacy-dualre convert (\S+) my_data corpus$", re.MULTILINE)
# Format -> name -> text.
SECTIONS = {
    command: dict(EXAMPLE.findall(section))
    for section in PAGE.split("\n## ")
    for command in COMMAND.findall(section)
}
