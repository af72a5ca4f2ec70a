"""Harmless violations of PEP 3333.

Other servers serve applications that do not follow PEP 3333 to the letter. If the meaning is clear
and no byte could split or forge a response, they are served here too, and the log has a warning
once for each rule. With ``--strict`` a violation is an error."""

from __future__ import annotations

from typing import Any, Sequence, Set

from .native import allocate_lock
from .stranger import has_type, kind_of


class Leniency:
    """Whether a worker forgives violations, and which it has reported. For all of its threads."""

    def __init__(self, strict: bool, file_headers: Sequence[str] = ()) -> None:
        self.strict = strict
        self._file_headers = [b"\n%b:" % name.encode("ascii") for name in file_headers]
        self._said: Set[str] = set()
        self._lock = allocate_lock()

    def has_file(self, head: bytes) -> bool:
        """Whether the server sends a file instead of the body of a response with this head. The
        application may leave the body out then, and declare the length of the file, as Flask does.
        """
        lines = b"\n" + head.lower()
        return any(name in lines for name in self._file_headers)

    def is_new(self, rule: str) -> bool:
        """True for the first violation of that rule."""
        with self._lock:
            if rule in self._said:
                return False
            self._said.add(rule)
            return True


def plain_bytes(value: Any) -> bytes | None:
    """The content of a bytes object, even if its class overrides methods of bytes; None for
    anything else.
    """
    return memoryview(value).tobytes() if has_type(value, bytes) else None


def equivalent_bytes(value: Any) -> bytes | None:
    """The content of a bytearray, a memoryview, or any other buffer of single bytes; None for
    anything else."""
    # A copy, because the application may reuse its buffer before the bytes are sent.
    try:
        with memoryview(value) as view:
            return view.tobytes() if view.itemsize == 1 else None
    except (TypeError, ValueError, BufferError):
        return None


def wrong_bytes(value: Any, what: str) -> TypeError:
    """The error for a value that is not bytes; ``{}`` in ``what`` is replaced by its type."""
    hint = "; encode it first, as in text.encode()" if has_type(value, str) else ""
    return TypeError(f"{what.format(kind_of(value))}{hint}")
