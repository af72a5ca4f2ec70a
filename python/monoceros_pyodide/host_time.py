"""A sleep that signals can end, and time zones, which the C library for WebAssembly lacks."""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Optional, Tuple

SetZone = Callable[[Optional[str]], Tuple[int, int, int, str, str]]


def install(host_sleep: Callable[[float], None], set_zone: SetZone) -> None:
    """Puts ``sleep`` and ``tzset`` into the module ``time``, and applies the time zone of TZ.

    ``host_sleep(seconds)`` sleeps until the time has passed or a signal is pending.
    ``set_zone(name)`` changes the zone of local time. It returns the new timezone, altzone,
    daylight and the two names of tzname."""
    # Emscripten's sleep keeps a processor busy, and Python checks for signals only after it.
    monotonic = time.monotonic

    def sleep(seconds: Any, /) -> None:
        """Delays execution for a given number of seconds, which may be a fraction."""
        if isinstance(seconds, float):
            if seconds != seconds:
                raise ValueError("Invalid value NaN (not a number)")
        else:
            seconds = seconds.__index__() if hasattr(seconds, "__index__") else _refuse(seconds)
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        until = monotonic() + seconds
        while seconds > 0:
            # A signal ends it. The handler runs within a few turns of this loop, because Python
            # checks for signals now and then.
            host_sleep(seconds)
            seconds = until - monotonic()

    def tzset() -> None:
        """Applies the time zone in os.environ["TZ"], or the server's if there is none."""
        timezone, altzone, daylight, standard_name, summer_name = set_zone(os.environ.get("TZ"))
        time.timezone = timezone
        time.altzone = altzone
        time.daylight = daylight
        time.tzname = (standard_name, summer_name)

    for function in (sleep, tzset):
        function.__module__ = "time"
        function.__qualname__ = function.__name__
    time.sleep = sleep
    time.tzset = tzset
    tzset()


def _refuse(value: object) -> Any:
    raise TypeError(f"'{type(value).__name__}' object cannot be interpreted as an integer or float")
