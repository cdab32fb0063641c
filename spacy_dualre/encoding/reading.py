"""A reading: how the instance encoder is given the text of pairs."""

from typing import Any, Protocol

import numpy

from .batches import Inputs
from .wordpieces import Pairs


class Reading(Protocol):
    """What a pair's text looks like to the instance encoder, and what it costs.

    A further reading is a class with these three methods and a function, registered in
    `spacy_misc`, that makes it.
    """

    def build(self, pairs: Pairs, rows: numpy.ndarray) -> Inputs:
        """Build what the instance encoder reads.

        pairs (Pairs): The pairs.
        rows (ndarray): Which of them, int, (n,).
        RETURNS (Inputs): Inputs with n pairs, in the order of the rows.
        """

    def cost(self, pairs: Pairs, rows: numpy.ndarray) -> numpy.ndarray:
        """Estimate what is read for each pair, without building it.

        pairs (Pairs): The pairs.
        rows (ndarray): Which of them, int, (n,). Those that could share something
            should stand beside each other.
        RETURNS (ndarray): The wordpieces that each adds to what is read for those
            before it, int, (n,).
        """

    def check(self, encoder: Any) -> None:
        """Check that an encoder can read this.

        encoder (Module): The encoder.
        RAISES (ValueError): If it can't.
        """
