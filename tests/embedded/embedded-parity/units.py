"""Runs the unit tests below the working directory and prints, as one line of JSON, what became of
each.
"""

from __future__ import annotations

import json
import os
import sys
import unittest
from typing import Any, Dict, Optional


class Outcomes(unittest.TestResult):
    """What became of each test, by its name: passed, skipped, or the last line of the first
    error."""

    def __init__(self) -> None:
        super().__init__()
        self.by_name: Dict[str, str] = {}

    def note(self, test: unittest.TestCase, outcome: str) -> None:
        self.by_name.setdefault(test.id(), outcome)

    def fail(self, test: unittest.TestCase, error: Any) -> None:
        self.note(test, f"{error[0].__name__}: {error[1]}".splitlines()[0])

    addError = addFailure = fail

    def addSubTest(
        self, test: unittest.TestCase, subtest: unittest.TestCase, error: Optional[Any]
    ) -> None:
        if error is not None:
            self.fail(test, error)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        self.note(test, "skipped")

    def addSuccess(self, test: unittest.TestCase) -> None:
        self.note(test, "passed")


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    outcomes = Outcomes()
    unittest.defaultTestLoader.discover("tests", top_level_dir=".").run(outcomes)
    print(json.dumps(outcomes.by_name))
