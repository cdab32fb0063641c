"""A corpus reader that keeps the gold tokens."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Corpus, Example
from spacy.vocab import Vocab
from thinc.api import Config

from ..doc_bins import read_docs
from .gold import TO_BE_COMPLETED, set_sentence_starts


class RelationCorpus(Corpus):
    """Reads `.spacy` files like `spacy.Corpus.v1`, but gives the predicted Doc the
    tokens and sentence boundaries of the gold Doc.

    The pipeline's tokenizer knows nothing of mentions that are part of a token, which
    the converters split; with its tokens the relations of these mentions are lost.
    """

    def read_docbin(self, vocab: Vocab, locs: Iterable[str | Path]) -> Iterator[Doc]:
        docs = (doc for path in locs for doc in read_docs(Path(path), vocab))
        return islice((doc for doc in docs if len(doc)), self.limit or None)

    def _make_example(
        self, nlp: Language, reference: Doc, gold_preproc: bool
    ) -> Example:
        return make_example(nlp, reference)


def make_example(nlp: Language, reference: Doc) -> Example:
    """Make an example whose predicted Doc has the gold tokens and sentences.

    nlp (Language): The current nlp object.
    reference (Doc): The gold Doc.
    RETURNS (Example): The example.
    """
    predicted = Doc(
        nlp.vocab,
        words=[token.text for token in reference],
        spaces=[bool(token.whitespace_) for token in reference],
        sent_starts=_sentence_starts(reference),
    )
    predicted.user_data[TO_BE_COMPLETED] = True
    return Example(predicted, reference)


def augment(augmenter: Callable, nlp: Language, example: Example) -> Iterator[Example]:
    """Augment an example. spaCy's augmenters tokenize the predicted Doc anew, and lose
    the sentence boundaries of a gold Doc without a parse; both are put right here.

    augmenter (Callable): Takes nlp and an example, and yields examples.
    nlp (Language): The current nlp object.
    example (Example): The example.
    YIELDS (Example): The augmented examples.
    """
    for augmented in augmenter(nlp, example):
        gold = augmented.reference
        same_tokens = len(gold) == len(example.reference)
        if same_tokens and not gold.has_annotation("SENT_START"):
            starts = _sentence_starts(example.reference)
            if starts is not None:
                set_sentence_starts(gold, starts)
        yield make_example(nlp, gold)


def _sentence_starts(doc: Doc) -> list[bool | int | None] | None:
    if not doc.has_annotation("SENT_START"):
        return None
    return [token.is_sent_start for token in doc]


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
    if augmenter is not None:
        augmenter = partial(augment, augmenter)
    return RelationCorpus(path, limit=limit, shuffle=shuffle, augmenter=augmenter)


def refuse_lossy_corpora(config: Config) -> None:
    """Refuse corpus readers that would drop gold relations without a word.

    config (Config): The pipeline's config.
    RAISES (ValueError): If a corpus is read with a setting that cuts Docs.
    """
    for name, corpus in config.interpolate().get("corpora", {}).items():
        # One function may return all corpora; then these are its arguments.
        if not isinstance(corpus, dict) or corpus.get("@readers") != "spacy.Corpus.v1":
            continue
        for setting, harmless in (("max_length", 0), ("gold_preproc", False)):
            if corpus.get(setting, harmless) != harmless:
                raise ValueError(
                    f"corpora.{name}.{setting} = {corpus[setting]} makes spaCy cut "
                    "Docs into sentences, which drops their gold relations. Set it to "
                    f"{str(harmless).lower()}: max_tokens bounds the memory."
                )
