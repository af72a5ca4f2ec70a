"""A WSGI application whose requests do not come to an end by themselves, in coroutines and in
functions that they wait for.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Callable, Dict, Iterable

from asgiref.sync import async_to_sync, sync_to_async


async def sleeps() -> None:
    await asyncio.sleep(3600)


async def computes() -> None:
    while True:
        pass


def spins() -> None:
    while True:
        pass


async def waits_for_function() -> None:
    await sync_to_async(spins)()


async def one_within_the_other() -> None:
    await sync_to_async(async_to_sync(sleeps))()


async def waits_for_nothing() -> None:
    await asyncio.get_running_loop().create_future()


async def starts_thread() -> None:
    threading.Thread(target=spins).start()


async def returns() -> None:
    await asyncio.sleep(0)


ROUTES: Dict[str, Callable[[], Any]] = {
    f"/{route.__name__}": route
    for route in (
        sleeps,
        computes,
        waits_for_function,
        one_within_the_other,
        waits_for_nothing,
        starts_thread,
        returns,
    )
}


def application(environ: Dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    async_to_sync(ROUTES[environ["PATH_INFO"]])()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]
