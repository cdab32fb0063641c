"""Files of predicates and of annotations are mutated."""

import json
import shutil
import warnings

import pytest
import spacy
import srsly
from formats_page import SECTIONS
from hypothesis import strategies as st
from spacy.tokens import DocBin
from tiny_corpus import PREDICATES

from spacy_dualre import get_relations
from spacy_dualre.cli.convert import convert
from spacy_dualre.predicates import parse_predicates, read_predicates

FILES = {
    **{name: files for name, files in SECTIONS.items() if files},
    "predicates as JSON": {"predicates.json": json.dumps(PREDICATES)},
    "predicates as YAML": {"predicates.yml": srsly.yaml_dumps(PREDICATES)},
}
PIECES = [
    *(
        b"",
        b"\n",
        b"\t",
        b"\r",
        b" ",
        b"\x00",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\xe2\x80\xa8",
    ),
    *(b'"', b"'", b"\\", b"{", b"}", b"[", b"]", b":", b",", b"|", b"-", b"&a ", b"*a"),
    *(b"null", b"true", b"NaN", b"0", b"-1", b"1e999", b"9" * 30, b"9" * 5000),
    *(rb"\ud83d", rb"\u0000", "é".encode(), "😀".encode(), b"[" * 3000, b"<!ENTITY"),
]
MUTATIONS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 12), st.sampled_from(PIECES)),
    min_size=1,
    max_size=4,
)


def mutate(data, mutations):
    """Replace some bytes at a place by a piece."""
    for share, length, piece in mutations:
        at = int(share * len(data))
        data = data[:at] + piece + data[at + length :]
    return data


@pytest.mark.campaign
def test_mutated_files(trials, tmp_path):
    def check(case):
        kind, which, mutations = case
        folder = tmp_path / "input"
        shutil.rmtree(folder, ignore_errors=True)
        names = sorted(FILES[kind])
        for i, name in enumerate(names):
            data = FILES[kind][name].encode("utf8")
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            wanted = i == which % len(names)
            path.write_bytes(mutate(data, mutations) if wanted else data)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                read(kind, folder, names)
        except ValueError as e:
            assert str(folder) in str(e)
            assert len(str(e)) < 6000
            return "files refused"
        return "files read"

    def read(kind, folder, names):
        if kind.startswith("predicates"):
            data = read_predicates(str(folder / names[0]))
            assert parse_predicates(data)
            return
        output = tmp_path / "output"
        shutil.rmtree(output, ignore_errors=True)
        convert(kind, folder, output)
        vocab = spacy.blank("en").vocab
        for path in output.glob("*.spacy"):
            for doc in DocBin().from_disk(path).get_docs(vocab):
                assert all(r.subject.doc is doc for r in get_relations(doc))

    cases = st.tuples(st.sampled_from(sorted(FILES)), st.integers(0, 9), MUTATIONS)
    trials.run(cases, check, per_seed=50)
