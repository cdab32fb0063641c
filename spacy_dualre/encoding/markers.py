"""Markers: the special wordpieces around a pair's spans, and their order in a text.

A pair has four, in this order: `<S:PER>` and `</S:PER>` around the subject,
`<O:LOC>` and `</O:LOC>` around the object, each with the type of the entity.
"""

from typing import Any

import numpy

ROLES = ("S", "O")
N_MARKERS = 4  # opening and closing, for subject and object
N_SPECIAL = N_MARKERS + 2  # with [CLS] and [SEP]


def marker_texts(entity_type: str) -> list[str]:
    """The markers of an entity type; "" for those of a type not seen in training.

    entity_type (str): The entity type.
    RETURNS (List[str]): `<S:type>`, `</S:type>`, `<O:type>`, `</O:type>`.
    """
    suffix = f":{entity_type}" if entity_type else ""
    return [f"<{slash}{role}{suffix}>" for role in ROLES for slash in ("", "/")]


def marked_types(tokenizer: Any) -> list[str]:
    """The entity types that a tokenizer has markers for, "" (any other type) first."""
    added = tokenizer.get_added_vocab()
    types = [token[3:-1] for token in added if token.startswith("<S:")]
    return ["", *sorted(types)]


def sort_edges(spans: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Sort the four edges of each pair as the markers stand in the text.

    At one position a span closes before another opens; of two that open there the
    longer opens first, of two that close there the one that opened later closes first,
    so that markers nest.

    spans (ndarray): Subject start and end, object start and end, (n, 4).
    RETURNS (Tuple[ndarray, ndarray]): The positions in order, (n, 4), and which edge
        each is (0 to 3 as in `spans`), (n, 4).
    """
    s0, s1, o0, o1 = spans.T
    rank = numpy.stack(
        [2 + (s1 < o1), (s0 <= o0) * 1, 2 + (s1 >= o1), (s0 > o0) * 1], axis=1
    )
    order = numpy.argsort(spans * 4 + rank, axis=1, kind="stable")
    return numpy.take_along_axis(spans, order, axis=1), order


def gaps_in_spans(order: numpy.ndarray) -> numpy.ndarray:
    """Which of the three gaps between a pair's markers lie in a span, bool, (3,)."""
    depth = numpy.cumsum(numpy.where(order % 2 == 0, 1, -1))
    return depth[:-1] > 0
