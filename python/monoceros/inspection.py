"""What the acceptor asks about a worker that serves (INSPECT), and what it is told (FINDINGS).

A profile takes its time, so it runs in a thread of its own. There is one at a time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional

from . import frames
from .application_frames import stack_of
from .codes import coded
from .frames import FrameError
from .native import start_thread
from .trace import format_entries, slow_request

if TYPE_CHECKING:
    from .carrier import Carrier

#: The longest profile, in seconds, and the fastest, in samples a second.
MOST_SECONDS = 3600
MOST_HERTZ = 1000
_MOST_LINES = 1000

_Work = Callable[["_Inspection"], Dict[str, Any]]


class _Inspection:
    """One that takes its time."""

    def __init__(self, carrier: Carrier, question: Dict[str, Any]) -> None:
        self.carrier = carrier
        self.question = question
        self.number = number(question, "id", 0, frames.MAX_U32)
        self.seconds = number(question, "seconds", 0, MOST_SECONDS)
        self.stopped = False

    def ended(self) -> bool:
        """Whether it should end before its time."""
        return self.stopped

    def request_greenlets(self) -> List[Any]:
        found = getattr(self.carrier, "request_greenlets", None)
        return found() if found is not None else []


_current: Optional[_Inspection] = None


def inspect(carrier: Carrier, payload: bytes) -> None:
    """Does what an INSPECT asks for. Raises FrameError for one that breaks the protocol."""
    question = read_question(payload)
    what = question.get("what")
    if what == "stack":
        _log_stack(question)
    elif what == "stop":
        if _current is not None and _current.number == question.get("id"):
            _current.stopped = True
    elif what == "profile":
        number(question, "hertz", 1, MOST_HERTZ)
        _begin(_Inspection(carrier, question), _profile)
    elif what == "memory":
        number(question, "top", 1, _MOST_LINES)
        _begin(_Inspection(carrier, question), _memory)
    else:
        raise FrameError(f"an INSPECT of {what!r:.100}")


def read_question(payload: bytes) -> Dict[str, Any]:
    """The JSON of an INSPECT. Raises FrameError."""
    try:
        question = json.loads(payload)
    except ValueError:
        question = None
    if not isinstance(question, dict):
        raise FrameError("an INSPECT whose payload is not a JSON object")
    return question


def number(question: Dict[str, Any], name: str, least: float, most: float) -> Any:
    """A number of an INSPECT. Raises FrameError if it is not in that range."""
    value = question.get(name)
    if type(value) not in (int, float) or not least <= value <= most:
        raise FrameError(f"an INSPECT whose {name} is {value!r:.100}")
    return value


def _begin(inspection: _Inspection, work: _Work) -> None:
    global _current
    if _current is not None:
        _answer(inspection, {"error": "another profile of it is being taken"})
        return
    _current = inspection
    start_thread(_run, (inspection, work), "monoceros-profile")


def _run(inspection: _Inspection, work: _Work) -> None:
    global _current
    try:
        answer = work(inspection)
    except BaseException as error:  # no memory, ...
        answer = {"error": f"{type(error).__name__}: {error}"[:500]}
    _current = None
    _answer(inspection, answer)


def _answer(inspection: _Inspection, answer: Dict[str, Any]) -> None:
    outbox = inspection.carrier.outbox
    outbox.put(frames.pack_json(frames.FINDINGS, 0, {"id": inspection.number, **answer}))
    outbox.flush()


def _profile(inspection: _Inspection) -> Dict[str, Any]:
    from .sampler import Sampler

    sampler = Sampler(inspection.question["hertz"], inspection.request_greenlets)
    return sampler.run(inspection.seconds, inspection.ended)


def _memory(inspection: _Inspection) -> Dict[str, Any]:
    from .memory_growth import measure

    top = int(inspection.question["top"])
    return measure(inspection.seconds, top, inspection.ended)


def _log_stack(question: Dict[str, Any]) -> None:
    """Logs where a request is that has run for long. Nothing if it has ended, or if it waits for
    its client."""
    stream = number(question, "stream", 1, frames.MAX_U32)
    seconds = number(question, "seconds", 0, frames.MAX_U32)
    stack = stack_of(stream)
    if stack is None or stack.exchange is None:
        return
    exchange = stack.exchange
    exchange._log(
        frames.WARNING, coded("MONO4010", slow_request(seconds, format_entries(stack.entries)))
    )
    exchange.carrier.outbox.flush()
