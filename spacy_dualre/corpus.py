"""A corpus reader that keeps the gold tokens."""

from typing import Callable, Iterable, Optional

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Corpus, Example


class RelationCorpus(Corpus):
    """Reads `.spacy` files like `spacy.Corpus.v1`, but gives the predicted Doc the
    tokens and sentence boundaries of the gold Doc.

    The pipeline's tokenizer knows nothing of mentions that are part of a token, which
    the converters split; with its tokens the relations of these mentions are lost.
    """

    def _make_example(
        self, nlp: Language, reference: Doc, gold_preproc: bool
    ) -> Example:
        predicted = Doc(
            nlp.vocab,
            words=[token.text for token in reference],
            spaces=[bool(token.whitespace_) for token in reference],
        )
        if len(reference) and reference.has_annotation("SENT_START"):
            predicted.from_array(["SENT_START"], reference.to_array(["SENT_START"]))
        return Example(predicted, reference)


def build_corpus(
    path: Optional[str],
    limit: int = 0,
    shuffle: bool = False,
    augmenter: Optional[Callable] = None,
) -> Callable[[Language], Iterable[Example]]:
    """Build a reader of `.spacy` files that keeps the gold tokens and sentences.

    path (Optional[str]): A `.spacy` file, or a directory of them.
    limit (int): How many examples are read. 0: all.
    shuffle (bool): Whether they are shuffled, which holds them all in memory.
    augmenter (Optional[Callable]): Changes or adds examples.
    RETURNS (Callable[[Language], Iterable[Example]]): The reader.
    """
    return RelationCorpus(path, limit=limit, shuffle=shuffle, augmenter=augmenter)
