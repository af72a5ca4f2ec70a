"""What of a traceback the application's author sees."""

from __future__ import annotations

import builtins
import os
import sys
import unittest
from types import TracebackType
from typing import Any, Optional

from monoceros import trace
from monoceros.trace import format_error

_SERVER = os.path.dirname(os.path.abspath(trace.__file__))


class Foreign(Exception):
    """Keeps what is assigned to it elsewhere, as Pyodide's JsException does."""

    def __setattr__(self, name: str, value: Any) -> None:
        pass


def call_from(filename: str, function: Any) -> None:
    """Calls ``function`` from a file of that name."""
    exec(compile("function()", filename, "exec"), {"function": function})


def fail(error: BaseException) -> BaseException:
    """``error`` as it comes out of the server: from its files, an application's, and its files
    again.
    """

    def raise_it() -> None:
        raise error

    def application() -> None:
        call_from(os.path.join(_SERVER + "_pyodide", "host_time.py"), raise_it)

    def gateway() -> None:
        call_from(os.path.join("application", "views.py"), application)

    try:
        call_from(os.path.join(_SERVER, "exchange.py"), gateway)
    except BaseException as raised:
        return raised
    raise AssertionError("nothing was raised")


class FormatError(unittest.TestCase):
    def assert_hidden(self, text: str) -> None:
        self.assertIn(os.path.join("application", "views.py"), text)
        self.assertNotIn(f'File "{_SERVER}', text)

    def test_the_servers_frames_are_not_shown(self) -> None:
        text = format_error(fail(ValueError("seven")))
        self.assertTrue(text.endswith("ValueError: seven"), text)
        self.assert_hidden(text)

    def test_nor_are_they_of_an_exception_that_keeps_its_attributes_elsewhere(self) -> None:
        self.assert_hidden(format_error(fail(Foreign("seven"))))

    def test_nor_of_what_caused_it(self) -> None:
        error = RuntimeError("outer")
        error.__cause__ = fail(Foreign("inner"))
        text = format_error(error)
        self.assertIn("Foreign: inner", text)
        self.assert_hidden(text)

    def test_an_error_that_raises_when_it_is_looked_at_is_shown_as_far_as_it_can_be(self) -> None:
        class Hopeless(Exception):
            @property
            def __suppress_context__(self) -> bool:  # type: ignore[override]
                raise SystemExit(5)

        text = format_error(fail(Hopeless("seven")))
        self.assertTrue(text.endswith("Hopeless (it cannot be shown: SystemExit)"), text)
        self.assert_hidden(text)

    def test_neither_attributes_nor_truth_of_an_error_are_asked(self) -> None:
        class Odd(Exception):
            @property
            def __traceback__(self) -> Optional[TracebackType]:  # type: ignore[override]
                raise MemoryError

            @property
            def __cause__(self) -> Optional[BaseException]:  # type: ignore[override]
                raise KeyError

            def __len__(self) -> int:
                raise OSError

            def __str__(self) -> str:
                raise KeyboardInterrupt

        error = RuntimeError("outer")
        error.__cause__ = fail(Odd())
        self.assert_hidden(format_error(error))
        self.assertIn("Odd", format_error(Odd()))

    @unittest.skipIf(sys.version_info < (3, 11), "groups of exceptions came with Python 3.11")
    def test_the_servers_frames_are_not_shown_of_the_members_of_a_group(self) -> None:
        group = getattr(builtins, "ExceptionGroup")("several", [fail(ValueError("one"))])
        self.assert_hidden(format_error(group))


if __name__ == "__main__":
    unittest.main()
