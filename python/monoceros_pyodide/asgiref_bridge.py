"""Makes asgiref switch between synchronous and asynchronous code in a single thread.

Flask and Django run asynchronous views with asgiref's ``async_to_sync``. It runs an event loop in a
new thread, while the calling thread waits for functions that coroutines call in it
(``sync_to_async``). Here the loop runs in the calling thread (``event_loop``), so there is nothing
to wait for, except if such a function calls ``async_to_sync`` again."""

from __future__ import annotations

import sys
from concurrent.futures import Executor, Future
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Callable, Optional, Sequence

from .executor import call

_MODULE = "asgiref.sync"


def install() -> None:
    """Adapts asgiref when the application imports it."""
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)  # type: ignore[arg-type]


class _Finder:
    """Finds that one module. It removes itself when the module is imported."""

    @staticmethod
    def find_spec(
        fullname: str, path: Optional[Sequence[str]] = None, target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        if fullname != _MODULE:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        loader = spec and spec.loader
        if loader is not None:
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                _adapt(module)
                if _Finder in sys.meta_path:
                    sys.meta_path.remove(_Finder)  # type: ignore[arg-type]

            loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _adapt(sync: Any) -> None:
    """Replaces two parts of ``AsyncToSync``, which have not changed since asgiref 3.3."""
    waiting = getattr(sync, "CurrentThreadExecutor", None)
    if waiting is None or not hasattr(waiting, "run_until_future"):
        return

    def run_until_future(self: Any, future: "Future[Any]") -> None:
        # Otherwise the thread would wait for the loop, which waits for the thread.
        if not future.done():
            sync.SyncToAsync.threadlocal.main_event_loop.run_within(future.done)

    waiting.run_until_future = run_until_future
    sync.ThreadPoolExecutor = _ImmediateExecutor


class _ImmediateExecutor(Executor):
    """Replaces a pool of one thread whose caller waits for the result."""

    def __init__(self, max_workers: Optional[int] = None, *args: Any, **kwargs: Any) -> None:
        pass

    def __bool__(self) -> bool:
        # asgiref shuts down an executor that is true, and starts a thread to wait for that.
        return False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        return call(fn, *args, **kwargs)


__all__ = ["install"]
