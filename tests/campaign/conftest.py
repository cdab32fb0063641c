import random

import pytest
from trials import Trials

RAN: list[Trials] = []


@pytest.fixture
def trials(request):
    """The trials of a test, which has its share of the time."""
    seconds = 60 * request.config.getoption("--minutes") / len(request.session.items)
    given = request.config.getoption("--hypothesis-seed")
    first = random.randrange(10**6) if given is None else int(given)
    trials = Trials(request.node.name, seconds, first)
    RAN.append(trials)
    return trials


def pytest_terminal_summary(terminalreporter):
    for trials in RAN:
        terminalreporter.write_line(str(trials))
