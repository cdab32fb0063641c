"""From the files of a format to Docs: what all formats that read documents share."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from ..json_files import Fail
from ..text_files import input_error, shorten
from .docs import Document, make_doc
from .format import find_files
from .offsets import check_quotes
from .report import LOST, Report, SplitReport

Records = Callable[[Path, Fail], Iterator[tuple[int, Any]]]
Parse = Callable[[Any, str, SplitReport], Document | None]


class DocumentReader:
    """A `Format.read` for formats whose files are documents, one after the other.

    suffixes (Tuple[str, ...]): How the names of the files end.
    records (Callable[[Path, Fail], Iterator[Tuple[int, Any]]]): Takes a file, and what
        to call with an error; yields each document in the file's own form, with the
        line that it begins on.
    parse (Callable[[Any, str, SplitReport], Optional[Document]]): Takes such a record,
        an id for documents without one, and the report of the split; returns the
        document, or None where it is left out, which it has to record.
    expected (str): What a record is, for errors.
    finish (Optional[Callable[[Doc, Any, SplitReport], None]]): Takes the Doc, the
        record and the report, and adds what a document has no place for.
    """

    def __init__(
        self,
        suffixes: tuple[str, ...],
        records: Records,
        parse: Parse,
        expected: str,
        finish: Callable[[Doc, Any, SplitReport], None] | None = None,
    ) -> None:
        self.suffixes = suffixes
        self.records = records
        self.parse = parse
        self.expected = expected
        self.finish = finish

    def __call__(
        self, nlp: Language, input_path: Path, report: Report
    ) -> Iterator[tuple[str, Doc]]:
        """Read the files. See `Format.read`."""
        files = find_files(input_path, self.suffixes, report)
        for split, paths in files.items():
            for path in paths:
                for doc in self._read_file(nlp, path, report, report[split]):
                    yield split, doc

    def _read_file(
        self, nlp: Language, path: Path, report: Report, split: SplitReport
    ) -> Iterator[Doc]:
        found: list[tuple[int, Any, Document]] = []
        for line, record in self.records(path, report.fail):
            try:
                document = self._guard(self.parse, record, str(line), split)
            except ValueError as e:
                for message in getattr(e, "messages", [str(e)]):
                    report.fail(input_error(path, line, message))
                continue
            if document is None:
                continue
            if not document.text and not document.mentions:
                split.record(LOST, "document", "has no text", document.id)
                continue
            found.append((line, record, document))
        # All of a file, because one mention does not show in which unit it counts.
        wrong = check_quotes([document for _, _, document in found])
        for i, (line, record, document) in enumerate(found):
            try:
                if i in wrong:
                    raise ValueError(wrong[i])
                doc = make_doc(nlp, document, split)
                if self.finish is not None:
                    self._guard(self.finish, doc, record, split)
            except ValueError as e:
                report.fail(input_error(path, line, str(e)))
            else:
                yield doc

    def _guard(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function that trusts a record to be what is expected."""
        try:
            return function(*args)
        except (KeyError, IndexError, TypeError, AttributeError) as e:
            problem = shorten(f"{type(e).__name__}: {e}")
            raise ValueError(
                f"expected {self.expected}, but could not read it ({problem})."
            ) from e


class SeveralErrors(ValueError):
    """The errors of one document. As one error it is the first of them.

    messages (List[str]): What they say.
    """

    def __init__(self, messages: list[str]) -> None:
        super().__init__(messages[0])
        self.messages = messages
