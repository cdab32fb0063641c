"""SemEval-2010 Task 8: sentences with two nominals each and the relation of the two.

A label says which nominal comes first in the name of the relation: the subject of
`Cause-Effect(e2,e1)` is e2. `Other` is no relation.

There is no official development split. Ours is about a tenth of the training file:
within each label, the sentences whose texts have the lowest SHA-256. Sentences of equal
text stay together, so no text of dev is in train.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from spacy.language import Language
from spacy.tokens import Doc, Span

from ..relations import Relation
from ..spans import ENTITIES_KEY
from ..text_files import input_error, read_lines, shorten
from .docs import Document, Mention, make_doc
from .format import Format
from .report import CHANGED, NOTED, Report, SplitReport

TRAIN_FILE = "SemEval2010_task8_training/TRAIN_FILE.TXT"
TEST_FILE = "SemEval2010_task8_testing_keys/TEST_FILE_FULL.TXT"
DEV_SHARE = 0.1
ENTITY_TYPE = "NOMINAL"
NO_RELATION = "Other"

SENTENCE = re.compile(r'(\d+)\t"(.*)"\s*')
TAGGED = re.compile(r"(.*)<e1>(.+)</e1>(.*)<e2>(.+)</e2>(.*)")
LABEL = re.compile(r"([\w-]+)\((e1,e2|e2,e1)\)|Other")


class Sentence(NamedTuple):
    """A sentence of the data.

    id (str): Its number.
    text (str): Its text without tags.
    nominals (Tuple[Mention, Mention]): e1 and e2.
    label (str): The relation with its direction, as in the data.
    glued (int): How many tags were glued to a word.
    """

    id: str
    text: str
    nominals: tuple[Mention, Mention]
    label: str
    glued: int


def read(nlp: Language, input_dir: Path, report: Report) -> Iterator[tuple[str, Doc]]:
    """Read SemEval-2010 Task 8. See `Format.read`."""
    sentences = list(_read_sentences(input_dir / TRAIN_FILE))
    dev_texts = choose_dev_texts(sentences)
    train_texts = {sentence.text for sentence in sentences}
    for sentence in sentences:
        split = "dev" if sentence.text in dev_texts else "train"
        yield split, _make_doc(nlp, sentence, report[split])
    test_texts: set[str] = set()
    for sentence in _read_sentences(input_dir / TEST_FILE):
        if sentence.text in train_texts and sentence.text not in test_texts:
            other = "dev" if sentence.text in dev_texts else "train"
            report["test"].record(NOTED, "text", f"is in {other} too", sentence.id)
        test_texts.add(sentence.text)
        yield "test", _make_doc(nlp, sentence, report["test"])


def answer(doc: Doc, relations: Iterable[Relation]) -> str:
    """Write the relation of a Doc's nominals as a line in the task's answer format.

    doc (Doc): A converted sentence. Its own relations are not read.
    relations (Iterable[Relation]): Relations between its nominals, on any Doc of the
        same tokens. Of several the one with the highest score counts.
    RETURNS (str): Id and label, such as "8001\\tCause-Effect(e2,e1)" or "8002\\tOther".
    RAISES (ValueError): If the Doc has no id, or other nominals than e1 and e2.
    """
    id_ = doc.user_data.get("doc_id")
    nominals = {_tokens(span): span.id_ for span in doc.spans.get(ENTITIES_KEY, ())}
    if id_ is None or sorted(nominals.values()) != ["e1", "e2"]:
        raise ValueError(
            f"Expected a document with an id and the nominals e1 and e2, but found "
            f"the id {id_} and {len(nominals)} entities in '{doc.text[:50]}'. Is this "
            "SemEval-2010 Task 8, converted with spacy-dualre convert semeval2010?"
        )
    best = max(relations, key=lambda relation: relation.score, default=None)
    if best is None:
        return f"{id_}\t{NO_RELATION}"
    subject, object_ = nominals[_tokens(best.subject)], nominals[_tokens(best.object)]
    return f"{id_}\t{best.label}({subject},{object_})"


def choose_dev_texts(sentences: list[Sentence]) -> set[str]:
    """Choose the texts of the development split, by label and by hash of the text.

    sentences (List[Sentence]): The sentences of the training file.
    RETURNS (Set[str]): The texts of about a tenth of the sentences of each label.
    """
    groups: dict[str, list[Sentence]] = defaultdict(list)
    for sentence in sentences:
        groups[sentence.text].append(sentence)
    strata: dict[str, list[str]] = defaultdict(list)
    sizes: dict[str, int] = defaultdict(int)
    for text, group in groups.items():
        strata[group[0].label].append(text)
        sizes[group[0].label] += len(group)
    chosen: set[str] = set()
    for label, texts in strata.items():
        wanted = round(DEV_SHARE * sizes[label])
        for text in sorted(texts, key=_hash):
            if len(groups[text]) <= wanted:
                chosen.add(text)
                wanted -= len(groups[text])
    return chosen


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf8")).hexdigest()


def _tokens(span: Span) -> tuple[int, int]:
    return (span.start, span.end)


def _read_sentences(path: Path) -> Iterator[Sentence]:
    """Yields the blocks of sentence, label, comment and blank line."""
    lines = read_lines(path)
    for number, line in lines:
        if not line.strip():
            continue
        match = SENTENCE.fullmatch(line)
        tagged = match and TAGGED.fullmatch(match[2])
        if not match or not tagged:
            raise input_error(
                path,
                number,
                'expected a number, a tab and "a sentence with one <e1>nominal</e1> '
                'and, behind it, one <e2>nominal</e2>" in double quotes. Is this one '
                "of the files with labels?",
            )
        label_number, label = next(lines, (number + 1, ""))
        label = label.strip()
        if not LABEL.fullmatch(label):
            raise input_error(
                path,
                label_number,
                "expected a label such as 'Cause-Effect(e1,e2)' or 'Other', but found "
                f"{shorten(label)}. Is the file complete?",
            )
        comment_number, comment = next(lines, (label_number + 1, ""))
        if not comment.startswith("Comment:"):
            raise input_error(
                path,
                comment_number,
                f"expected a line that begins with 'Comment:', but found "
                f"{shorten(comment)}. "
                "Is the file complete?",
            )
        yield _parse_sentence(match[1], list(tagged.groups()), label)


def _parse_sentence(id_: str, parts: list[str], label: str) -> Sentence:
    text = parts[0]
    offsets = [0]
    glued = 0
    for part in parts[1:]:
        # In "The<e1>staff</e1>" the space between two words was lost to the tag.
        if text[-1:].isalnum() and part[:1].isalnum():
            text += " "
            glued += 1
        offsets.append(len(text))
        text += part
    nominals = (
        Mention(offsets[1], offsets[1] + len(parts[1]), ENTITY_TYPE, id="e1"),
        Mention(offsets[3], offsets[3] + len(parts[3]), ENTITY_TYPE, id="e2"),
    )
    return Sentence(id_, text, nominals, label, glued)


def _make_doc(nlp: Language, sentence: Sentence, report: SplitReport) -> Doc:
    for _ in range(sentence.glued):
        report.record(CHANGED, "text", "space set where a tag was glued", sentence.id)
    relations = []
    if sentence.label == NO_RELATION:
        report.record(NOTED, "sentence", "labelled Other: no relation", sentence.id)
    else:
        name, _, direction = sentence.label.partition("(")
        subject, object_ = (0, 1) if direction.startswith("e1") else (1, 0)
        relations.append((subject, object_, name))
    # One sentence, whatever full stops it has.
    document = Document(
        sentence.id, sentence.text, sentence.nominals, relations, sentences=[0]
    )
    return make_doc(nlp, document, report)


FORMAT = Format(
    read=read,
    files={
        TRAIN_FILE: "73cd76bf45c17257d9dba882655917109a863ccd42ad69ee6a34083a61202b51",
        TEST_FILE: "066b269d0bebbefaba2f347671b373d45fdecad9191513417572a07bc61b9566",
    },
    # Train and dev are the 8,000 sentences of the training file.
    counts={
        "train": {"documents": 7201, "mentions": 14402, "relations": 5931},
        "dev": {"documents": 799, "mentions": 1598, "relations": 659},
        "test": {"documents": 2717, "mentions": 5434, "relations": 2263},
    },
)
