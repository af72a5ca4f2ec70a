"""An event loop for a thread that never returns to JavaScript's: timers and callbacks, and no input
or output.

With it ``asyncio.run`` works in an application: coroutines, tasks, ``asyncio.sleep``, time-outs,
locks and queues, and by ``asgiref_bridge`` what Flask and Django do for asynchronous views.
Pyodide's own loop leaves everything to JavaScript's, which does not run while Python does, and
passes for running all the time, so that Django would take every query for one made in a coroutine.
"""

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
    """The selector of a loop that has nothing to select from."""

    def select(self, timeout: Optional[float]) -> List[Any]:
        if timeout is None:
            raise RuntimeError(
                "this event loop waits for what cannot come: nothing is scheduled in it, and the embedded Python has "
                "neither threads nor sockets that could wake it"
            )
        if timeout > 0:
            time.sleep(timeout)
        return []


class BlockingEventLoop(NoConnections):
    """Runs callbacks and timers in the calling thread; sleeps between them."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Nothing()

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        """Calls it here and now: there are no threads. The loop stands still meanwhile.

        The function sees what it would see in a thread: no loop that runs, no task, and context
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
        """Runs callbacks and timers until that is true, although a callback of this loop is waiting
        for it.

        For a function that ``run_in_executor`` has called: a thread would wait while the loop goes
        on in another. Raises RuntimeError when nothing is scheduled that could make it true."""
        round_of_caller = len(self._ready)
        try:
            asyncio._set_running_loop(self)
            while not done():
                self._run_once()
        finally:
            asyncio._set_running_loop(None)
            # The caller's round has counted its callbacks, and some of them have run in here.
            while len(self._ready) < round_of_caller:
                self._ready.append(asyncio.Handle(_nothing, (), self))

    def _process_events(self, event_list: List[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


def _nothing() -> None:
    return None


def install() -> None:
    """Puts it in the place of Pyodide's."""
    webloop = sys.modules.get("pyodide.webloop")
    if webloop is not None:
        asyncio.run = webloop._orig_run  # type: ignore[attr-defined]
    # Without their underscores these are deprecated from 3.14 on, where asyncio.run still goes by
    # them.
    events: Any = asyncio.events

    class Policy(events._BaseDefaultEventLoopPolicy):  # type: ignore[misc]
        _loop_factory = BlockingEventLoop

    events._set_event_loop_policy(Policy())
    asyncio._set_running_loop(None)
    asgiref_bridge.install()
