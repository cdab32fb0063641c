"""Texts of datasets that have tokens only."""

from typing import Any, NamedTuple

from ..text_files import shorten

UNESCAPED = {
    **{"-LRB-": "(", "-LSB-": "[", "-LCB-": "{", "``": '"'},
    **{"-RRB-": ")", "-RSB-": "]", "-RCB-": "}", "''": '"'},
}
# The original white space is lost; this is the usual one around punctuation.
NO_SPACE_BEFORE = {".", ",", ";", ":", "?", "!", "-RRB-", "-RSB-", "-RCB-", "''", "'s"}
NO_SPACE_AFTER = {"-LRB-", "-LSB-", "-LCB-", "``", "`"}


class TokenText(NamedTuple):
    """A text made of tokens.

    text (str): The text.
    offsets (List[Tuple[int, int]]): Start and end of each token in it. They are equal
        where a token is empty.
    """

    text: str
    offsets: list[tuple[int, int]]

    @property
    def tokens(self) -> list[tuple[int, int]]:
        """Start and end of the tokens that are not empty."""
        return [(start, end) for start, end in self.offsets if start < end]

    def span(self, start: Any, end: Any, what: str) -> tuple[int, int]:
        """Find the characters of some tokens.

        start (Any): The first token.
        end (Any): The one behind the last.
        what (str): What they are, for errors.
        RETURNS (Tuple[int, int]): Offsets of characters.
        RAISES (ValueError): If there are no such tokens.
        """
        # bool is an int to Python.
        if type(start) is not int or type(end) is not int:
            raise ValueError(
                f"expected whole numbers as first and last token of {what}, but found "
                f"{shorten(start)} and {shorten(end)}."
            )
        if not 0 <= start < end <= len(self.offsets):
            raise ValueError(
                f"expected {what} within the {len(self.offsets)} tokens, but found one "
                f"from {start} to {end}, the end excluded."
            )
        return self.offsets[start][0], self.offsets[end - 1][1]


def join_tokens(tokens: Any, allow_empty: bool = False) -> TokenText:
    """Join tokens to a text, with the usual white space around punctuation. Escaped
    brackets and quotes ("-LRB-", "``") are written as themselves, as a language model
    knows them.

    tokens (Any): The tokens.
    allow_empty (bool): Whether a token may be empty.
    RETURNS (TokenText): The text.
    RAISES (ValueError): If they are not strings.
    """
    if not isinstance(tokens, list) or not all(
        isinstance(token, str) and (token or allow_empty) for token in tokens
    ):
        raise ValueError(f"expected strings as tokens, but found {shorten(tokens)}.")
    text = ""
    offsets = []
    for before, token in zip(["``", *tokens], tokens):
        if token and before not in NO_SPACE_AFTER and token not in NO_SPACE_BEFORE:
            text += " "
        start = len(text)
        text += UNESCAPED.get(token, token)
        offsets.append((start, len(text)))
    return TokenText(text, offsets)
