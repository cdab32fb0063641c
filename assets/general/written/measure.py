"""Measure the written corpus: python assets/general/written/measure.py"""

import json
import re
from collections import Counter
from pathlib import Path

import srsly

FOLDER = Path(__file__).parent
PREDICATES = srsly.read_yaml(FOLDER / "predicates.yml")
DOMAINS = srsly.read_yaml(FOLDER / "domains.yml")


def read(part):
    lines = (FOLDER / f"{part}.jsonl").read_text(encoding="utf8").splitlines()
    return [json.loads(line) for line in lines]


def admits(label, first, second):
    predicate = PREDICATES[label]
    return first in predicate["subject_types"] and second in predicate["object_types"]


def candidates(part, doc):
    """Ordered pairs of entities that fit a signature of the document's domain, with the
    labels that fit. Symmetric predicates: in text order, either way round."""
    types = [entity["label"] for entity in doc["entities"]]
    labels = DOMAINS[part][doc["id"].rsplit("-", 2)[0]]
    for i, first in enumerate(types):
        for j, second in enumerate(types):
            symmetric = [x for x in labels if PREDICATES[x].get("symmetric")]
            fitting = {x for x in labels if admits(x, first, second)}
            if i > j:
                fitting -= set(symmetric)
            else:
                fitting |= {x for x in symmetric if admits(x, second, first)}
            if i != j and fitting:
                yield i, j, fitting


def mask(doc, start=0, end=None):
    """The text from start to end, with "_" for each entity."""
    end = len(doc["text"]) if end is None else end
    pieces, last = [], start
    for entity in doc["entities"]:
        if start <= entity["start"] and entity["end"] <= end:
            pieces += [doc["text"][last : entity["start"]], "_"]
            last = entity["end"]
    return "".join([*pieces, doc["text"][last:end]]).lower()


def between(doc, relation):
    first, second = sorted((relation["subject"], relation["object"]))
    ends = doc["entities"][first]["end"], doc["entities"][second]["start"]
    return mask(doc, *ends).strip(), relation["subject"] < relation["object"]


def names(docs):
    return {doc["text"][e["start"] : e["end"]] for doc in docs for e in doc["entities"]}


def ngrams(docs, n=4):
    words = [re.findall(r"\w+|[^\w\s]", mask(doc)) for doc in docs]
    return {tuple(w[i : i + n]) for w in words for i in range(len(w) - n + 1)}


def baseline(part, docs):
    """Micro F1 of saying, for each pair that fits, the label that is commonest for its
    domain and types in the same part."""
    counts, gold = {}, set()
    for doc in docs:
        for relation in doc["relations"]:
            i, j = relation["subject"], relation["object"]
            types = doc["entities"][i]["label"], doc["entities"][j]["label"]
            key = (doc["id"].rsplit("-", 2)[0], *types)
            counts.setdefault(key, Counter())[relation["label"]] += 1
            gold.add((doc["id"], i, j, relation["label"]))
    said = set()
    for doc in docs:
        for i, j, _ in candidates(part, doc):
            types = doc["entities"][i]["label"], doc["entities"][j]["label"]
            key = (doc["id"].rsplit("-", 2)[0], *types)
            if key in counts:
                said.add((doc["id"], i, j, counts[key].most_common(1)[0][0]))
    return 200 * len(gold & said) / (len(gold) + len(said))


def is_new(domain):
    return domain not in DOMAINS["train"]


def main():
    train = read("train")
    train_ngrams, train_names = ngrams(train), names(train)
    show("train", "train", train, DOMAINS["train"])
    for part in ("dev", "test"):
        for new in (False, True):
            docs = [d for d in read(part) if new == is_new(d["id"].rsplit("-", 2)[0])]
            domains = {k: v for k, v in DOMAINS[part].items() if new == is_new(k)}
            title = f"{part}, other domains" if new else part
            show(title, part, docs, domains)
            own = ngrams(docs)
            share = 100 * len(train_ngrams & own) / len(own)
            print(f"4-grams that train has: {share:.1f} %")
            own = names(docs)
            print(f"names: {len(own):,}, that train has: {len(train_names & own)}")


def show(title, part, docs, domains):
    labels = {label for labels in domains.values() for label in labels}
    relations = [(doc, relation) for doc in docs for relation in doc["relations"]]
    related = {(d["id"], r["subject"], r["object"]) for d, r in relations}
    fitting = sum(1 for doc in docs for _ in candidates(part, doc))
    contexts = {between(doc, relation) for doc, relation in relations}
    print(
        f"| {title} | {len(docs)} | {sum(not d['relations'] for d in docs)} "
        f"| {sum(len(doc['entities']) for doc in docs)} | {len(labels)} "
        f"| {len(related)} | {100 * (1 - len(related) / fitting):.1f} % "
        f"| {100 * len(contexts) / len(relations):.1f} % "
        f"| {baseline(part, docs):.1f} |"
    )


if __name__ == "__main__":
    main()
