"""Sentence boundaries by rule, for texts that come without them."""

import re
from collections.abc import Iterable

from spacy.pipeline import Sentencizer
from spacy.tokens import Doc

# Its characters that end a sentence are those of all scripts.
SENTENCIZER = Sentencizer(overwrite=True)

# Those that end nothing else. A tokenizer of another language leaves them in a token.
FULL_STOPS = re.compile(
    f"[{''.join(c for c in SENTENCIZER.default_punct_chars if not c.isascii())}]+"
)

ENDS = set(".!?")
OPENING = set("([{\"'“‘«")
CLOSING = set(")]}\"'”’»")
# They stand before a full stop that ends no sentence and is a token of its own.
# fmt: off
ABBREVIATIONS = {
    "al", "approx", "b.w", "cf", "Dr", "e.g", "Eq", "eq", "Fig", "fig", "Figs", "figs",
    "i.c.v", "i.d", "i.e", "i.m", "i.n", "i.p", "i.t", "i.v", "p.o", "Ref", "ref",
    "Refs", "refs", "resp", "s.c", "sp", "spp", "ssp", "St", "subsp", "var", "vs",
}
# fmt: on


def find_sentences(doc: Doc) -> list[bool]:
    """Find sentences in a text of any language: spaCy's sentencizer, and a blank line,
    which ends a sentence, too.

    doc (Doc): The Doc.
    RETURNS (List[bool]): For each token whether a sentence begins there. None begins
        with white space.
    """
    if not len(doc):
        return []
    (guesses,) = SENTENCIZER.predict([doc])
    begins = [False] * len(doc)
    pending, line_ends, in_text = False, 0, False
    for i, (token, guess) in enumerate(zip(doc, guesses)):
        pending |= guess
        if token.is_space:
            line_ends += token.text.count("\n")
            continue
        begins[i] = in_text and (pending or line_ends > 1)
        # Not every tokenizer splits off the full stop of its script. That of Latin
        # script also ends abbreviations.
        last = token.text[-1]
        is_end = last != "." and last in SENTENCIZER.punct_chars
        pending = is_end and not token.is_punct
        line_ends, in_text = 0, True
    begins[0] = True
    return begins


def find_english_sentences(doc: Doc) -> list[bool]:
    """Find sentences in an English scientific text.

    A sentence begins behind a full stop, question or exclamation mark and white space,
    unless the full stop ends an abbreviation or the next word is in lower-case letters
    only ("p53" and "mRNA" may begin a sentence, "of" may not).

    doc (Doc): The Doc.
    RETURNS (List[bool]): For each token whether a sentence begins there.
    """
    words = [token.text for token in doc]
    begins = [i == 0 for i in range(len(words))]
    for end, word in enumerate(words):
        if word not in ENDS:
            continue
        if word == "." and end > 0 and words[end - 1] in ABBREVIATIONS:
            continue
        for i in range(end + 1, len(words)):
            begins[i] |= _may_begin(doc, i)
            if not (words[i].isspace() or words[i] in CLOSING):
                break
    return begins


def set_sentences(
    doc: Doc, begins: list[bool], mentions: Iterable[tuple[int, int]]
) -> int:
    """Set the sentence boundaries of a Doc. No sentence begins inside a mention.

    doc (Doc): The Doc to write to.
    begins (List[bool]): For each token whether a sentence begins there.
    mentions (Iterable[Tuple[int, int]]): First token of each and the one behind it.
    RETURNS (int): How many sentences would have begun inside a mention.
    """
    inside = {i for start, end in mentions for i in range(start + 1, end) if begins[i]}
    tags = [begin and i not in inside for i, begin in enumerate(begins)]
    # All at once: setting token.is_sent_start looks at all tokens, each time.
    SENTENCIZER.set_annotations([doc], [tags])
    return len(inside)


def _may_begin(doc: Doc, i: int) -> bool:
    token, before = doc[i], doc[i - 1]
    if token.is_space or not (before.whitespace_ or before.is_space):
        return False
    if token.is_punct:
        return token.text in OPENING
    # "alpha-Tocopherol" is three tokens and may begin a sentence.
    is_word = bool(token.whitespace_) or i + 1 == len(doc)
    return not (is_word and token.is_alpha and token.is_lower)
