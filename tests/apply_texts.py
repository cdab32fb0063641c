"""Texts, pipelines and runs for the tests of `apply`."""

import random
import time
from pathlib import Path

import spacy
import srsly
from spacy.language import Language
from spacy.tokens import Span

from spacy_dualre.apply import apply, files

NAMES = {"Anna": "PER", "Berta": "PER", "Carl": "PER", "Rome": "LOC", "Oslo": "LOC"}
PATTERNS = (
    "{0} was born in {2} .",
    "{0} works in {2} .",
    "{0} knows {1} in {2} .",
    "{0} works in {2} , and {1} was born in {3} . {1} knows {0} .",
    "It rains .",
)


IDS = {"Anna": "Q1", "Rome": "http://example.org/rome"}


@Language.component("link_or_fail")
def link_or_fail(doc):
    """Links some entities, and fails on a poisoned text."""
    if "poison" in doc.text:
        raise RuntimeError("poisoned")
    doc.ents = [
        Span(doc, e.start, e.end, e.label_, kb_id=IDS.get(e.text, "")) for e in doc.ents
    ]
    return doc


def make_ner(path: Path) -> Path:
    """Write a pipeline that finds the entities, and fails on the text "poison"."""
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": v, "pattern": k} for k, v in NAMES.items()])
    nlp.add_pipe("link_or_fail")
    nlp.to_disk(path)
    return path


def make_texts(n: int, seed: int = 0) -> list[str]:
    """Some texts."""
    choose = random.Random(seed)
    people = [name for name, label in NAMES.items() if label == "PER"]
    places = [name for name, label in NAMES.items() if label == "LOC"]
    return [
        choose.choice(PATTERNS).format(
            *choose.sample(people, 2), *choose.sample(places, 2)
        )
        for _ in range(n)
    ]


def write_jsonl(path: Path, texts: list[str]) -> Path:
    """Write texts with ids."""
    srsly.write_jsonl(path, [{"id": f"d{i}", "text": t} for i, t in enumerate(texts)])
    return path


def run_apply(*args, delay=0.0, **kwargs):
    """`apply`, with a delay in seconds for each file that it writes, so that it is not
    done before it is killed."""
    sync = files.sync

    def slow_sync(path):
        time.sleep(delay)
        sync(path)

    files.sync = slow_sync
    apply(*args, **kwargs)
