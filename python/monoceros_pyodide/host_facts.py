"""Answers what programs merely ask about the process and the machine, where Emscripten has made
something up or nothing at all.

A number of the process is 42 there, its user root, the load 0.1 and the machine called
"emscripten"; and a thread has no number, so that a log format with one ends in AttributeError. What
has no honest answer here stays as it is: there is no ``resource``, as on other systems than Unix.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from typing import Any, Callable, List, Mapping, Optional, Sequence

# What Emscripten's C library calls this process; os.kill knows no other.
_EMSCRIPTEN_PID = os.getpid()
# The system's own, as the interpreter has it after a snapshot too.
_kill = os.kill
_uname: Any = getattr(os, "uname", None)


def install(facts: Mapping[str, Any], load_average: Callable[[], Sequence[float]]) -> None:
    """For the whole interpreter, each time one starts.

    ``facts`` has ``pid``, ``ppid``, ``thread``, ``uid``, ``euid``, ``gid``, ``egid``, ``groups``
    and ``hostname``; a thread of ``None`` is one whose number the system does not tell."""
    _name_process(facts)
    _name_thread(facts["pid"] if facts["thread"] is None else facts["thread"])
    _name_machine(facts["hostname"])
    _put(os, "getloadavg", lambda: tuple(load_average()))
    # What os.cpu_count() says: an interpreter is one thread.
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
