"""Sentence boundaries by rule, for English texts that come without them."""

from collections.abc import Container, Iterable

from spacy.tokens import Doc, Span

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


def set_sentences(
    doc: Doc, mentions: Iterable[Span], starts: Container[int] = ()
) -> None:
    """Set the sentence boundaries of a Doc.

    A sentence begins behind a full stop, question or exclamation mark and white space,
    unless the full stop ends an abbreviation or the next word is in lower-case letters
    only ("p53" and "mRNA" may begin a sentence, "of" may not). No sentence begins
    inside a mention.

    doc (Doc): The Doc to write to.
    mentions (Iterable[Span]): The mentions.
    starts (Container[int]): Character offsets at which a sentence begins in any case,
        e.g. that of an abstract behind its title.
    """
    begins = [
        i == 0 or token.idx in starts or _begins_sentence(doc, i)
        for i, token in enumerate(doc)
    ]
    for mention in mentions:
        for i in range(mention.start + 1, mention.end):
            begins[i] = False
    for token, is_start in zip(doc, begins):
        token.is_sent_start = is_start


def _begins_sentence(doc: Doc, i: int) -> bool:
    token, before = doc[i], doc[i - 1]
    if token.is_space or not (before.whitespace_ or before.is_space):
        return False
    end = i - 1
    while end > 0 and (doc[end].is_space or doc[end].text in CLOSING):
        end -= 1
    if doc[end].text not in ENDS:
        return False
    if end > 0 and doc[end].text == "." and doc[end - 1].text in ABBREVIATIONS:
        return False
    if token.is_punct:
        return token.text in OPENING
    # "alpha-Tocopherol" is three tokens and may begin a sentence.
    is_word = bool(token.whitespace_) or i + 1 == len(doc)
    return not (is_word and token.is_alpha and token.is_lower)
