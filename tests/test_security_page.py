"""SECURITY.md names tests that are there."""

import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "SECURITY.md").read_text("utf8")


def test_all_tests_on_the_page_are_there():
    code = "".join(path.read_text("utf8") for path in TESTS.rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 15
    assert not {name for name in named if f"def {name}(" not in code}
