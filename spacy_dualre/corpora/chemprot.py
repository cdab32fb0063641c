"""ChemProt (BioCreative VI, track 5): chemicals, proteins, how one acts on the other.

The gold relations are those of the official evaluation (`*_gold_standard.tsv`): groups
CPR:3, 4, 5, 6 and 9, from a chemical (`Arg1`) to a gene or protein (`Arg2`). A pair in
two groups has two relations.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc

from ..text_files import input_error, read_tsv, shorten
from .docs import Document, Mention, make_doc
from .format import Format
from .report import LOST, Report, SplitReport
from .sentences import find_english_sentences

# Abstracts, mentions and gold relations.
SPLIT_FILES = {
    "train": (
        "chemprot_training/chemprot_training_abstracts.tsv",
        "chemprot_training/chemprot_training_entities.tsv",
        "chemprot_training/chemprot_training_gold_standard.tsv",
    ),
    "dev": (
        "chemprot_development/chemprot_development_abstracts.tsv",
        "chemprot_development/chemprot_development_entities.tsv",
        "chemprot_development/chemprot_development_gold_standard.tsv",
    ),
    "test": (
        "chemprot_test_gs/chemprot_test_abstracts_gs.tsv",
        "chemprot_test_gs/chemprot_test_entities_gs.tsv",
        "chemprot_test_gs/chemprot_test_gold_standard.tsv",
    ),
}


def read(nlp: Language, input_dir: Path, report: Report) -> Iterator[tuple[str, Doc]]:
    """Read ChemProt. See `Format.read`."""
    for split, names in SPLIT_FILES.items():
        paths = (input_dir / name for name in names)
        for doc in _read_split(nlp, report[split], *paths):
            yield split, doc


def _read_split(
    nlp: Language,
    report: SplitReport,
    abstracts_path: Path,
    entities_path: Path,
    gold_path: Path,
) -> Iterator[Doc]:
    texts: dict[str, tuple[str, str]] = {}
    for line, (pmid, title, abstract) in read_tsv(
        abstracts_path, ("PMID", "title", "abstract")
    ):
        if pmid in texts:
            raise input_error(
                abstracts_path, line, f"PMID {pmid} is there twice. Remove one."
            )
        texts[pmid] = (title, abstract)
    mentions = _read_mentions(entities_path, texts, report)
    gold = _read_gold(gold_path)
    for pmid in gold:
        if pmid not in texts:
            for _ in gold[pmid]:
                report.rows["relation"] += 1
                report.record(LOST, "relation", "there is no such abstract", pmid)
    for pmid, (title, abstract) in texts.items():
        index = {mention.id: i for i, mention in enumerate(mentions[pmid])}
        relations = []
        for group, arg1, arg2 in gold[pmid]:
            if arg1 in index and arg2 in index:
                relations.append((index[arg1], index[arg2], group))
            else:
                report.rows["relation"] += 1
                report.record(LOST, "relation", "there is no such mention", pmid)
        # Offsets count one character between title and abstract.
        text = f"{title} {abstract}"
        yield make_doc(
            nlp,
            Document(
                pmid,
                text,
                mentions[pmid],
                relations,
                paragraphs=[len(title) + 1],
            ),
            report,
            find_english_sentences,
        )


def _read_mentions(
    path: Path, texts: dict[str, tuple[str, str]], report: SplitReport
) -> defaultdict[str, list[Mention]]:
    mentions: defaultdict[str, list[Mention]] = defaultdict(list)
    seen: set[tuple[str, str]] = set()
    for line, (pmid, id_, type_, start, end, mention_text) in read_tsv(
        path, ("PMID", "term id", "type", "start", "end", "text")
    ):
        if pmid not in texts:
            report.rows["mention"] += 1
            report.record(LOST, "mention", "there is no such abstract", pmid)
            continue
        if (pmid, id_) in seen:
            raise input_error(
                path, line, f"{id_} of PMID {pmid} is there twice. Remove one."
            )
        seen.add((pmid, id_))
        are_numbers = start.isdecimal() and end.isdecimal()
        if not are_numbers or len(start + end) > 20:  # Python reads no endless ones
            raise input_error(
                path,
                line,
                "expected start and end as numbers, but found "
                f"{shorten(start)} and {shorten(end)}.",
            )
        text = " ".join(texts[pmid])
        found = text[int(start) : int(end)]
        if found != mention_text:
            raise input_error(
                path,
                line,
                f"expected {shorten(mention_text)} at {start} to {end} of PMID {pmid}, "
                f"but the abstracts file has {shorten(found)} there. Offsets count "
                "characters of title, one space, abstract; was one of the files "
                "changed?",
            )
        mentions[pmid].append(Mention(int(start), int(end), type_, id=id_))
    return mentions


def _read_gold(
    path: Path,
) -> defaultdict[str, list[tuple[str, str, str]]]:
    gold: defaultdict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for line, (pmid, group, subject, object_) in read_tsv(
        path, ("PMID", "group", "Arg1", "Arg2")
    ):
        if not (subject.startswith("Arg1:") and object_.startswith("Arg2:")):
            raise input_error(
                path,
                line,
                f"expected 'Arg1:T..' and 'Arg2:T..', but found "
                f"{shorten(subject)} and {shorten(object_)}.",
            )
        gold[pmid].append(
            (group, subject.removeprefix("Arg1:"), object_.removeprefix("Arg2:"))
        )
    return gold


FORMAT = Format(
    read=read,
    files={
        "chemprot_training/chemprot_training_abstracts.tsv": (
            "2eef8782dc6c1474115ce5b780d6b4bc8f68d98e34fbf1619b9502fafc97685b"
        ),
        "chemprot_training/chemprot_training_entities.tsv": (
            "ec01f954803d6854965b36b4c222001246b93b683a8fde4f4944132779161a7e"
        ),
        "chemprot_training/chemprot_training_gold_standard.tsv": (
            "dc1333bf582ecf67ca1a1fe05c27bfaa03969a5ef3d70543d0c7a90e2dd9896e"
        ),
        "chemprot_development/chemprot_development_abstracts.tsv": (
            "186a45a6b604d602c3fcf2a04fe6cc9b5f5d6dbe5542babfc685d56db1fd617d"
        ),
        "chemprot_development/chemprot_development_entities.tsv": (
            "7b75bd8e5397a72a29a387bb12f847487938b7469c84d04b289ccaa8009ec12a"
        ),
        "chemprot_development/chemprot_development_gold_standard.tsv": (
            "7fc258e29160c18807b12cb34e30fce6a4c26df835247febaafa21dc49e6ec60"
        ),
        "chemprot_test_gs/chemprot_test_abstracts_gs.tsv": (
            "9b7de664f0b4231d6e58992f091aa36bc577ca3f12f0565bc2d898af3982645b"
        ),
        "chemprot_test_gs/chemprot_test_entities_gs.tsv": (
            "37a9addd54822a1fd8636cddca01dd9ddadc0776b76140271869bf9e02203d99"
        ),
        "chemprot_test_gs/chemprot_test_gold_standard.tsv": (
            "3dc760bf88a0a9b3ef4b2374b97d67c89bb8f4309905729546bab10beccb236b"
        ),
    },
    counts={
        "train": {"documents": 1020, "mentions": 25752, "relations": 4157},
        "dev": {"documents": 612, "mentions": 15567, "relations": 2416},
        "test": {"documents": 800, "mentions": 20828, "relations": 3458},
    },
)
