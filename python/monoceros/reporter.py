"""What an exchange reports about the application: log entries and violations of PEP 3333."""

from __future__ import annotations

from typing import Any, Optional

from . import frames
from .carrier import Carrier
from .codes import coded
from .environ import Environ
from .leniency import equivalent_bytes, plain_bytes, wrong_bytes
from .stranger import kind_of, text_of
from .trace import calling_place, generator_place


class Reporter:
    """The part of an exchange that logs, and that lets harmless violations of PEP 3333 pass."""

    carrier: Carrier
    stream: int
    _result: Any = None
    _environ: Optional[Environ] = None

    def forgive(
        self, rule: str, error: Exception, instead: str, place: Optional[str] = None
    ) -> None:
        """Raises ``error`` if rules are strict. Otherwise returns, and logs once what is done
        instead.
        """
        leniency = self.carrier.leniency
        if leniency.strict:
            raise error
        if leniency.is_new(rule):
            where = f" ({place or calling_place()})" if place != "" else ""
            text = (
                f"{self._name()}: {error}: {instead}{where}. "
                "This is logged only once; with --strict, it is an error"
            )
            self.carrier.outbox.put(
                frames.pack_json(
                    frames.VIOLATION, 0, {"rule": rule, "text": coded("MONO4005", text)}
                )
            )

    def _admit_bytes(self, value: Any, what: str, place: Optional[str] = None) -> bytes:
        plain = plain_bytes(value)
        if plain is not None:
            return plain
        error = wrong_bytes(value, what)
        equivalent = equivalent_bytes(value)
        if equivalent is None:
            raise error
        self.forgive("not-bytes", error, "its bytes are sent", place)
        return equivalent

    def _admit_chunk(self, chunk: Any) -> bytes:
        return self._admit_bytes(
            chunk,
            "the application produced {} where bytes are needed",
            generator_place(self._result),
        )

    def _admit_bare(self, result: Any) -> bytes:
        error = TypeError(
            f"the application returned {kind_of(result)}; "
            "it must return an iterable of bytes, such as [b'...']"
        )
        self.forgive("body-not-iterable", error, "its bytes are sent", "")
        return memoryview(result).tobytes()

    def _log(self, level: int, text: str) -> None:
        self.carrier.outbox.put(frames.pack_log(level, self.stream, f"{self._name()}: {text}"))

    def _name(self) -> str:
        """The request, for the log. The application may have put anything into the environ."""
        environ = self._environ
        if environ is None:
            return "? "
        try:
            raw = environ.get("RAW_URI")
            names = ("RAW_URI",) if type(raw) is str and raw else ("SCRIPT_NAME", "PATH_INFO")
            target = "".join(text_of(environ.get(name, "")) for name in names)
            return f"{text_of(environ.get('REQUEST_METHOD', '?'))} {target}"
        except BaseException:
            return "? ?"
