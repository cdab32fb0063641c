"""Pages: HTML that needs nothing but a browser."""

import base64
import hashlib
import html
from pathlib import Path
from string import Template

FOLDER = Path(__file__).parent / "page"


def read(name: str) -> str:
    """RETURNS (str): A file of the pages' folder."""
    return (FOLDER / name).read_text("utf8")


def fill(name: str, **values: str) -> str:
    """RETURNS (str): A file of the pages' folder, filled with values."""
    return Template(read(name)).substitute(values)


def to_ascii(text: str) -> str:
    """RETURNS (str): HTML that is read right whatever encoding it is written in."""
    return text.encode("ascii", "xmlcharrefreplace").decode()


def make_page(title: str, content: str, script: str) -> str:
    """Make a page.

    title (str): Its title.
    content (str): What it shows, HTML in ASCII.
    script (str): The one script in the content that may run.
    RETURNS (str): The page. Whatever else is in it, nothing is loaded and no other
        script runs.
    """
    digest = hashlib.sha256(script.encode("utf8")).digest()
    return fill(
        "page.html",
        title=to_ascii(html.escape(title)),
        script_hash=base64.b64encode(digest).decode(),
        content=content,
    )


class Html(str):
    """HTML, in which all text is escaped. It comes from `make` and nowhere else."""


def make(name: str, *children: str, **attributes: object) -> Html:
    """Make an element.

    name (str): Its name.
    *children (str): What is in it: elements, or text, which is escaped.
    **attributes (object): Its attributes; "_" stands for "-" and at the end for
        nothing. One that is None is left out, one that is True has no value.
    RETURNS (Html): The element.
    """
    given = "".join(
        f" {key.rstrip('_').replace('_', '-')}"
        + ("" if value is True else f'="{html.escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None
    )
    content = "".join(
        child if isinstance(child, Html) else html.escape(child, quote=False)
        for child in children
    )
    return Html(f"<{name}{given}>{content}</{name}>")
