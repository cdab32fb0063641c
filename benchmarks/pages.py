"""Pages of which a part is generated."""

START = "<!-- generated results -->"
END = "<!-- end of generated results -->"


def replace_generated(page: str, generated: str) -> str:
    """Replace the generated part of a page.

    page (str): The page.
    generated (str): The new part.
    RETURNS (str): The page with it.
    RAISES (ValueError): If the page does not have the two markers.
    """
    before, start, rest = page.partition(START)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"The page needs the lines {START} and {END}.")
    return f"{before}{start}\n\n{generated}\n{end}{after}"


def make_table(header: list[str], body: list[list[str]]) -> list[str]:
    """RETURNS (List[str]): The lines of a table in Markdown."""
    return [f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *body]]
