"""One set of annotated documents divided into train, dev and test."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from .format import SPLITS


class _Group(NamedTuple):
    """Documents of equal text, with their labels."""

    documents: list[int]
    labels: "Counter[str]"


def divide(
    documents: Sequence[tuple[str, Iterable[str]]], shares: Mapping[str, float]
) -> list[str]:
    """Divide documents into splits such that each label has about the same share of
    its relations in each of them (iterative stratification: Sechidis, Tsoumakas and
    Vlahavas 2011, "On the Stratification of Multi-Label Data").

    Which documents go where depends on the hashes of their texts alone, not on their
    order. Documents of equal text stay together.

    documents (Sequence[Tuple[str, Iterable[str]]]): The text and the labels of the
        relations of each.
    shares (Mapping[str, float]): Split -> its share. They add up to 1.
    RETURNS (List[str]): The split of each document.
    RAISES (ValueError): If a share is below 0, or they do not add up to 1.
    """
    # Not written as "if ... > ...", which NaN would pass.
    if not (min(shares.values()) >= 0 and abs(sum(shares.values()) - 1) < 1e-9):
        found = dict(shares)
        raise ValueError(f"Expected shares from 0 that add up to 1, but found {found}.")
    by_text: dict[str, _Group] = defaultdict(lambda: _Group([], Counter()))
    for i, (text, labels) in enumerate(documents):
        by_text[text].documents.append(i)
        by_text[text].labels.update(labels)
    groups = [by_text[text] for text in sorted(by_text, key=_hash)]
    totals: Counter[str] = sum((group.labels for group in groups), Counter())
    splits = [split for split in shares if shares[split] > 0]
    # What each split still lacks: relations of each label, and documents.
    lacks = {
        split: {x: shares[split] * n for x, n in totals.items()} for split in splits
    }
    lacks_documents = {split: shares[split] * len(documents) for split in splits}
    result = [""] * len(documents)

    def choose(group: _Group, label: str | None) -> None:
        split = max(
            splits,
            key=lambda s: (
                lacks[s][label] if label is not None else 0.0,
                lacks_documents[s],
            ),
        )
        for i in group.documents:
            result[i] = split
        lacks_documents[split] -= len(group.documents)
        for name, n in group.labels.items():
            lacks[split][name] -= n

    remaining = [group for group in groups if group.labels]
    while remaining:
        # The rarest label first: later there is less choice.
        counts: Counter[str] = sum((group.labels for group in remaining), Counter())
        rarest = min(counts, key=lambda name: (counts[name], name))
        for group in remaining:
            if rarest in group.labels:
                choose(group, rarest)
        remaining = [group for group in remaining if rarest not in group.labels]
    for group in groups:
        if not group.labels:
            choose(group, None)
    return result


def make_shares(dev: float, test: float) -> dict[str, float]:
    """RETURNS (Dict[str, float]): The shares of all splits, train having the rest."""
    return dict(zip(SPLITS, (1 - dev - test, dev, test)))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf8")).hexdigest()
