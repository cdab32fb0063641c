"""Docs tokenized once, and where in them the pairs are."""

from odd_docs import all_pairs, locate, make_doc

from spacy_dualre.encoding.wordpieces import PairTokenizer


def test_no_docs_have_no_pairs(tokenizer):
    assert len(locate(tokenizer)) == 0


def test_the_same_span_and_type_share_a_surface(bert_tokenizer):
    entities = [(0, 1, "PER"), (2, 3, "PER"), (4, 5, "LOC"), (5, 6, "PER")]
    doc = make_doc(["marie", "of", "marie", "of", "marie", "warsaw"], entities)
    (found,) = all_pairs(doc)
    pairs = PairTokenizer(bert_tokenizer, max_length=99).locate([found])
    surfaces = dict(zip(map(tuple, found.pairs.tolist()), pairs.surfaces.tolist()))
    assert surfaces[0, 1] == [0, 0]
    assert len(pairs.surface_spans) == 3


def test_a_doc_is_located_as_if_it_were_alone(tokenizer):
    docs = [
        make_doc(["a", "of", "the"], [(0, 1, "PER"), (2, 3, "LOC")]),
        make_doc(["marie", "a"], []),
        make_doc(["by", "a", "of"], [(1, 2, "PER"), (2, 3, "LOC")]),
    ]
    pairs = locate(tokenizer, *docs)
    alone = [locate(tokenizer, doc) for doc in docs]
    assert len(pairs) == sum(map(len, alone))

    def read(one):
        return [[one.pool[a:b].tolist() for a, b in one.window]] + [
            [one.pool[s[i] : s[i + 1]].tolist() for s in one.spans] for i in (0, 2)
        ]

    parts = zip(*map(read, alone), strict=True)
    assert read(pairs) == [[row for part in one for row in part] for one in parts]
