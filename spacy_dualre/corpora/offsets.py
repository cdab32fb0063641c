"""In which unit a file counts offsets, where it quotes the text of its mentions."""

from collections.abc import Callable, Sequence

from ..text_files import shorten
from .docs import Document


def _encoded(encoding: str, size: int) -> Callable[[str, int, int], str]:
    def cut(text: str, start: int, end: int) -> str:
        data = text.encode(encoding, "surrogatepass")
        return data[start * size : end * size].decode(encoding, "replace")

    return cut


# What a file may count instead of characters from 0 with the end excluded, and how to
# get what is at these offsets.
UNITS: dict[str, tuple[Callable[[str, int, int], str], str]] = {
    "UTF-16 code units (as JavaScript and Java do)": (
        _encoded("utf-16-le", 2),
        'an offset n is len(text.encode("utf-16-le")[: 2 * n].decode("utf-16-le"))',
    ),
    "UTF-8 bytes": (
        _encoded("utf8", 1),
        'an offset n is len(text.encode("utf8")[:n].decode("utf8"))',
    ),
    "characters with the end included": (
        lambda text, start, end: text[start : end + 1],
        "add 1 to each end",
    ),
    "characters from 1": (
        lambda text, start, end: text[max(start - 1, 0) : max(end - 1, 0)],
        "subtract 1 from each start and end",
    ),
    "characters from 1 with the end included": (
        lambda text, start, end: text[max(start - 1, 0) : end],
        "subtract 1 from each start",
    ),
    "characters where a line ends with one (LF)": (
        lambda text, start, end: text.replace("\r\n", "\n")[start:end],
        "give the text with LF as line ends",
    ),
    "characters where a line ends with two (CR LF)": (
        lambda text, start, end: text.replace("\n", "\r\n")[start:end].replace(
            "\r\n", "\n"
        ),
        "give the text with its own line ends",
    ),
}


def check_quotes(documents: Sequence[Document]) -> dict[int, str]:
    """Compare what is at the offsets of mentions with what the file says is there.

    documents (Sequence[Document]): All documents of a file.
    RETURNS (Dict[int, str]): For the position of each document with a mention that
        differs, what differs, in which unit the file counts and what to do.
    """
    problems: dict[int, str] = {}
    for n, document in enumerate(documents):
        for i, mention in enumerate(document.mentions):
            if not isinstance(mention.text, str):
                continue
            found = _at(document.text, mention.start, mention.end)
            if found is not None and not _same(found, mention.text):
                problems[n] = (
                    f"entity {i}: expected {shorten(mention.text)} at {mention.start} "
                    f"to {mention.end}, but the text there is {shorten(found)}."
                )
                break
    if problems:
        advice = _advice(documents)
        problems = {n: f"{problem} {advice}" for n, problem in problems.items()}
    return problems


def _advice(documents: Sequence[Document]) -> str:
    quoted = [
        (document.text, mention)
        for document in documents
        for mention in document.mentions
        if isinstance(mention.text, str)
        and _at(document.text, mention.start, mention.end) is not None
    ]
    for unit, (cut, remedy) in UNITS.items():
        if all(_same(cut(text, m.start, m.end), m.text) for text, m in quoted):
            return (
                f"All {len(quoted)} mentions of the file fit if it counts {unit}, but "
                "offsets are characters from 0 with the end excluded. Convert them: "
                f"{remedy}."
            )
    right = sum(_same(text[m.start : m.end], m.text) for text, m in quoted)
    return (
        f"{right} of the {len(quoted)} mentions of the file are where it says. Offsets "
        "are characters from 0 with the end excluded; was the text changed after it "
        "was annotated?"
    )


def _same(found: str, quoted: str | None) -> bool:
    """Some tools quote a line end as a blank."""
    return quoted is not None and _on_one_line(found) == _on_one_line(quoted)


def _on_one_line(text: str) -> str:
    return text.replace("\r\n", " ").replace("\n", " ")


def _at(text: str, start: object, end: object) -> str | None:
    """What is at these offsets; None where they are no numbers."""
    if type(start) is not int or type(end) is not int or start < 0 or end < 0:
        return None
    return text[start:end]
