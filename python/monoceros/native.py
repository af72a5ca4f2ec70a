"""Threads, locks and sockets of the operating system, taken before the application is imported.

An application may replace functions of the standard library (gevent and eventlet, ``patch_all``).
Then a new thread is a greenlet, which runs only when its thread yields, and a lock is one between
greenlets. A worker's threads must run whatever the application does, and exclude each other. So the
worker uses the functions of this module."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from _thread import LockType, allocate_lock, get_ident, start_new_thread
from typing import Any, Callable, Dict, Optional, Sequence, Tuple

#: The class of the channels' sockets, which block their thread.
Socket = socket.socket
sleep = time.sleep
# With gevent, the hub closes a descriptor some time later.
close = os.close
write = os.write
writev = getattr(os, "writev", None)
sendfile = getattr(os, "sendfile", None)
perf_counter = time.perf_counter
#: The embedded Python has one thread, and no clock for it.
thread_time = getattr(time, "thread_time", time.process_time)
#: The thread that imports this module: the one that serves, or that reads what others serve.
main_thread = get_ident()

_Wait = Callable[[Sequence[Any], Optional[float]], None]

_THREADING = (
    "_start_new_thread",
    "_start_joinable_thread",
    "_allocate_lock",
    "Lock",
    "Thread",
    "get_ident",
)
_threading: Dict[str, Any] = {
    name: getattr(threading, name) for name in _THREADING if hasattr(threading, name)
}
_select = select.select


def threads_are_replaced() -> bool:
    """True if ``threading`` no longer makes threads of the operating system."""
    return any(
        getattr(threading, name, None) is not original for name, original in _threading.items()
    )


def start_thread(target: Callable[..., object], arguments: Tuple[Any, ...], name: str) -> None:
    """Starts a thread of the operating system that does not keep the process from ending."""
    if not threads_are_replaced():
        # Visible to the application like any other: profilers, debuggers and logs find its name.
        threading.Thread(target=target, args=arguments, name=name, daemon=True).start()
    else:
        start_new_thread(target, arguments)


def cooperative_wait() -> Optional[_Wait]:
    """A function that waits until descriptors are readable, while greenlets run.

    None if ``select`` was not replaced, so that there are no greenlets.
    """
    replaced = getattr(select, "select", _select)
    if replaced is _select:
        return None

    def wait(descriptors: Sequence[Any], timeout: Optional[float]) -> None:
        try:
            replaced(descriptors, (), (), timeout)
        # for example a timeout that the application left behind; then poll waits
        except BaseException:
            pass

    return wait


class Condition:
    """Wakes the one thread that waits. The caller of its methods holds ``lock``."""

    def __init__(self, lock: LockType) -> None:
        self._lock = lock
        self._waiter: Optional[LockType] = None

    def wait(self) -> None:
        """Releases the lock until ``notify``."""
        waiter = allocate_lock()
        waiter.acquire()
        self._waiter = waiter
        self._lock.release()
        try:
            waiter.acquire()
        finally:
            self._lock.acquire()

    def notify(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            waiter.release()
