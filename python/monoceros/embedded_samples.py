"""Samples of the stacks of an embedded interpreter, which has one thread: the acceptor raises a
signal for each."""

from __future__ import annotations

from types import FrameType
from typing import TYPE_CHECKING, Optional

from . import frames
from .application_frames import application_stack
from .native import perf_counter
from .stack_profile import StackProfile, route_of

if TYPE_CHECKING:
    from .embedded_link import Link


class EmbeddedSamples:
    """The profile that is being taken."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._answered = 0
        self._begin(0, 0.0)

    def _begin(self, number: int, now: float) -> None:
        self._number = number  # of the profile; 0 if none is being taken
        self._profile = StackProfile()
        self._begun = self._last = now
        self._samples = 0
        self._cost = 0.0
        self._stream = 0  # of the last sample

    def signalled(self, frame: Optional[FrameType]) -> Optional[bytes]:
        """Takes a sample. Returns the frame with the answer if the profile is over."""
        now = perf_counter()
        link = self._link
        number = link.sampled()
        if number != self._number:
            if number == self._answered:
                return None
            self._begin(number, now)
        if link.sampling():
            self._take(frame, now)
            self._cost += perf_counter() - now
            return None
        self._answered, self._number = number, 0
        answer = self._profile.answer()
        answer.update(
            id=number,
            seconds=round(now - self._begun, 6),
            samples=self._samples,
            cost=round(self._cost, 6),
        )
        return frames.pack_json(frames.FINDINGS, 0, answer)

    def _take(self, frame: Optional[FrameType], now: float) -> None:
        self._samples += 1
        last, self._last = self._last, now
        stack = application_stack(frame)
        if not stack.entries or stack.exchange is None:
            self._stream = 0
            return
        # The interpreter is not woken for a sample, so the first one of a request may be late.
        stream = stack.exchange.stream
        seconds = now - last if stream == self._stream else 1 / max(1, self._link.hertz())
        self._stream = stream
        self._profile.add(route_of(stack.exchange), stack.entries, True, seconds)
