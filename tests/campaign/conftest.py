import secrets

import pytest
from trials import Trials

RAN: list[Trials] = []


def pytest_collection_modifyitems(config, items):
    """A test may take all of the time, and a while to begin and to end."""
    seconds = 60 * config.getoption("--minutes") + 600
    for item in items:
        item.add_marker(pytest.mark.timeout(seconds))


@pytest.fixture
def trials(request):
    """The trials of a test, which has its share of the time."""
    seconds = 60 * request.config.getoption("--minutes") / len(request.session.items)
    given = request.config.getoption("--hypothesis-seed")
    # Not random.randrange, which trainings seed.
    first = secrets.randbelow(10**6) if given is None else int(given)
    trials = Trials(request.node.name, seconds, first)
    RAN.append(trials)
    return trials


def pytest_terminal_summary(terminalreporter):
    for trials in RAN:
        terminalreporter.write_line(str(trials))
