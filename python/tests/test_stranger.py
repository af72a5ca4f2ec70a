"""Looking at objects that raise, or lie, when they are looked at."""

from __future__ import annotations

import unittest
from typing import Any

from monoceros import stranger


class Meta(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise SystemExit


class Shy(metaclass=Meta):
    """Raises for every question, and nothing that ``except Exception`` would catch."""

    def _raise(self, *args: Any) -> Any:
        raise SystemExit(5)

    # type: ignore
    __getattribute__ = __repr__ = __str__ = __len__ = __bool__ = __dir__ = __eq__ = __hash__ = (
        _raise
    )
    __format__ = __iter__ = __call__ = __instancecheck__ = _raise  # type: ignore


class Looking(unittest.TestCase):
    def test_every_function_answers(self) -> None:
        shy = Shy()
        self.assertEqual(stranger.attribute(shy, "x", 5), 5)
        self.assertEqual(stranger.names_of(shy), [])
        self.assertEqual(stranger.type_name(shy), "Shy")
        self.assertEqual(stranger.kind_of(shy), "Shy")
        self.assertEqual(stranger.describe(shy), "a Shy")
        self.assertEqual(stranger.text_of(shy), "<Shy>")
        self.assertEqual(stranger.quote(shy), "<Shy>")
        self.assertTrue(stranger.is_proxy(shy))
        self.assertFalse(stranger.is_callable_here(shy, "m"))
        self.assertFalse(stranger.has_type(shy, str))

    def test_a_class_that_is_said_is_not_believed(self) -> None:
        class Liar:
            __class__ = str  # type: ignore[service]

        self.assertTrue(isinstance(Liar(), str))
        self.assertFalse(stranger.has_type(Liar(), str))
        self.assertTrue(stranger.is_proxy(Liar()))
        self.assertFalse(stranger.is_proxy(5))

    def test_text_is_one_line_of_ascii(self) -> None:
        self.assertEqual(stranger.text_of("a\nb\u20ac"), "a\\nb\\u20ac")
        self.assertEqual(stranger.quote("x" * 500)[-3:], "...")


if __name__ == "__main__":
    unittest.main()
