"""An event loop for a thread that never returns to JavaScript's event loop.

It has timers and callbacks, but no input or output. With it ``asyncio.run`` works in an
application: coroutines, tasks, ``asyncio.sleep``, timeouts, locks and queues, and with
``asgiref_bridge`` the asynchronous views of Flask and Django.

Pyodide's own loop leaves everything to JavaScript's loop, which does not run while Python runs. It
also appears to be running all the time, so that Django would consider every query as one made in a
coroutine."""

from __future__ import annotations

import asyncio
import sys
import time
from contextvars import copy_context
from typing import Any, Callable, List, Optional

from . import asgiref_bridge
from .executor import aside
from .no_network import NoConnections


class _Nothing:
    """The selector of a loop without files."""

    def select(self, timeout: Optional[float]) -> List[Any]:
        if timeout is None:
            raise RuntimeError(
                "this event loop would wait forever: nothing is scheduled in it, and the embedded "
                "Python has neither threads nor sockets that could wake it"
            )
        if timeout > 0:
            time.sleep(timeout)
        return []


class BlockingEventLoop(NoConnections):
    """Runs callbacks and timers in the calling thread, and sleeps between them."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Nothing()

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        """Calls the function at once, because there are no threads. The loop is blocked meanwhile.

        The function runs as in a thread: without a running loop or a task, and with context
        variables of its own."""
        future = self.create_future()
        try:
            with aside():
                result = copy_context().run(func, *args)
        except Exception as error:
            future.set_exception(error)
        else:
            future.set_result(result)
        return future

    def run_within(self, done: Callable[[], bool]) -> None:
        """Runs callbacks and timers until ``done()``, while a callback of this loop waits for that.

        It is for a function that ``run_in_executor`` has called: a thread would wait while the loop
        runs in another thread. Raises RuntimeError if nothing is scheduled that could make
        ``done()`` true."""
        round_of_caller = len(self._ready)
        try:
            asyncio._set_running_loop(self)
            while not done():
                self._run_once()
        finally:
            asyncio._set_running_loop(None)
            # The caller's round has counted its callbacks, and some of them have run here.
            while len(self._ready) < round_of_caller:
                self._ready.append(asyncio.Handle(_nothing, (), self))

    def _process_events(self, event_list: List[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


def _nothing() -> None:
    return None


def install() -> None:
    """Replaces Pyodide's event loop."""
    webloop = sys.modules.get("pyodide.webloop")
    if webloop is not None:
        asyncio.run = webloop._orig_run  # type: ignore[attr-defined]
    # The public names are deprecated since 3.14, in which asyncio.run still uses the policy.
    events: Any = asyncio.events

    class Policy(events._BaseDefaultEventLoopPolicy):  # type: ignore[misc]
        _loop_factory = BlockingEventLoop

    events._set_event_loop_policy(Policy())
    asyncio._set_running_loop(None)
    asgiref_bridge.install()
