"""Real facts about the process and the machine, where Emscripten has invented ones or none.

In Emscripten, the process has the number 42, its user is root, the load is 0.1 and the machine is
called "emscripten". A thread has no number, so that a log format with one raises AttributeError.
Things without a true answer stay as they are: there is no ``resource``, as on systems other than
Unix."""

from __future__ import annotations

import os
import socket
import sys
import threading
from typing import Any, Callable, List, Mapping, Optional, Sequence

# The number of this process in Emscripten's C library, the only one that os.kill accepts.
_EMSCRIPTEN_PID = os.getpid()
# The original functions. A snapshot contains them too.
_kill = os.kill
_uname: Any = getattr(os, "uname", None)


def install(facts: Mapping[str, Any], load_average: Callable[[], Sequence[float]]) -> None:
    """Makes the facts known in the whole interpreter. Called at each start of one.

    ``facts`` has ``pid``, ``ppid``, ``thread``, ``uid``, ``euid``, ``gid``, ``egid``, ``groups``
    and ``hostname``. ``thread`` is None if the system does not have a number for it."""
    _name_process(facts)
    _name_thread(facts["pid"] if facts["thread"] is None else facts["thread"])
    _name_machine(facts["hostname"])
    _put(os, "getloadavg", lambda: tuple(load_average()))
    # The same as os.cpu_count(): an interpreter is one thread.
    _put(os, "sched_getaffinity", lambda pid, /: {0})
    _put(os, "getrandom", lambda size, flags=0: os.urandom(size))
    os.GRND_NONBLOCK, os.GRND_RANDOM = 1, 2  # type: ignore[misc,attr-defined]


def _name_process(facts: Mapping[str, Any]) -> None:
    pid: int = facts["pid"]
    groups: List[int] = list(facts["groups"])
    for name in ("uid", "euid", "gid", "egid", "pid", "ppid"):
        _put(os, f"get{name}", lambda value=facts[name]: value)
    _put(os, "getgroups", lambda: list(groups))

    def kill(pid_of: int, signal: int, /) -> None:
        _kill(_EMSCRIPTEN_PID if pid_of == pid else pid_of, signal)

    _put(os, "kill", kill)


def _name_thread(number: int) -> None:
    def get_native_id() -> int:
        """Return the number that the system has given to this thread."""
        return number

    thread: Any = sys.modules["_thread"]
    for module in (thread, threading):
        _put(module, "get_native_id", get_native_id)
    threading._get_native_id = get_native_id  # type: ignore[attr-defined]
    threading._HAVE_THREAD_NATIVE_ID = True  # type: ignore[attr-defined]
    kind: Any = threading.Thread

    def native_id(self: Any) -> Optional[int]:
        """Native integral thread ID of this thread, or None if it has not been started."""
        found: Optional[int] = getattr(self, "_native_id", None)
        return found

    def set_native_id(self: Any) -> None:
        self._native_id = get_native_id()

    kind.native_id = property(native_id)
    kind._set_native_id = set_native_id
    kind._set_native_id(threading.main_thread())


def _name_machine(name: str) -> None:
    _put(socket, "gethostname", lambda: name)

    def uname() -> Any:
        found = _uname()
        return type(found)((found.sysname, name, found.release, found.version, found.machine))

    if _uname is not None:
        _put(os, "uname", uname)
    platform = sys.modules.get("platform")
    if platform is not None:
        platform._uname_cache = None  # type: ignore[attr-defined]


def _put(module: Any, name: str, function: Callable[..., Any]) -> None:
    function.__name__ = function.__qualname__ = name
    function.__module__ = module.__name__
    setattr(module, name, function)


__all__ = ["install"]
