"""A tiny corpus of people and places, written for these tests."""

from pathlib import Path

import spacy
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example

PREDICATES = {
    "born_in": {
        "description": "{subject} was born in {object}",
        "subject_types": ["PER"],
        "object_types": ["LOC"],
    },
    "works_in": "{subject} works in {object}",
    "knows": {"description": "{subject} and {object} are friends", "symmetric": True},
}

# Words, entities (start, end, type), relations (subject, label, object).
SENTENCES = [
    (
        "Anna was born in Rome .",
        [(0, 1, "PER"), (4, 5, "LOC")],
        [(0, "born_in", 1)],
    ),
    (
        "Berta works in Oslo .",
        [(0, 1, "PER"), (3, 4, "LOC")],
        [(0, "works_in", 1)],
    ),
    (
        "Anna knows Berta Blum in Rome .",
        [(0, 1, "PER"), (2, 4, "PER"), (5, 6, "LOC")],
        [(0, "knows", 1)],
    ),
    (
        "In Oslo was Carl Berg born , and Dora works in Rome .",
        [(1, 2, "LOC"), (3, 5, "PER"), (8, 9, "PER"), (11, 12, "LOC")],
        [(1, "born_in", 0), (2, "works_in", 3)],
    ),
    ("Carl was asleep .", [(0, 1, "PER")], []),
    ("It rains .", [], []),
]
TEXTS = [words for words, _, _ in SENTENCES]


def make_doc(vocab, words, entities, relations) -> Doc:
    """Make a gold Doc of one sentence."""
    words = words.split()
    doc = Doc(vocab, words=words, sent_starts=[i == 0 for i in range(len(words))])
    spans = [Span(doc, start, end, label=label) for start, end, label in entities]
    doc.ents = spans
    doc._.relations = [(spans[s], spans[o], label) for s, label, o in relations]
    return doc


def make_docs(vocab) -> list[Doc]:
    """The gold Docs of all sentences."""
    return [make_doc(vocab, *sentence) for sentence in SENTENCES]


def make_examples(nlp) -> list[Example]:
    """Examples whose predicted Docs have the gold tokens and nothing else."""
    return [
        Example(Doc(nlp.vocab, words=[token.text for token in gold]), gold)
        for gold in make_docs(nlp.vocab)
    ]


def with_entities(nlp) -> list[Doc]:
    """The Docs with their entities and sentences, but without relations."""
    docs = make_docs(nlp.vocab)
    for doc in docs:
        del doc.spans["relations"]
    return docs


def make_pipeline(encoder, model=None, name="dual_relation_extractor", **config):
    """A blank pipeline with the component.

    encoder (str): The encoder's folder.
    model (Optional[dict]): Further arguments of the architecture.
    config: Arguments of the component.
    """
    nlp = spacy.blank("en")
    architecture = {"encoder": encoder, **(model or {})}
    architecture["@architectures"] = "spacy-dualre.DualEncoder.v1"
    nlp.add_pipe(
        "dual_relation_extractor",
        name=name,
        config={"predicates": PREDICATES, "model": architecture, **config},
    )
    return nlp


def train(nlp, steps=60, learn_rate=0.003):
    """Train a pipeline on all sentences.

    RETURNS (List[float]): The component's loss after each step.
    """
    spacy.util.fix_random_seed(0)
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = learn_rate
    losses = []
    for _ in range(steps):
        step: dict = {}
        nlp.update(examples, sgd=optimizer, losses=step, drop=0.0)
        losses.append(sum(step.values()))
    return losses


def levitated(markers):
    """The setting of the model for levitated markers."""
    reading = {"@misc": "spacy-dualre.levitated_reading.v1", "markers": markers}
    return {"reading": reading}


def relations_of(doc) -> list[tuple]:
    """A Doc's relations as (subject, label, object, score)."""
    return [(s.text, label, o.text, score) for s, o, label, score in doc._.relations]


def triples_of(doc) -> list[tuple]:
    """A Doc's relations as (subject, label, object)."""
    return [relation[:3] for relation in relations_of(doc)]


def gold_triples() -> list[list[tuple]]:
    """The gold relations of all sentences as (subject, label, object)."""
    return [triples_of(doc) for doc in make_docs(spacy.blank("en").vocab)]


def write_corpus(path: Path, docs) -> Path:
    """Write Docs to a `.spacy` file."""
    DocBin(docs=docs).to_disk(path)
    return path
