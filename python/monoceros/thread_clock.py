"""How much processor time the threads of this process have used."""

from __future__ import annotations

import os
import sys
import threading
from time import clock_gettime
from typing import Dict, Optional

from .native import main_thread


class ThreadClock:
    """Reads the clocks of other threads. A thread may have ended: that is no error, as it would be
    with ``time.pthread_getcpuclockid``, which reads memory of the thread."""

    def __init__(self) -> None:
        self._numbers: Dict[int, Optional[int]] = {}

    def read(self, ident: int) -> Optional[float]:
        """Seconds of processor time of that thread (``get_ident``); None if that is not known."""
        number = self._numbers.get(ident, 0)
        if number == 0:
            # Bounded: numbers of threads are used again.
            if len(self._numbers) > 1000:
                self._numbers.clear()
            number = self._numbers[ident] = _number_of(ident)
        if number is None:
            return None
        try:
            # CPUCLOCK_SCHED of one thread, as in the kernel's posix-timers.
            return clock_gettime((~number << 3) | 6)
        except OSError:  # it has ended; another one may get its number
            del self._numbers[ident]
            return None

    def wants_processor(self, ident: int) -> bool:
        """True if that thread runs, or would if a processor were free."""
        try:
            with open(f"/proc/self/task/{self._numbers.get(ident)}/stat", "rb") as file:
                # Its name is in parentheses and may have any bytes.
                return file.read().rpartition(b") ")[2][:1] == b"R"
        except OSError:
            return False


def _number_of(ident: int) -> Optional[int]:
    """The system's number of a thread."""
    if sys.platform != "linux":
        return None
    if ident == main_thread:
        return os.getpid()
    threads: Dict[int, threading.Thread] = getattr(threading, "_active", {})
    return getattr(threads.get(ident), "native_id", None)
