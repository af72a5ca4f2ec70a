"""Samples the stacks of the application for some seconds, while it serves.

It runs in a thread of its own, which exists only as long as the profile. The thread reads the other
threads' stacks while it has the interpreter's lock, so that none of them moves, and disturbs none
of them, as a signal would."""

from __future__ import annotations

import random
import sys
import weakref
from typing import Any, Callable, Dict, List, Set, Tuple

from .application_frames import Entry, greenlet_stack, thread_stacks
from .greenlets import are_used, waiting_greenlets
from .native import get_ident, perf_counter, sleep, thread_time
from .scheduling import schedule_thread_as_usual
from .stack_profile import UNKNOWN, StackProfile, route_of
from .thread_clock import ThreadClock

#: How long a thread that computes keeps the interpreter's lock while there is a profile, in seconds
#: (sys.setswitchinterval). With Python's 5 ms, shorter requests would always be seen where they
#: release the lock by themselves, at their next wait.
SWITCH_INTERVAL = 0.0001
#: The most processor time that samples may take of the time that passes.
MOST_COST = 0.05
#: A thread that has used less than this of the time since the last sample waits; one that has used
#: more than that runs. Between the two, a second look tells.
_WAITS = 0.02
_RUNS = 0.9
#: The time between two looks, in seconds, and how much of it a thread that runs has used at least.
_LOOK = 0.0002
_USED = 0.00003
#: Greenlets of one sample; of more, some are taken at random and count for the others.
_MOST_GREENLETS = 100
#: Seconds between two searches for greenlets that the application has started itself.
_SEARCH = 1.0
_MOST_THREADS = 1000


class Sampler:
    """Takes samples in the calling thread, ``hertz`` times a second, or less often if that costs
    more than MOST_COST. ``request_greenlets`` returns those of the requests, if there are any."""

    def __init__(self, hertz: float, request_greenlets: Callable[[], List[Any]]) -> None:
        self._period = 1 / hertz
        self._request_greenlets = request_greenlets
        self._profile = StackProfile()
        self._clock = ThreadClock()
        #: Thread → when its clock was read, and what it showed.
        self._read: Dict[int, Tuple[float, float]] = {}
        #: Threads that are the worker's, so that a stack there without its frames is one that
        #: returned while it was read.
        self._served: Set[int] = set()
        #: References to all greenlets that the last search has found.
        self._greenlets: List[Any] = []
        self._searched = 0.0

    def run(self, seconds: float, ended: Callable[[], bool]) -> Dict[str, Any]:
        """Samples for ``seconds``, or until ``ended()``. Returns the profile; its ``cost`` is the
        processor time that it took here, in seconds."""
        # Otherwise it would only see what waits, where a processor is always in use.
        schedule_thread_as_usual()
        interval = sys.getswitchinterval()
        if interval > SWITCH_INTERVAL:
            sys.setswitchinterval(SWITCH_INTERVAL)
        try:
            return self._run(seconds, ended)
        finally:
            # Unless the application has set another one in the meantime.
            if abs(sys.getswitchinterval() - SWITCH_INTERVAL) < 1e-6:
                sys.setswitchinterval(interval)

    def _run(self, seconds: float, ended: Callable[[], bool]) -> Dict[str, Any]:
        begun = last = perf_counter()
        until = begun + seconds
        started = used = thread_time()
        samples = 0
        pause = self._period
        while last < until and not ended():
            # At random within its period: what the application does periodically is neither always
            # seen nor never.
            sleep(min(pause * random.uniform(0.5, 1.5), max(until - last, 0.0001)))
            now = perf_counter()
            self._sample(now, now - last)
            samples += 1
            last = now
            before, used = used, thread_time()
            pause = max(self._period, (used - before) / MOST_COST)
        return {
            **self._profile.answer(),
            "seconds": round(last - begun, 6),
            "samples": samples,
            "cost": round(thread_time() - started, 6),
        }

    def _sample(self, now: float, seconds: float) -> None:
        add = self._profile.add
        with_greenlets = are_used()
        unsure: List[Tuple[str, List[Entry], int, float]] = []
        for number, stack in thread_stacks(get_ident()):
            if stack.served and len(self._served) < _MOST_THREADS:
                self._served.add(number)
            if not stack.entries:
                continue
            if not stack.served and not with_greenlets and number in self._served:
                continue
            # Now: the request may have ended after a second look.
            route = route_of(stack.exchange)
            if route == UNKNOWN:
                continue  # it has ended while its stack was read
            used = self._clock.read(number)
            if used is None:
                add(route, stack.entries, True, seconds)
                continue
            before = self._read.get(number)
            if len(self._read) > _MOST_THREADS:
                self._read.clear()
            self._read[number] = (now, used)
            share = -1.0 if before is None else (used - before[1]) / max(now - before[0], 1e-9)
            if share < 0 or _WAITS < share < _RUNS:
                unsure.append((route, stack.entries, number, used))
            else:
                add(route, stack.entries, share >= _RUNS, seconds)
        if with_greenlets:
            self._sample_greenlets(now, seconds)
        if unsure:
            # Those that run, or would if this thread did not have the interpreter's lock, use some
            # processor time now, or wait for a processor.
            sleep(_LOOK)
            for route, entries, number, used in unsure:
                later = self._clock.read(number) or 0.0
                runs = later - used > _USED or self._clock.wants_processor(number)
                add(route, entries, runs, seconds)

    def _sample_greenlets(self, now: float, seconds: float) -> None:
        chosen = self._request_greenlets()
        if now - self._searched > _SEARCH:
            self._searched = now
            self._greenlets = [weakref.ref(each) for each in waiting_greenlets()]
        known = set(map(id, chosen))
        others = [reference() for reference in self._greenlets]
        chosen += [each for each in others if each is not None and id(each) not in known]
        weight = seconds
        if len(chosen) > _MOST_GREENLETS:
            weight *= len(chosen) / _MOST_GREENLETS
            chosen = random.sample(chosen, _MOST_GREENLETS)
        for greenlet in chosen:
            stack = greenlet_stack(greenlet)
            if stack.entries:
                self._profile.add(route_of(stack.exchange), stack.entries, False, weight)
