"""Notes where threads are started while the application is loaded, for a warning before the process
is forked."""

from __future__ import annotations

import functools
import os
import sys
import threading
from typing import Any, List, Optional
from weakref import WeakKeyDictionary

from .native import threads_are_replaced

#: So many threads are named in the warning.
_MOST_NAMED = 10
_OWN = os.path.dirname(os.path.abspath(__file__)) + os.sep
_LIBRARY = os.path.dirname(os.path.abspath(os.__file__)) + os.sep


class ThreadStarts:
    """While it is entered, notes who starts threads. Afterwards ``warning()`` names those that
    still run."""

    def __init__(self) -> None:
        self._places: WeakKeyDictionary[threading.Thread, str] = WeakKeyDictionary()
        self._original = threading.Thread.start
        self._noting = self._original

    def __enter__(self) -> ThreadStarts:
        original, places = self._original, self._places

        @functools.wraps(original)
        def start(thread: threading.Thread, *args: Any, **kwargs: Any) -> None:
            places[thread] = _place(sys._getframe(1))
            original(thread, *args, **kwargs)

        self._noting = start
        threading.Thread.start = start  # type: ignore[method-assign]
        return self

    def __exit__(self, *_error: object) -> None:
        # If the application has put its own in front, that one calls ours.
        if threading.Thread.start is self._noting:
            threading.Thread.start = self._original  # type: ignore[method-assign]

    def warning(self) -> Optional[str]:
        """What to say of the threads that run now; None if there are none beside this one."""
        if threads_are_replaced():
            return None  # they are greenlets, which a fork copies
        threads = [one for one in threading.enumerate() if one is not threading.current_thread()]
        if not threads:
            return None
        count = len(threads)
        what = "a thread" if count == 1 else f"{count} threads"
        lines = [
            f"The application has {what} at the fork (preload_app), and no worker will have any "
            "of them. A lock that such a thread holds stays locked. Start threads in post_fork, "
            "or when they are first needed:"
        ]
        lines += [f"  {self._describe(one)}" for one in threads[:_MOST_NAMED]]
        if count > _MOST_NAMED:
            lines.append(f"  and {count - _MOST_NAMED} more")
        return "\n".join(lines)

    def _describe(self, thread: threading.Thread) -> str:
        place = self._places.get(thread)
        return f"{thread.name!r}" + ("" if place is None else f", started at {place}")


def _place(frame: Optional[Any]) -> str:
    """The innermost line of the application, or of a package that it uses."""
    innermost = frame
    while frame is not None and _is_library(frame.f_code.co_filename):
        frame = frame.f_back
    found = frame or innermost
    if found is None:
        return "an unknown place"
    return f"{found.f_code.co_filename}, line {found.f_lineno}, in {found.f_code.co_name}"


def _is_library(path: str) -> bool:
    inner: List[str] = path.split(os.sep)
    packages = "site-packages" in inner or "dist-packages" in inner
    return path.startswith((_OWN, "<frozen ")) or (path.startswith(_LIBRARY) and not packages)
