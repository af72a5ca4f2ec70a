"""What becomes of rules of PEP 3333 that an application breaks and nobody suffers from.

Other servers serve many an application that is not quite what PEP 3333 asks for. Where what it
means is beyond doubt and no byte of it could split or forge a response, it is served here too, and
the log says so once for each rule. With ``--strict`` it is an error."""

from __future__ import annotations

from typing import Any, Set

from .native import allocate_lock
from .stranger import has_type, kind_of


class Leniency:
    """What a worker forgives, and what it has said of it. For all of its threads."""

    def __init__(self, strict: bool) -> None:
        self.strict = strict
        self._said: Set[str] = set()
        self._lock = allocate_lock()

    def is_new(self, rule: str) -> bool:
        """True once for each rule."""
        with self._lock:
            if rule in self._said:
                return False
            self._said.add(rule)
            return True


def plain_bytes(value: Any) -> bytes | None:
    """The content of a bytes object, also of one whose class overrides what bytes do; None for
    anything else.
    """
    return memoryview(value).tobytes() if has_type(value, bytes) else None


def equivalent_bytes(value: Any) -> bytes | None:
    """The content of what is as good as bytes: a bytearray, a memoryview, anything that is a buffer
    of single bytes.
    """
    # A copy: what is sent later must not change when the application fills its buffer anew.
    try:
        with memoryview(value) as view:
            return view.tobytes() if view.itemsize == 1 else None
    except (TypeError, ValueError, BufferError):
        return None


def wrong_bytes(value: Any, what: str) -> TypeError:
    """The error for what is no bytes object; ``{}`` in ``what`` stands for what it is."""
    hint = "; encode it first, as in text.encode()" if has_type(value, str) else ""
    return TypeError(f"{what.format(kind_of(value))}{hint}")
