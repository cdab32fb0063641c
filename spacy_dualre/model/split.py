"""Split a training batch into parts that fit in memory."""

from collections.abc import Iterator, Sequence

import numpy
from thinc.api import Model

from ..encoding.wordpieces import Pairs
from ..pairs.candidates import Candidates
from .scores import Scores
from .shim import DualEncoderShim, get_shim

# A score keeps some six vectors for its gradient; a wordpiece in six layers a hundred.
SCORES_PER_WORDPIECE = 16


def split(
    model: Model[list[Candidates], Scores], batch: Sequence[Candidates]
) -> Iterator[list[Candidates]]:
    """Split a training batch into parts that fit in memory, longest texts first.

    model (Model): A model that `build_dual_encoder` returned, initialized.
    batch (Sequence[Candidates]): The candidates of each Doc.
    YIELDS (List[Candidates]): For each Doc those of its candidates that are in this
        part. One pair that is too large is a part of its own.
    """
    shim = get_shim(model)
    sizes = [len(found.pairs) for found in batch]
    if not sum(sizes):
        return
    pairs = shim.pair_tokenizer.locate(batch)
    window = pairs.window
    rows = numpy.lexsort((window[:, 1], window[:, 0], -pairs.window_lengths))
    ends = numpy.cumsum(sizes)
    for chosen in numpy.split(rows, _find_cuts(shim, batch, pairs, rows)):
        chosen = numpy.sort(chosen)
        bounds = numpy.searchsorted(chosen, [0, *ends])
        yield [
            found.select(chosen[a:b] - (end - size))
            for found, size, end, a, b in zip(batch, sizes, ends, bounds, bounds[1:])
        ]


def _find_cuts(
    shim: DualEncoderShim,
    batch: Sequence[Candidates],
    pairs: Pairs,
    rows: numpy.ndarray,
) -> list[int]:
    """Find where in the rows each part but the first begins. Within a part a
    description is read once for all pairs that fill it with the same.
    """
    settings = shim.settings
    reading, max_tokens = settings.reading, shim.module.budget.max_tokens
    assert reading is not None
    asked = numpy.concatenate([found.asked for found in batch])[rows]
    none = numpy.zeros(asked.shape[1], dtype=bool)
    lengths, filled, others = 0 * none, 0 * rows, 0 * rows
    fillings = numpy.zeros((len(rows), 2), dtype="int64")
    if settings.alpha < 1:
        descriptions = shim.describe(batch[0].predicates)
        lengths = descriptions.lengths
        fillings = descriptions.surfaces(pairs)[pairs.surfaces[rows]]
        if settings.fill_spans:
            filled = pairs.span_lengths[rows]
        n_hard = numpy.repeat([f.n_hard for f in batch], [len(f.pairs) for f in batch])
        others = n_hard[rows] * (descriptions.longest + filled)
        others = others + asked.sum(axis=1) / SCORES_PER_WORDPIECE
    texts = reading.cost(pairs, rows)
    cuts, held = [], 0.0
    read: dict[tuple[int, ...], numpy.ndarray] = {}
    for i, filling in enumerate(map(tuple, fillings.tolist())):
        text, new = texts[i], asked[i] & ~read.get(filling, none)
        cost = text + others[i] + (lengths[new] + filled[i]).sum()
        if held and held + cost > max_tokens:
            cuts.append(i)
            # What it shares with the pairs before it is read anew.
            text, new = reading.cost(pairs, rows[i : i + 1])[0], asked[i]
            cost = text + others[i] + (lengths[new] + filled[i]).sum()
            held, read = 0.0, {}
        held += cost
        read[filling] = read.get(filling, none) | new
    return cuts
