"""spaCy's own format: Docs with tokens, sentences, entities and relations. All Docs are
in memory until it is written.
"""

from pathlib import Path

from spacy.vocab import Vocab

from ...apply.records import to_doc
from ...doc_bins import new_doc_bin
from .results import Results
from .writer import Writer


def write(results: Results, path: Path) -> None:
    """Write a `.spacy` file. See `Writer`. `doc.user_data` has "doc_id" and "model"."""
    docs = new_doc_bin()
    vocab = Vocab()
    for record in results.documents():
        doc = to_doc(record, vocab)
        doc.user_data["model"] = record["model"]
        docs.add(doc)
    docs.to_disk(path)


WRITER = Writer(write, of_documents=True)
