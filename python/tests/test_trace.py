"""What of a traceback the application's author sees."""

from __future__ import annotations

import os
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
    """``error`` as it comes out of the server: from its files, an application's, and its files again."""

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

    def test_a_class_that_cannot_be_shown_is_named(self) -> None:
        class Hopeless(Exception):
            @property
            def __traceback__(self) -> Optional[TracebackType]:  # type: ignore[override]
                raise MemoryError

        self.assertEqual(
            format_error(Hopeless()), "Hopeless (its traceback cannot be shown: MemoryError)"
        )


if __name__ == "__main__":
    unittest.main()
