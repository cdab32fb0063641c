"""The probabilities are those of a naive procedure.

The component tokenizes every Doc once, splices wordpieces, groups inputs by length,
encodes each distinct description once and remembers it. None of that may change a
score. The naive procedure writes the markers into the text, hands the whole string to
the tokenizer, pads every input to the full length, and encodes one input at a time, all
descriptions for every pair.
"""

import re

import numpy
import pytest
import spacy
import torch
import torch.nn.functional as F
from spacy.tokens import Doc, Span
from spacy.training import Example
from thinc.api import SGD, Adam, RAdam, fix_random_seed
from tiny_encoders import MAKERS

from spacy_dualre.model.shim import get_shim

LENGTH = 128
PREDICATES = {
    "no_relation": "nothing links {subject} and {object} here",
    "born_in": {
        "description": "{subject} was born in {object} .",
        "subject_types": ["PER"],
        "object_types": ["LOC"],
    },
    "home_of": {
        "description": "in {object} lives {subject}",
        "subject_types": ["LOC"],
    },
    "knows": {"description": "{subject} has met {object}", "symmetric": True},
    "likes": "{subject} likes {object}",
}
TEXTS = [
    (
        "Marie Curie was born in Warsaw . In Paris Pierre met Marie Curie .",
        [(0, 2, "PER"), (5, 6, "LOC"), (8, 9, "LOC"), (9, 10, "PER"), (11, 13, "PER")],
        (0, 7),
    ),
    ("Warsaw and Paris are far", [(0, 1, "LOC"), (2, 3, "LOC")], (0,)),
    ("Nobody is here", [], (0,)),
    (
        "Marie Curie likes Warsaw and an unseen thing",
        [(0, 2, "PER"), (3, 4, "LOC"), (6, 8, "THING")],
        (0,),
    ),
]


def make_doc(vocab, text, entities, sent_starts):
    words = text.split()
    starts = [i in sent_starts for i in range(len(words))]
    spaces = [True] * (len(words) - 1) + [False]
    doc = Doc(vocab, words=words, spaces=spaces, sent_starts=starts)
    doc.ents = [Span(doc, *entity) for entity in entities]
    return doc


def make_docs(nlp):
    return [make_doc(nlp.vocab, *text) for text in TEXTS]


def make_examples(nlp):
    """One example, without the type that is to be unseen."""
    gold = make_docs(nlp)[0]
    person, place = gold.ents[:2]
    gold._.relations = [(person, place, "born_in")]
    return [Example(make_docs(nlp)[0], gold)]


def component_of(nlp):
    return nlp.get_pipe("dual_relation_extractor")


def make_pipeline(folder, **model):
    fix_random_seed(0)
    nlp = spacy.blank("en")
    architecture = {
        "@architectures": "spacy-dualre.DualEncoder.v1",
        "encoder": folder,
        "max_length": LENGTH,
        **model,
    }
    config = {"predicates": PREDICATES, "model": architecture}
    nlp.add_pipe("dual_relation_extractor", config=config)
    optimizer = nlp.initialize(lambda: make_examples(nlp))
    optimizer.learn_rate = 0.01
    # Fresh weights are so small that a wordpiece more or less hardly shows.
    with torch.no_grad():
        for parameter in get_shim(component_of(nlp).model).module.parameters():
            parameter.mul_(8.0 if parameter.ndim > 1 else 1.0)
    return nlp, optimizer


# The naive procedure.


def marked(role, entity):
    """An entity with its markers, and with the space before it if there is one."""
    type_ = "" if entity.label_ == "THING" else f":{entity.label_}"
    space = entity.start > 0 and entity.doc[entity.start - 1].whitespace_
    return f"<{role}{type_}>{space or ''}{entity.text}</{role}{type_}>"


def instance_text(subject, object_):
    doc, sent = subject.doc, subject.sent
    text = ""
    for token in sent:
        for role, entity in (("S", subject), ("O", object_)):
            if token.i == entity.start:
                text += marked(role, entity)
        if not any(e.start <= token.i < e.end for e in (subject, object_)):
            space = token.i > 0 and doc[token.i - 1].whitespace_
            text += f"{space or ''}{token.text}"
    return text


def description_text(description, subject, object_, fill_spans):
    for slot, role, entity in (("subject", "S", subject), ("object", "O", object_)):
        filling = marked(role, entity)
        if not fill_spans:
            filling = re.sub(">.*<", "><", filling)
        description = re.sub(rf"\s*{{{slot}}}", filling, description)
    return description


def encode(encoder, tokenizer, text):
    """The hidden states at <S>, <O> and the first wordpiece."""
    inputs = tokenizer(
        text, padding="max_length", max_length=LENGTH, return_tensors="pt"
    )
    assert inputs["input_ids"].shape == (1, LENGTH)
    tokens = tokenizer.convert_ids_to_tokens(inputs["input_ids"][0])
    at = [
        next(i for i, token in enumerate(tokens) if re.match(f"<{role}[:>]", token))
        for role in "SO"
    ]
    names = ["input_ids", "attention_mask"]
    hidden = encoder(**{name: inputs[name] for name in names})[0][0]
    return hidden[at[0]], hidden[at[1]], hidden[0]


def admitted(label, subject, object_):
    """The signatures of PREDICATES, read anew."""
    if label == "born_in":
        return (subject.label_, object_.label_) == ("PER", "LOC")
    if label == "home_of":
        return subject.label_ == "LOC"
    if label == "knows":
        return subject.start < object_.start
    return True


@torch.no_grad()
def naive_probabilities(nlp, doc, fill_spans=True, use_context=True):
    """RETURNS: (subject, object) -> probabilities by the scores and by the head."""
    shim = get_shim(component_of(nlp).model)
    module, tokenizer = shim.module.eval(), shim.tokenizer
    predicate_encoder = module.predicate_encoder or module.instance_encoder
    expected = {}
    for subject in doc.ents:
        for object_ in doc.ents:
            if subject == object_ or subject.sent != object_.sent:
                continue
            text = instance_text(subject, object_)
            s, o, cls = encode(module.instance_encoder, tokenizer, text)
            u = module.layer_norm(module.instance_linear(torch.cat([s, o])))
            scores = []
            for properties in PREDICATES.values():
                if not isinstance(properties, str):
                    properties = properties["description"]
                text = description_text(properties, subject, object_, fill_spans)
                ds, do, _ = encode(predicate_encoder, tokenizer, text)
                parts = [ds, do, cls] if use_context else [ds, do]
                v = module.layer_norm(module.predicate_linear(torch.cat(parts)))
                cosine = F.cosine_similarity(u, v, dim=0)
                scores.append(module.log_scale.exp() * cosine)
            allowed = [admitted(label, subject, object_) for label in PREDICATES]
            mask = torch.tensor(allowed)
            both = [torch.stack(scores), module.classifier(u)]
            key = (subject.start, object_.start)
            expected[key] = [
                z.masked_fill(~mask, -torch.inf).softmax(dim=0).numpy() for z in both
            ]
    return expected


def predicted(nlp, docs):
    """For each Doc: (subject, object) -> probabilities."""
    return [
        {
            (found.entities[s].start, found.entities[o].start): row
            for (s, o), row in zip(found.pairs.tolist(), probabilities)
        }
        for found, probabilities in component_of(nlp).predict(docs)
    ]


def assert_exact(nlp, combine=lambda dual, head: dual, **settings):
    docs = make_docs(nlp)
    for doc, rows in zip(docs, predicted(nlp, docs), strict=True):
        expected = naive_probabilities(nlp, doc, **settings)
        assert rows.keys() == expected.keys()
        for pair, row in rows.items():
            numpy.testing.assert_allclose(row, combine(*expected[pair]), atol=1e-4)


# It is what the model computes.


@pytest.fixture(scope="module")
def pipeline(any_encoder):
    """A pipeline whose weights no test changes."""
    return make_pipeline(any_encoder)[0]


def test_probabilities_are_those_of_the_naive_procedure(pipeline):
    assert_exact(pipeline)


def test_probabilities_show_a_change_of_one_word(pipeline):
    # Otherwise the comparison above would prove little.
    text, entities, starts = TEXTS[3]
    docs = [
        make_doc(pipeline.vocab, words, entities, starts)
        for words in (text, text.replace("likes", "for"))
    ]
    one, other = predicted(pipeline, docs)
    assert all(abs(one[pair] - other[pair]).max() > 1e-3 for pair in one)


def test_what_a_signature_excludes_has_no_probability(pipeline):
    for found, rows in component_of(pipeline).predict(make_docs(pipeline)):
        assert (rows[~found.allowed] == 0).all()
        assert (rows[found.allowed] > 0).all()
        numpy.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-5)


def test_probabilities_are_the_same_with_descriptions_from_the_cache(pipeline):
    cache = get_shim(component_of(pipeline).model).cache
    predicted(pipeline, make_docs(pipeline))
    misses, hits = cache.misses, cache.hits
    assert_exact(pipeline)
    assert cache.misses == misses
    assert cache.hits > hits


def test_probabilities_do_not_depend_on_the_other_docs_of_the_batch(pipeline):
    together = predicted(pipeline, make_docs(pipeline))
    alone = [predicted(pipeline, [doc])[0] for doc in make_docs(pipeline)]
    for one, other in zip(together, alone, strict=True):
        assert one.keys() == other.keys()
        for pair, row in one.items():
            numpy.testing.assert_allclose(row, other[pair], atol=1e-5)


def adam(nlp, optimizer):
    nlp.update(make_examples(nlp), sgd=optimizer)


def adam_with_l2(nlp, optimizer):
    sgd = Adam(0.01, L2=0.01, L2_is_weight_decay=False)
    nlp.update(make_examples(nlp), sgd=sgd)


def radam(nlp, optimizer):
    nlp.update(make_examples(nlp), sgd=RAdam(0.01))


def sgd(nlp, optimizer):
    nlp.update(make_examples(nlp), sgd=SGD(0.1))


def change_in_place(nlp, optimizer):
    module = get_shim(component_of(nlp).model).module
    with torch.no_grad():
        for parameter in module.predicate_encoder.parameters():
            parameter.mul_(1.1)


def load_other_weights(nlp, optimizer):
    component = component_of(nlp)
    before = component.to_bytes()
    nlp.update(make_examples(nlp), sgd=optimizer)
    other = component.to_bytes()
    component.from_bytes(before)
    component.from_bytes(other)


CHANGES = [adam, adam_with_l2, radam, sgd, change_in_place, load_other_weights]


@pytest.mark.parametrize("change", CHANGES)
def test_nothing_is_remembered_from_before_the_weights_changed(bert, change):
    nlp, optimizer = make_pipeline(bert)
    before = predicted(nlp, make_docs(nlp))
    change(nlp, optimizer)
    assert_exact(nlp)
    after = predicted(nlp, make_docs(nlp))
    assert any(
        abs(after[0][pair] - row).max() > 1e-3 for pair, row in before[0].items()
    )


def test_every_family_learns(any_encoder):
    nlp, optimizer = make_pipeline(any_encoder)
    losses = [
        nlp.update(make_examples(nlp), sgd=optimizer)["dual_relation_extractor"]
        for _ in range(8)
    ]
    assert losses[-1] < losses[0]
    assert_exact(nlp)


def test_a_saved_pipeline_is_exact_too(any_encoder, tmp_path):
    nlp, optimizer = make_pipeline(any_encoder)
    nlp.update(make_examples(nlp), sgd=optimizer)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert_exact(loaded)
    docs = zip(predicted(nlp, make_docs(nlp)), predicted(loaded, make_docs(loaded)))
    for rows, loaded_rows in docs:
        assert rows.keys() == loaded_rows.keys()
        assert all((loaded_rows[pair] == row).all() for pair, row in rows.items())


# With the switches of the architecture.


@pytest.mark.parametrize(
    ("model", "naive"),
    [
        ({"cache_size": 0}, {}),
        ({"cache_size": 3}, {}),
        ({"max_tokens": 1}, {}),
        ({"tie_encoders": True}, {}),
        ({"use_context": False}, {"use_context": False}),
        ({"fill_spans": False}, {"fill_spans": False}),
        ({"temperature": 0.5}, {}),
        ({"predict_with": "head"}, {"combine": lambda dual, head: head}),
        ({"predict_with": "mean"}, {"combine": lambda dual, head: (dual + head) / 2}),
    ],
    ids=lambda settings: "-".join(map(str, settings)) or "as it is",
)
def test_probabilities_are_exact_with(bert, model, naive):
    nlp, _ = make_pipeline(bert, **model)
    assert_exact(nlp, **naive)
    assert_exact(nlp, **naive)  # the cache is warm now


def test_the_best_of_several_descriptions_counts(bert):
    texts = ["{subject} likes {object}", "{object} is liked by {subject}"]
    several = {**PREDICATES, "likes": texts}
    nlp, _ = make_pipeline(bert)
    scores = []
    for choice in [*({**PREDICATES, "likes": text} for text in texts), several]:
        component_of(nlp).set_predicates(choice)
        batch = [component_of(nlp).find_candidates(doc) for doc in make_docs(nlp)]
        scores.append(component_of(nlp).model.predict(batch).dual)
    assert (scores[0] != scores[1]).any()
    best = numpy.maximum(scores[0], scores[1])
    numpy.testing.assert_allclose(scores[2], best, atol=1e-4)


def test_probabilities_are_exact_without_a_predicate_encoder(bert):
    nlp, _ = make_pipeline(bert, alpha=1.0)
    module = get_shim(component_of(nlp).model).module
    assert module.predicate_encoder is None
    assert_exact(nlp, combine=lambda dual, head: head)


def test_long_spans_that_are_cut_to_the_same_text_are_not_mixed_up(bert):
    # Both read alike in the description, and are one in the cache.
    words = ["a"] * 12 + ["of"] + ["a"] * 12
    text = " ".join([*words, "knows", *words[:12], "in", *words[13:], "and", "Paris"])
    entities = [(0, 25, "PER"), (26, 51, "PER"), (52, 53, "LOC")]
    rows = []
    for cache_size in (0, 100):
        nlp, _ = make_pipeline(bert, max_length=50, cache_size=cache_size)
        docs = [make_doc(nlp.vocab, text, entities, (0,)), make_docs(nlp)[0]]
        for doc in docs:
            predicted(nlp, [doc])
        rows.append(predicted(nlp, docs))
    for without, cached in zip(*rows):
        for pair, row in without.items():
            numpy.testing.assert_allclose(cached[pair], row, atol=1e-4)


@pytest.mark.parametrize(
    ("family", "markers"),
    [(family, "solid") for family in MAKERS]
    + [("bert", "object"), ("roberta", "both")],
)
def test_training_reads_what_prediction_reads(family, markers, tmp_path):
    none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    folder = MAKERS[family](tmp_path / family, **none)
    levitated = {"@misc": "spacy-dualre.levitated_reading.v1", "markers": markers}
    reading = {} if markers == "solid" else {"reading": levitated}
    component = component_of(make_pipeline(folder, predict_with="mean", **reading)[0])
    batch = [component.find_candidates(doc) for doc in make_docs(component)]
    predicted = component.model.predict(batch)
    component.model.attrs["dropout_rate"] = 0.0
    trained, _ = component.model(batch, is_train=True)
    numpy.testing.assert_allclose(trained.head, predicted.head, atol=1e-4)
    asked = ~numpy.isneginf(trained.dual)
    assert asked.any()
    numpy.testing.assert_allclose(trained.dual[asked], predicted.dual[asked], atol=1e-4)
