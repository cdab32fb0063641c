"""What writers write: the documents of a run and the facts in them."""

import errno
import json
import re
import sqlite3
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

# What spaCy's entity linkers write where they find nothing.
NO_ID = ("", "NIL")
IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20<>\"{}|\\^`]*")
BASE_IRI = "urn:dualre:"


class Entity(NamedTuple):
    """An entity.

    text (str): A mention of it.
    type (str): Its type.
    id (str): What it is linked to, its `kb_id`. Empty: nothing.
    """

    text: str
    type: str
    id: str

    @property
    def key(self) -> str:
        """RETURNS (str): The same for all mentions of one entity: its id, or else its
        type and its text, whatever its case, white space and Unicode form."""
        if self.id not in NO_ID:
            return f"id:{self.id}"
        text = unicodedata.normalize("NFKC", self.text).casefold()
        return f"text:{self.type}:{' '.join(text.split())}"


class Evidence(NamedTuple):
    """A place in a document that states a fact. Offsets count the characters of the
    document; an end is that behind the last one.

    document (str): The document's id.
    sentence (str): The sentence; several if the fact crosses their boundaries.
    sentence_start (int): Where it begins.
    subject_start (int): Where the subject is.
    subject_end (int): Where it ends.
    subject_text (str): Its text.
    object_start (int): Where the object is.
    object_end (int): Where it ends.
    object_text (str): Its text.
    score (float): The probability of the relation.
    """

    document: str
    sentence: str
    sentence_start: int
    subject_start: int
    subject_end: int
    subject_text: str
    object_start: int
    object_end: int
    object_text: str
    score: float

    def turned(self) -> "Evidence":
        """RETURNS (Evidence): The same with subject and object exchanged."""
        return self._replace(
            subject_start=self.object_start,
            subject_end=self.object_end,
            subject_text=self.object_text,
            object_start=self.subject_start,
            object_end=self.subject_end,
            object_text=self.subject_text,
        )


class Fact(NamedTuple):
    """A relation between two entities.

    subject (Entity): The subject.
    predicate (str): The predicate.
    object (Entity): The object.
    evidence (List[Evidence]): Where it is stated: one place, or if facts are merged,
        all places.
    """

    subject: Entity
    predicate: str
    object: Entity
    evidence: list[Evidence]

    @property
    def best(self) -> Evidence:
        """RETURNS (Evidence): The evidence with the best score, the first of equals."""
        return max(self.evidence, key=lambda evidence: evidence.score)

    @property
    def score(self) -> float:
        """RETURNS (float): The best score."""
        return self.best.score


class Selection(NamedTuple):
    """What is written, and how.

    min_score (float): Relations with a lower score are left out.
    labels (Optional[Collection[str]]): Relations with other labels are left out. None:
        none are.
    merge (bool): Whether the facts that several places state are written once.
    base_iri (str): What the names of entities, predicates and documents begin with
        in formats of the web.
    """

    min_score: float = 0.0
    labels: Collection[str] | None = None
    merge: bool = False
    base_iri: str = BASE_IRI

    def check(self) -> None:
        """RAISES (ValueError): If it can't be used."""
        if not 0 <= self.min_score <= 1:
            raise ValueError(f"min_score must be in [0, 1], not {self.min_score}.")
        if not IRI.fullmatch(self.base_iri):
            raise ValueError(
                f"base_iri must be the beginning of an IRI, such as "
                f"https://example.org/, not {self.base_iri!r}."
            )


class Results:
    """The results of a run, read from its parts as often as they are asked for.

    parts (Sequence[Tuple[Path, int]]): The parts in order, each with the number of its
        documents.
    model (str): The name and version of the pipeline.
    symmetric (Collection[str]): The labels of the predicates that hold both ways round.
    selection (Selection): What is written.
    """

    def __init__(
        self,
        parts: Sequence[tuple[Path, int]],
        model: str,
        symmetric: Collection[str] = (),
        selection: Selection = Selection(),  # noqa: B008
    ) -> None:
        self.parts = parts
        self.model = model
        self.symmetric = frozenset(symmetric)
        self.selection = selection

    def records(self) -> Iterator[dict[str, Any]]:
        """Read the parts.

        YIELDS (Dict[str, Any]): The records, those of documents with an error among
            them.
        RAISES (ValueError): If a part is damaged.
        """
        for path, n in self.parts:
            number = 0
            with path.open(encoding="utf8", newline="\n") as file:
                for line in file:
                    number += 1
                    try:
                        record = json.loads(line)
                    except ValueError as e:
                        raise _damaged(path, f"line {number} is no JSON") from e
                    yield record
            if number != n:
                raise _damaged(path, f"it has {number} documents, expected {n}")

    def documents(self) -> Iterator[dict[str, Any]]:
        """Read the documents that could be processed.

        YIELDS (Dict[str, Any]): A record, see `spacy_dualre.apply.records`, with those
            relations that were selected, and the "model".
        """
        labels = self.selection.labels
        for record in self.records():
            if "error" not in record:
                record["relations"] = [
                    relation
                    for relation in record["relations"]
                    if relation["score"] >= self.selection.min_score
                    and (labels is None or relation["label"] in labels)
                ]
                record["model"] = self.model
                yield record

    def facts(self) -> Iterator[Fact]:
        """Read the facts.

        YIELDS (Fact): The facts in the order of the documents; merged ones in that of
            their first evidence.
        """
        if self.selection.merge and self.parts:
            folder = self.parts[0][0].parent
            return _merge(self._mentioned(), self.symmetric, folder)
        return self._mentioned()

    def _mentioned(self) -> Iterator[Fact]:
        for record in self.documents():
            for relation in record["relations"]:
                yield _to_fact(record, relation)


def _damaged(path: Path, how: str) -> ValueError:
    return ValueError(
        f"{path} is damaged: {how}. Remove it and give the same command again."
    )


def _to_fact(record: dict[str, Any], relation: dict[str, Any]) -> Fact:
    text = record["text"]
    entities = [record["entities"][relation[role]] for role in ("subject", "object")]
    (s, s_end), (o, o_end) = ((e["start"], e["end"]) for e in entities)
    first, last = min(s, o), max(s_end, o_end)
    sentences = record.get("sentences", [(0, len(text))])
    start = max((start for start, _ in sentences if start <= first), default=0)
    end = min((end for _, end in sentences if end >= last), default=len(text))
    evidence = Evidence(
        record["id"],
        text[start:end],
        start,
        *(s, s_end, text[s:s_end]),
        *(o, o_end, text[o:o_end]),
        relation["score"],
    )
    subject, object_ = (
        Entity(text[e["start"] : e["end"]], e.get("label", ""), e.get("id", ""))
        for e in entities
    )
    return Fact(subject, relation["label"], object_, [evidence])


def _merge(
    facts: Iterator[Fact], symmetric: Collection[str], folder: Path
) -> Iterator[Fact]:
    """Join facts that say the same. They wait on the disk, not in memory."""
    # Not where temporary files are: that is often a small disk, or memory. The table
    # is kept in the order in which it is read, because to sort it SQLite would write
    # such files. One that is killed leaves what the next run removes.
    with (
        TemporaryDirectory(prefix=".merge.", suffix=".new", dir=folder) as place,
        closing(sqlite3.connect(Path(place) / "facts")) as database,
    ):
        try:
            database.executescript(
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
                "CREATE TABLE fact (number INTEGER PRIMARY KEY, key TEXT UNIQUE);"
                "CREATE TABLE mention (fact INTEGER, number INTEGER, data TEXT, "
                "PRIMARY KEY (fact, number)) WITHOUT ROWID"
            )
            for order, fact in enumerate(facts):
                key = _key(fact, symmetric)
                database.execute("INSERT OR IGNORE INTO fact (key) VALUES (?)", (key,))
                database.execute(
                    "INSERT INTO mention SELECT number, ?, ? FROM fact WHERE key = ?",
                    (order, json.dumps(fact), key),
                )
            database.commit()
        except sqlite3.OperationalError as e:
            code = errno.ENOSPC if "full" in str(e) else errno.EIO
            raise OSError(code, f"Can't merge facts in {folder}: {e}") from e
        rows = database.execute("SELECT fact, data FROM mention ORDER BY fact, number")
        for _, same in groupby(rows, key=itemgetter(0)):
            merged, *others = (_from_data(json.loads(data)) for _, data in same)
            for other in others:
                turn = other.subject.key != merged.subject.key
                merged.evidence.extend(
                    one.turned() if turn else one for one in other.evidence
                )
            yield merged


def _key(fact: Fact, symmetric: Collection[str]) -> str:
    ends = [fact.subject.key, fact.object.key]
    if fact.predicate in symmetric:
        ends.sort()
    return json.dumps([fact.predicate, *ends])


def _from_data(data: list[Any]) -> Fact:
    subject, predicate, object_, evidence = data
    places = [Evidence(*one) for one in evidence]
    return Fact(Entity(*subject), predicate, Entity(*object_), places)
