"""Annotated data and a config looked through before training."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import combinations
from typing import NamedTuple

from spacy.tokens import Doc
from thinc.api import Config

from ..encoding.wordpieces import PairTokenizer
from ..evaluation import joins_concepts
from ..model.shim import DualEncoderShim
from ..pairs.candidates import Candidates
from ..predicates import NO_RELATION, Predicate, describe
from ..relations import get_relations
from ..text_files import shorten
from .gold import complete, count_labels
from .report import DataReport, count_by_reason
from .trial import Trial, make_trial

# Labels with fewer training relations are hard to learn.
FEW_RELATIONS = 10
# A label that is so many times as frequent as another one drowns it.
IMBALANCE = 100
# Descriptions that are so alike are hard to tell apart.
ALIKE = 0.9
# Pairs of a Doc, on average, from which on training and prediction take long.
MANY_PAIRS = 500
# How many examples a message names.
MAX_NAMED = 5

# What to change where gold relations are no candidates, by reason.
REMEDIES = {
    "sentences": "raise candidates.max_sentences (null: no limit)",
    "tokens": "raise candidates.max_tokens",
    "max_pairs": "raise candidates.max_pairs",
    "max_pairs_per_concept": "raise candidates.max_pairs_per_concept",
    "signature": "add the types to the predicate's subject_types and object_types",
    "entity": (
        'set spans_key = "entities", if entities overlap; or see whether a component '
        "sets other ones"
    ),
    "same mention": "remove relations of an entity with itself",
    "label": "add the predicate",
    "not chosen": "see the function that chooses the candidates",
}


class Finding(NamedTuple):
    """Something to know before training.

    fatal (bool): Whether training would fail, or mean nothing.
    what (str): What it is.
    advice (str): What to change.
    """

    fatal: bool
    what: str
    advice: str


class Check(NamedTuple):
    """What was found.

    reports (Dict[str, DataReport]): Split -> what is in it.
    findings (List[Finding]): The findings, fatal ones first.
    by_concept (bool): Whether relations are between concepts.
    """

    reports: dict[str, DataReport]
    findings: list[Finding]
    by_concept: bool

    @property
    def failed(self) -> bool:
        """RETURNS (bool): Whether there is a fatal finding."""
        return any(finding.fatal for finding in self.findings)


def check_config(config: Config, test: Sequence[Doc] = ()) -> Check:
    """Look through the data and settings of a training, before it begins.

    config (Config): The training config.
    test (Sequence[Doc]): Docs that are kept for the end, of which is checked only
        whether their texts are in the training data, too.
    RETURNS (Check): What was found.
    RAISES (ValueError): If the config can't be used at all.
    """
    trial = make_trial(config)
    splits = {"train": trial.train, "dev": trial.dev}
    docs = {split: [eg.reference for eg in own] for split, own in splits.items()}
    findings = [*_check_splits({**docs, "test": test}), *_check_empty(trial)]
    key = trial.extractor.relations_key
    labels = count_labels([*trial.train, *trial.dev], key)
    if not trial.extractor.predicates and labels:
        trial.extractor.set_predicates({label: describe(label) for label in labels})
    reports = {}
    by_concept = joins_concepts(trial.extractor)
    if trial.extractor.predicates:
        clipped: Counter[str] = Counter()
        tokenizer, failure = _initialize(trial)
        findings += failure
        for split, examples in splits.items():
            reports[split] = DataReport()
            for example in examples:
                example = complete(example, trial.extractor.spans_key)
                found = trial.extractor.find_candidates(example.predicted)
                reports[split].add(example, found, key)
                clipped.update(_clipped(tokenizer, found))
                clipped["pairs"] += len(found.pairs)
            findings += _check_candidates(split, reports[split], by_concept)
        findings += _check_labels(reports["train"], reports["dev"])
        findings += _check_annotation(trial)
        findings += _check_lengths(clipped)
        findings += _check_descriptions(trial.extractor.predicates)
    findings.sort(key=lambda finding: not finding.fatal)
    return Check(reports, findings, by_concept)


def _initialize(trial: Trial) -> tuple[PairTokenizer | None, list[Finding]]:
    try:
        trial.initialize()
    except (ValueError, OSError) as e:
        return None, [Finding(True, f"Training would fail: {e}", "See the error.")]
    shim = next(iter(trial.extractor.model.shims), None)
    if isinstance(shim, DualEncoderShim):
        return shim.pair_tokenizer, []
    return None, []


def _clipped(tokenizer: PairTokenizer | None, found: Candidates) -> "Counter[str]":
    if tokenizer is None or not len(found.pairs):
        return Counter()
    return tokenizer.locate([found]).clipped


def _check_empty(trial: Trial) -> Iterator[Finding]:
    key = trial.extractor.relations_key
    for split, examples in (("train", trial.train), ("dev", trial.dev)):
        if not examples:
            yield Finding(
                True,
                f"{split} has no documents.",
                f"See corpora.{split} in the config.",
            )
            continue
        if not count_labels(examples, key):
            why = (
                "there is nothing to learn"
                if split == "train"
                else "every score would be 0.00, and no model the best"
            )
            yield Finding(
                True,
                f"None of the {len(examples)} documents of {split} has a relation in "
                f"doc.spans['{key}']: {why}.",
                "Annotate some, or divide the annotated documents anew: spacy-dualre "
                "divide.",
            )


def _check_splits(splits: Mapping[str, Sequence[Doc]]) -> Iterator[Finding]:
    splits_of: dict[str, set[str]] = defaultdict(set)
    for split, docs in splits.items():
        for doc in docs:
            splits_of[doc.text].add(split)
    for first, second in combinations(splits, 2):
        shared = [t for t, names in splits_of.items() if {first, second} <= names]
        if shared:
            yield Finding(
                False,
                f"{len(shared)} texts of {second} are in {first}, too, such as "
                f"{shorten(shared[0])}: scores on {second} will be too good.",
                "Divide anew with spacy-dualre divide, which keeps equal texts "
                "together.",
            )


def _check_candidates(
    split: str, report: DataReport, by_concept: bool
) -> Iterator[Finding]:
    total, lost = report.relations, count_by_reason(report.lost)
    if total and not report.positive:
        yield Finding(
            True,
            f"None of the {total} relations of {split} is between candidates: {lost}.",
            _remedies(report.lost),
        )
    elif by_concept:
        # Of two concepts one pair of mentions is enough.
        missed = report.concepts - report.concepts_found
        if missed:
            yield Finding(
                False,
                f"{missed} of the {report.concepts} relations between concepts of "
                f"{split} have no mention pair among the candidates ({lost}).",
                "See candidates.max_sentences and max_pairs, and the signatures.",
            )
    elif report.lost:
        yield Finding(
            False,
            f"{report.lost.total()} of the {total} relations of {split} are between "
            f"what is no candidate, and can't be found: {lost}.",
            _remedies(report.lost),
        )
    if report.violations:
        named = dict(report.violations.most_common(MAX_NAMED))
        yield Finding(
            False,
            f"{report.violations.total()} relations of {split} violate the signature "
            f"of their predicate, such as {count_by_reason(named)}.",
            "Correct the annotation, or add the types to the predicate.",
        )
    if report.further:
        yield Finding(
            False,
            f"{report.further} relations of {split} are of pairs that have another "
            "label as well, but without multi_label a pair gets one.",
            "Set multi_label = true, or join the labels.",
        )
    n_docs = max(len(report.pairs), 1)
    mean = sum(report.pairs) / n_docs
    if mean > MANY_PAIRS:
        yield Finding(
            False,
            f"A document of {split} has {mean:,.0f} candidate pairs on average, and "
            f"{max(report.pairs):,} at most, which takes long.",
            "Narrow the signatures, or set candidates.max_tokens or max_pairs. If the "
            "reading is not levitated yet, that makes pairs cheap: spacy-dualre init "
            "--optimize speed.",
        )


def _check_labels(train: DataReport, dev: DataReport) -> Iterator[Finding]:
    few = {label: n for label, n in train.labels.items() if n < FEW_RELATIONS}
    if few:
        yield Finding(
            False,
            f"Labels with fewer than {FEW_RELATIONS} relations in train: "
            f"{count_by_reason(few)}.",
            "Annotate more, join them with others, or leave them out.",
        )
    unseen = sorted(set(dev.labels) - set(train.labels))
    if unseen:
        yield Finding(
            False,
            f"Labels of dev that train does not have: {', '.join(unseen)}.",
            "Divide anew: spacy-dualre divide gives each split its share of every "
            "label.",
        )
    missing = sorted(set(train.labels) - set(dev.labels))
    if missing and dev.labels:
        yield Finding(
            False,
            f"Labels that dev does not have, so that nothing is known of how well they "
            f"are found: {', '.join(missing)}.",
            "Divide anew, or annotate more for dev.",
        )
    most, least = (f(train.labels.values(), default=1) for f in (max, min))
    if most > IMBALANCE * least:
        yield Finding(
            False,
            f"The most frequent label of train has {most / least:.0f} times as many "
            "relations as the rarest.",
            "Look at macro F1 as well (rel_macro_f in training.score_weights), and "
            "annotate more of the rare ones.",
        )


def _check_annotation(trial: Trial) -> Iterator[Finding]:
    decided = []
    for example in (*trial.train, *trial.dev):
        labels: dict[tuple[int, ...], set[str]] = defaultdict(set)
        for relation in get_relations(example.reference, trial.extractor.relations_key):
            labels[relation.fact[:4]].add(relation.label)
        if any(len(own) > 1 and NO_RELATION in own for own in labels.values()):
            decided.append(example.reference)
    if decided:
        yield Finding(
            False,
            f"{len(decided)} documents have pairs with both no_relation and a label, "
            f"such as {_name(decided[0])}.",
            "Remove one of the two.",
        )


def _check_lengths(clipped: "Counter[str]") -> Iterator[Finding]:
    n = clipped.pop("pairs", 0)
    if clipped.total() > 0.01 * n:
        yield Finding(
            False,
            f"{clipped.total() / n:.0%} of the pairs do not fit into max_length, and "
            f"are shortened ({count_by_reason(clipped)}).",
            "Raise model.max_length, as far as the encoder reads (512, mostly), or "
            "lower candidates.max_sentences.",
        )


def _check_descriptions(predicates: Sequence[Predicate]) -> Iterator[Finding]:
    own = predicates[1:]
    made = [p.label for p in own if p.descriptions == (describe(p.label),)]
    if made:
        yield Finding(
            False,
            f"{len(made)} of the {len(own)} descriptions are made from the label: "
            f"{_list(made)}.",
            "Describe them in predicates.yml: the model reads nothing else of a "
            "predicate.",
        )
    alike = [
        f"{first.label} and {second.label}"
        for first, second in combinations(own, 2)
        if any(
            SequenceMatcher(None, one, other, autojunk=False).ratio() >= ALIKE
            for one in first.descriptions
            for other in second.descriptions
        )
    ]
    if alike:
        yield Finding(
            False,
            f"Descriptions that are nearly alike: {_list(alike)}.",
            "Say in what they differ.",
        )


def _remedies(lost: Mapping[str, int]) -> str:
    reasons = sorted(lost, key=lambda reason: -lost[reason])
    known = [
        f"{reason}: {REMEDIES[reason]}" for reason in reasons if reason in REMEDIES
    ]
    return "; ".join(known).capitalize() + "." if known else "See the reasons."


def _list(names: Sequence[str]) -> str:
    rest = len(names) - MAX_NAMED
    more = [f"and {rest} more"] if rest > 0 else []
    return ", ".join([*names[:MAX_NAMED], *more])


def _name(doc: Doc) -> str:
    return str(doc.user_data.get("doc_id") or shorten(doc.text))
