"""Makes ``ThreadPoolExecutor`` run its tasks in the only thread, instead of failing at the first.

WhiteNoise uses it to compress files at ``collectstatic``, and other libraries use it for concurrent
requests. A task has run when ``submit`` returns. A task that waits for a later one waits forever.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from concurrent.futures.thread import BrokenThreadPool, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Context
from typing import Any, Callable, Iterator, Tuple


def install() -> None:
    """Changes ``ThreadPoolExecutor`` in the whole interpreter."""
    initialise = ThreadPoolExecutor.__init__

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        initialise(self, *args, **kwargs)
        self._here = _initializer(*args, **kwargs)

    ThreadPoolExecutor.__init__ = __init__  # type: ignore[assignment]
    ThreadPoolExecutor.submit = submit  # type: ignore[assignment]


def submit(self: Any, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
    """Runs ``fn`` as in a thread: without a running event loop, with its own context variables."""
    if self._broken:
        raise BrokenThreadPool(self._broken)
    if self._shutdown:
        raise RuntimeError("cannot schedule new futures after shutdown")
    with aside():
        if self._here is not None:
            (initializer, initargs), self._here = self._here, None
            try:
                initializer(*initargs)
            except Exception:
                self._broken = "A thread initializer failed, the thread pool is not usable anymore"
                raise BrokenThreadPool(self._broken) from None
        return call(Context().run, fn, *args, **kwargs)


@contextmanager
def aside() -> Iterator[None]:
    """In a coroutine: a context in which there is no running loop and no task, as in a thread."""
    loop = asyncio._get_running_loop()
    if loop is None:
        yield
        return
    # Before 3.12, the loop keeps the running task.
    swap: Any = getattr(asyncio.tasks, "_swap_current_task", None)
    task = swap and swap(loop, None)
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)
        if swap is not None:
            swap(loop, task)


def call(fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
    """A future with what ``fn`` returned or raised.

    Something that is not an Exception, such as a timeout, is raised here too."""
    future: "Future[Any]" = Future()
    future.set_running_or_notify_cancel()
    try:
        future.set_result(fn(*args, **kwargs))
    except BaseException as error:
        future.set_exception(error)
        if not isinstance(error, Exception):
            raise
    return future


def _initializer(
    max_workers: Any = None,
    thread_name_prefix: str = "",
    initializer: Any = None,
    initargs: Tuple[Any, ...] = (),
    **more: Any,
) -> Any:
    return None if initializer is None else (initializer, initargs)


__all__ = ["aside", "call", "install", "submit"]
