"""A corpus reader that keeps the gold tokens."""

from collections.abc import Callable, Iterable

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
            for token, gold in zip(predicted, reference):
                token.is_sent_start = gold.is_sent_start
        return Example(predicted, reference)


def build_corpus(
    path: str | None,
    limit: int = 0,
    shuffle: bool = False,
    augmenter: Callable | None = None,
) -> Callable[[Language], Iterable[Example]]:
    """Build a reader of `.spacy` files that keeps the gold tokens and sentences.

    path (Optional[str]): A `.spacy` file, or a directory of them.
    limit (int): How many examples are read. 0: all.
    shuffle (bool): Whether they are shuffled, which holds them all in memory.
    augmenter (Optional[Callable]): Changes or adds examples.
    RETURNS (Callable[[Language], Iterable[Example]]): The reader.
    RAISES (ValueError): If there is no path.
    """
    if not path:
        raise ValueError(
            "A corpus has no path. Set paths.train and paths.dev in the config, or "
            "give --paths.train and --paths.dev."
        )
    return RelationCorpus(path, limit=limit, shuffle=shuffle, augmenter=augmenter)
