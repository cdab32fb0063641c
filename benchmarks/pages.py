"""Pages of which a part is generated."""


def marks(part: str = "results") -> tuple[str, str]:
    """RETURNS (Tuple[str, str]): The lines around a generated part of a page."""
    return f"<!-- generated {part} -->", f"<!-- end of generated {part} -->"


def replace_generated(page: str, generated: str, part: str = "results") -> str:
    """Replace a generated part of a page.

    page (str): The page.
    generated (str): The new part.
    part (str): The part's name.
    RETURNS (str): The page with it.
    RAISES (ValueError): If the page does not have the part's two markers.
    """
    start, end = marks(part)
    before, _, rest = page.partition(start)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"The page needs the lines {start} and {end}.")
    return f"{before}{start}\n\n{generated}\n{end}{after}"


def make_table(header: list[str], body: list[list[str]]) -> list[str]:
    """RETURNS (List[str]): The lines of a table in Markdown."""
    return [f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *body]]


def folded(summary: str, lines: list[str]) -> list[str]:
    """Fold a part of the page away.

    summary (str): What is shown of it.
    lines (List[str]): Its lines, the last of them empty.
    RETURNS (List[str]): The lines of the folded part.
    """
    opened = ['<details markdown="1">', f"<summary>{summary}</summary>", ""]
    return [*opened, *lines, "</details>", ""]
