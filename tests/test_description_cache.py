"""The cache gives what encoding would give, and stays within its bound."""

import pickle

import torch
from hypothesis import given
from hypothesis import strategies as st

from spacy_dualre.model.description_cache import DescriptionCache


def vector(key, version):
    return torch.tensor([float(key[0]), float(version)])


class Encoder:
    """Encodes one byte as itself and the version, and remembers what it was asked."""

    def __init__(self, keys, version):
        self.keys, self.version, self.asked = keys, version, []

    def __call__(self, rows):
        self.asked += [self.keys[i] for i in rows]
        return torch.stack([vector(self.keys[i], self.version) for i in rows])


def fetch(cache, text, version=1):
    """RETURNS: The vectors of the letters of a text, and which were encoded."""
    keys = [letter.encode() for letter in text]
    encode = Encoder(keys, version)
    vectors = cache.fetch(keys, version, encode)
    expected = [vector(key, version).tolist() for key in keys]
    assert vectors.tolist() == expected
    return b"".join(encode.asked).decode()


def test_what_is_known_is_not_encoded_again():
    cache = DescriptionCache(8)
    assert fetch(cache, "abc") == "abc"
    assert fetch(cache, "bdca") == "d"
    assert fetch(cache, "abcd") == ""


def test_hits_and_misses_are_counted():
    cache = DescriptionCache(8)
    fetch(cache, "abc")
    fetch(cache, "bcd")
    assert (cache.hits, cache.misses) == (2, 4)


def test_the_least_recently_used_goes_first():
    cache = DescriptionCache(3)
    fetch(cache, "abc")
    fetch(cache, "a")  # b is now the oldest
    fetch(cache, "d")
    assert fetch(cache, "acd") == ""
    assert fetch(cache, "b") == "b"


def test_more_keys_than_fit_are_all_returned_and_the_last_are_kept():
    cache = DescriptionCache(2)
    assert fetch(cache, "abcde") == "abcde"
    assert len(cache) == 2
    assert fetch(cache, "de") == ""


def test_all_is_dropped_when_the_version_changes():
    cache = DescriptionCache(8)
    fetch(cache, "abc", version=1)
    assert fetch(cache, "ab", version=2) == "ab"
    assert len(cache) == 2
    assert fetch(cache, "abc", version=1) == "abc"


def test_a_cache_of_size_zero_keeps_nothing():
    cache = DescriptionCache(0)
    assert fetch(cache, "ab") == "ab"
    assert fetch(cache, "ab") == "ab"
    assert len(cache) == 0


def test_no_keys_give_no_vectors():
    cache = DescriptionCache(4)
    empty = cache.fetch([], 1, lambda rows: torch.zeros((len(rows), 2)))
    assert empty.shape == (0, 2)
    fetch(cache, "ab")
    assert cache.fetch([], 1, lambda rows: torch.zeros((len(rows), 2))).shape == (0, 2)


def test_a_key_that_comes_twice_takes_one_place():
    cache = DescriptionCache(3)
    fetch(cache, "aab")
    fetch(cache, "c")
    assert len(cache) == 3
    assert fetch(cache, "abc") == ""


def test_no_keys_give_vectors_of_the_right_size_before_the_first_are_known():
    empty = DescriptionCache(4).fetch([], 1, lambda rows: torch.zeros((len(rows), 2)))
    assert empty.shape == (0, 2)


def test_what_another_thread_has_stored_meanwhile_is_kept():
    cache = DescriptionCache(2)
    keys = [b"a", b"c"]

    def encode_after_another(rows):
        fetch(cache, "ab")
        return Encoder(keys, 1)(rows)

    cache.fetch(keys, 1, encode_after_another)
    assert fetch(cache, "ac") == ""


def test_vectors_of_older_weights_are_not_stored():
    cache = DescriptionCache(4)
    keys = [b"a"]

    def encode_while_the_weights_change(rows):
        fetch(cache, "b", version=2)
        return Encoder(keys, 1)(rows)

    cache.fetch(keys, 1, encode_while_the_weights_change)
    assert fetch(cache, "ab", version=2) == "a"


def test_a_copy_is_empty_and_of_the_same_size():
    cache = DescriptionCache(4)
    fetch(cache, "ab")
    copy = pickle.loads(pickle.dumps(cache))
    assert (len(copy), copy.size) == (0, 4)


def test_a_stored_vector_does_not_change_with_the_one_returned():
    cache = DescriptionCache(4)
    keys = [b"a"]
    cache.fetch(keys, 1, Encoder(keys, 1)).zero_()
    fetch(cache, "a")


@given(
    size=st.integers(0, 5),
    texts=st.lists(st.text("abcdefgh", min_size=1, max_size=8), max_size=12),
    versions=st.lists(st.integers(1, 2), min_size=12, max_size=12),
)
def test_whatever_was_fetched_before_the_vectors_are_right(size, texts, versions):
    cache = DescriptionCache(size)
    for text, version in zip(texts, versions):
        fetch(cache, text, version)  # checks the vectors
        assert len(cache) <= size
    assert cache.hits + cache.misses == sum(map(len, texts))
