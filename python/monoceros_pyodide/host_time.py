"""What WebAssembly's C library cannot do with time: sleep so that a signal ends it, and change the
time zone.
"""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Optional, Tuple

SetZone = Callable[[Optional[str]], Tuple[int, int, int, str, str]]


def install(host_sleep: Callable[[float], None], set_zone: SetZone) -> None:
    """Puts ``sleep`` and ``tzset`` into the module ``time``, and the zone that TZ names in force.

    ``host_sleep(seconds)`` sleeps for that long, or until a signal is due. ``set_zone(name)``
    changes the zone of local time; it says what timezone, altzone, daylight and the two names of
    tzname are from now on."""
    # Emscripten's sleep keeps a processor busy, and Python's own asks for signals only when it is
    # over.
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
            # A signal ends it. Its handler runs within some turns of this loop, as signals are
            # looked for every so often.
            host_sleep(seconds)
            seconds = until - monotonic()

    def tzset() -> None:
        """Takes the time zone that os.environ["TZ"] names; without one, the server's."""
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
