"""The conversion report: what was read, what was written, and what differs."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

from spacy.tokens import Doc

from ..predicates import NO_RELATION
from ..relations import get_relations

MAX_EXAMPLES = 5

# What can become of something in the input, worst first.
LOST = "lost"  # it is not in the output
MERGED = "merged"  # it equals another one and is in the output once
CHANGED = "changed"  # it is in the output, but not as in the input
NOTED = "noted"  # it is as in the input, and worth knowing
OUTCOMES = (LOST, MERGED, CHANGED, NOTED)

# What a finding means for training, and what to set, by its reason.
MEANINGS = {
    "crosses a sentence boundary": (
        "Pairs within one sentence are scored only, so these relations count as misses "
        "and can't be learned, unless max_sentences in [components."
        "dual_relation_extractor.candidates] is 2, or null (spacy-dualre init sets it)."
    ),
    "has no mention pair in one sentence": (
        "Pairs within one sentence are scored only, so these relations count as misses "
        "and can't be learned, unless max_sentences in [components."
        "dual_relation_extractor.candidates] is null (spacy-dualre init sets it)."
    ),
    "not in doc.ents: overlaps a longer": (
        "doc.ents has no place for mentions that overlap, and their relations are not "
        'found, unless spans_key in [components.dual_relation_extractor] is "entities" '
        "(spacy-dualre init sets it)."
    ),
    "has more than one label": (
        "A pair gets one label at most, so the other ones count as misses."
    ),
    "has both no_relation and a label": (
        "The annotation contradicts itself. Remove one of the two."
    ),
    "sentences were found by rule": (
        "The files do not say where sentences begin. Pairs are scored within one "
        "sentence by default, so look at some of them; the format jsonl can have "
        "boundaries of your own ('sentences')."
    ),
    "split at a full stop": (
        "The tokenizer does not know this full stop. Give the language of the texts "
        "with --lang."
    ),
    "only the listed pairs are decided": (
        "Other pairs of these documents are unknown, not negative."
    ),
    "in pieces: taken as a whole": (
        "A span of tokens has no gaps, so the text between the pieces is in it. Where "
        "that is much, annotate the piece that names the entity best."
    ),
    "is unknown": "These pairs are neither positive nor negative.",
    "split a token at its edge": (
        "Tokens follow the mentions, so the reader of the training data has to keep "
        "the gold tokens, as spacy-dualre.Corpus.v1 does."
    ),
}


class Finding(NamedTuple):
    """Something that became of mentions, relations or other parts of the input.

    outcome (str): "lost", "merged", "changed" or "noted".
    what (str): What it happened to, e.g. "mention".
    reason (str): Why, or how.
    """

    outcome: str
    what: str
    reason: str

    @property
    def meaning(self) -> str:
        """What it means for training, and what to set; empty where that is clear."""
        return MEANINGS.get(self.reason, "")


class SplitReport:
    """The report of one split.

    rows (Counter): How many of each kind ("mention", "relation") the files have.
    counts (Counter): Documents, sentences and tokens written.
    mentions (Counter): Mentions written, by type.
    relations (Counter): Relations written, by label.
    n_relations (int): Relations written, those between concepts once.
    no_relation (int): Pairs written that are marked as having no relation.
    concept_relations (Counter): Relations between concepts written, by label.
    findings (Dict[Finding, List[str]]): The ids of the documents of each finding, once
        for every time that it was made.
    """

    def __init__(self) -> None:
        self.rows: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.mentions: Counter[str] = Counter()
        self.relations: Counter[str] = Counter()
        self.no_relation = 0
        self.n_relations = 0
        self.concept_relations: Counter[str] = Counter()
        self.findings: dict[Finding, list[str]] = defaultdict(list)

    def record(self, outcome: str, what: str, reason: str, doc_id: str) -> None:
        """Record what became of one mention, relation or other part of the input."""
        self.findings[Finding(outcome, what, reason)].append(doc_id)

    def add(self, doc: Doc) -> None:
        """Count what is on a Doc that is written."""
        n_sentences = int((doc.to_array("SENT_START") == 1).sum())
        self.counts.update(documents=1, sentences=n_sentences, tokens=len(doc))
        self.mentions.update(span.label_ for span in doc.spans["entities"])
        labels = Counter(relation.label for relation in get_relations(doc))
        self.no_relation += labels.pop(NO_RELATION, 0)
        self.relations.update(labels)
        concept_relations = doc.user_data.get("concept_relations", ())
        is_expanded = "concept_relations" in doc.user_data
        self.n_relations += len(concept_relations) if is_expanded else labels.total()
        self.concept_relations.update(label for _, _, label, *_ in concept_relations)

    def total(self, outcome: str, what: str) -> int:
        """RETURNS (int): How many mentions or relations had this outcome."""
        return sum(
            len(doc_ids)
            for finding, doc_ids in self.findings.items()
            if (finding.outcome, finding.what) == (outcome, what)
        )

    def unaccounted(self) -> dict[str, int]:
        """RETURNS (Dict[str, int]): How many mentions and relations of the files are
        neither on the Docs nor recorded as lost or merged.
        """
        written = {
            "mention": self.mentions.total(),
            "relation": self.n_relations + self.no_relation,
        }
        return {
            what: self.rows[what]
            - written[what]
            - self.total(LOST, what)
            - self.total(MERGED, what)
            for what in written
        }

    def known_counts(self) -> dict[str, int]:
        """RETURNS (Dict[str, int]): What can be compared with a format's counts."""
        return {
            "documents": self.counts["documents"],
            "sentences": self.counts["sentences"],
            "mentions": self.rows["mention"],
            "relations": self.rows["relation"],
        }

    def to_data(self) -> dict[str, Any]:
        """RETURNS (Dict[str, Any]): The report as plain data."""
        data: dict[str, Any] = {
            **self.counts,
            "input": {
                "mentions": self.rows["mention"],
                "relations": self.rows["relation"],
            },
            "mentions": _by_count(self.mentions),
            "relations": _by_count(self.relations),
        }
        if self.no_relation:
            data["no_relation"] = self.no_relation
        if self.concept_relations:
            data["concept_relations"] = _by_count(self.concept_relations)
        findings = sorted(
            self.findings.items(), key=lambda item: OUTCOMES.index(item[0].outcome)
        )
        data["findings"] = [
            {
                **finding._asdict(),
                **({"meaning": finding.meaning} if finding.meaning else {}),
                "count": len(doc_ids),
                "examples": list(dict.fromkeys(doc_ids))[:MAX_EXAMPLES],
            }
            for finding, doc_ids in findings
        ]
        return data


class TooManyErrors(Exception):
    """As many errors were collected as are wanted."""


class Report:
    """The report of a conversion.

    name (str): The format.
    splits (Dict[str, SplitReport]): The report of each split, made when asked for.
    warnings (List[str]): What holds for the whole input.
    max_errors (int): How many errors are collected. 0: the first one is raised.
    errors (List[str]): The errors so far.
    """

    def __init__(self, name: str, max_errors: int = 0) -> None:
        self.name = name
        self.max_errors = max_errors
        self.errors: list[str] = []
        self.splits: dict[str, SplitReport] = defaultdict(SplitReport)
        self.warnings: list[str] = []

    def __getitem__(self, split: str) -> SplitReport:
        return self.splits[split]

    def fail(self, error: ValueError) -> None:
        """Raise an error, or collect it and go on.

        error (ValueError): An error in the input.
        RAISES (ValueError): The error, if none are collected.
        RAISES (TooManyErrors): If no more are collected.
        """
        if not self.max_errors:
            raise error
        self.errors.append(str(error))
        if len(self.errors) >= self.max_errors:
            raise TooManyErrors

    def warn_of_early_ends(self) -> None:
        """Warn of splits in which most ends look like those of the last character."""
        for split, report in self.splits.items():
            early = report.rows["mention that ends one character early"]
            if early * 2 >= report.rows["mention"] and early > 1:
                self.warnings.append(
                    f"{early} of the {report.rows['mention']} mentions of {split} end "
                    "one character before the end of a word. Do the ends in the file "
                    "include the last character? They have to be the offset behind it: "
                    "add 1."
                )

    def losses(self) -> list[tuple[str, Finding, list[str]]]:
        """RETURNS (List[Tuple[str, Finding, List[str]]]): Every loss with its split and
        the ids of its documents.
        """
        return [
            (split, finding, doc_ids)
            for split, report in self.splits.items()
            for finding, doc_ids in report.findings.items()
            if finding.outcome == LOST
        ]

    def wrong_counts(self, known: Mapping[str, Mapping[str, int]]) -> list[str]:
        """Compare with the counts of a known dataset.

        known (Mapping[str, Mapping[str, int]]): Split -> counts.
        RETURNS (List[str]): A message for every count that differs.
        """
        return [
            f"{split} has {found} {what}, expected {expected}"
            for split, counts in known.items()
            for what, expected in counts.items()
            if (found := self[split].known_counts()[what]) != expected
        ]

    def to_data(self) -> dict[str, Any]:
        """RETURNS (Dict[str, Any]): The report as plain data, as saved to
        `report.json`.
        """
        return {
            "format": self.name,
            "warnings": self.warnings,
            "splits": {split: self[split].to_data() for split in self.splits},
        }


def _by_count(counter: "Counter[str]") -> dict[str, int]:
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))
