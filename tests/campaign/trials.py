"""Trying inputs until the time is up, and what came of them."""

import time
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

SHOWN = 5


class Trials:
    """Inputs of one kind, drawn by hypothesis from one seed after the other.

    kind (str): Their name.
    seconds (float): How long they are tried.
    seed (int): The first seed. `--hypothesis-seed` gives it.
    """

    def __init__(self, kind: str, seconds: float, seed: int) -> None:
        self.kind = kind
        self.seconds = seconds
        self.first_seed = self.seed = seed
        self.outcomes: Counter[str] = Counter()
        self.faults: dict[str, list[str]] = {}

    def run(
        self,
        inputs: SearchStrategy,
        check: Callable[[Any], str],
        *,
        per_seed: int = 20,
        shrink: bool = True,
    ) -> None:
        """Try inputs. One that fails is shrunk, and the next seed is tried.

        inputs (SearchStrategy): The inputs.
        check (Callable[[Any], str]): Takes an input; returns what came of it, or raises
            an error, which is a fault.
        per_seed (int): How many inputs are drawn from one seed.
        shrink (bool): Whether failures can be repeated, and so shrunk.
        RAISES (AssertionError): With the faults, in the end.
        """
        phases = [Phase.generate, *([Phase.shrink] if shrink else [])]

        def try_one(value: Any) -> None:
            outcome = check(value)
            self.outcomes[outcome] += 1

        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            try_some = settings(
                max_examples=per_seed,
                phases=phases,
                deadline=None,
                database=None,
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            )(given(inputs)(try_one))
            try:
                seed(self.seed)(try_some)()
            except Exception as e:
                last = traceback.extract_tb(e.__traceback__)[-1]
                place = f"{type(e).__name__} in {last.filename}, line {last.lineno}"
                text = "".join(traceback.format_exception(e, limit=-5))
                self.faults.setdefault(place, []).append(f"Seed {self.seed}: {text}")
            self.seed += 1
        if self.faults:
            shown = [reports[0] for reports in self.faults.values()]
            raise AssertionError("\n".join([str(self), *shown[:SHOWN]]))

    def __str__(self) -> str:
        outcomes = ", ".join(f"{n} {k}" for k, n in sorted(self.outcomes.items()))
        n_faults = sum(map(len, self.faults.values()))
        return (
            f"{self.kind}: {self.outcomes.total()} inputs ({outcomes}), {n_faults} "
            f"faults of {len(self.faults)} kinds, seeds {self.first_seed} to "
            f"{self.seed - 1}"
        )
