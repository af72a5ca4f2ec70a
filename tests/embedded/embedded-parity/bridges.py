"""Goes from synchronous code to asynchronous and back, by asyncio and by asgiref; prints what was
seen, as one line of JSON.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
from typing import Any, Callable, Dict, List

from asgiref.local import Local
from asgiref.sync import ThreadSensitiveContext, async_to_sync, sync_to_async

CASES: Dict[str, Callable[[], Any]] = {}


def case(function: Callable[[], Any]) -> Callable[[], Any]:
    CASES[function.__name__] = function
    return function


def loop_that_runs() -> str:
    """What code sees that asks for it, as Django does before a query."""
    try:
        asyncio.get_running_loop()
        return "a loop"
    except RuntimeError:
        return "none"


async def soon(value: Any) -> Any:
    await asyncio.sleep(0.001)
    return value


async def numbers() -> Any:
    for number in range(3):
        yield await soon(number)


async def collect() -> List[int]:
    return [number async for number in numbers()]


@case
def a_coroutine_and_a_function_in_it() -> Any:
    async def view() -> Any:
        inside = loop_that_runs()
        return [
            await soon("first"),
            inside,
            await sync_to_async(loop_that_runs)(),
            await sync_to_async(loop_that_runs, thread_sensitive=False)(),
        ]

    return async_to_sync(view)()


@case
def to_thread_and_executors() -> Any:
    async def main() -> Any:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        seen = await asyncio.gather(
            asyncio.to_thread(loop_that_runs),
            loop.run_in_executor(None, loop_that_runs),
            loop.run_in_executor(None, lambda: asyncio.run(collect())),
        )
        return [seen, asyncio.current_task() is task, asyncio.get_running_loop() is loop]

    return asyncio.run(main())


@case
def one_within_the_other_six_times() -> Any:
    async def deeper(depth: int) -> Any:
        task = asyncio.current_task()
        inner = await sync_to_async(lambda: async_to_sync(deeper)(depth - 1))() if depth else []
        return [await soon(depth), asyncio.current_task() is task, *inner]

    return async_to_sync(deeper)(6)


@case
def the_loop_goes_on_for_other_tasks() -> Any:
    async def main() -> Any:
        lock = asyncio.Lock()
        order: List[int] = []

        async def inner(number: int) -> int:
            async with lock:
                order.append(await soon(number))
            return number

        async def outer(number: int) -> int:
            async with lock:
                await soon(number)
            return int(await sync_to_async(async_to_sync(inner))(number))

        seen = await asyncio.gather(*(outer(number) for number in range(8)))
        return [seen, sorted(order)]

    return [async_to_sync(main)(), asyncio.run(main())]


@case
def callbacks_of_the_callers_round() -> Any:
    async def main() -> Any:
        ran: List[str] = []
        task = asyncio.ensure_future(sync_to_async(async_to_sync(soon))("the result"))
        for name in "abc":
            asyncio.get_running_loop().call_soon(ran.append, name)
        return [await task, ran]

    return async_to_sync(main)()


@case
def errors() -> Any:
    def fails() -> None:
        raise ValueError("of a function")

    async def view() -> None:
        try:
            await sync_to_async(fails)()
        except ValueError as error:
            raise LookupError("of a coroutine") from error

    async def wrong() -> None:
        async_to_sync(soon)(1)

    seen = []
    for call in (async_to_sync(view), async_to_sync(wrong), lambda: async_to_sync(view)()):
        try:
            seen.append(call())
        except Exception as error:
            seen.append([type(error).__name__, str(error), type(error.__cause__).__name__])
    return seen


@case
def a_time_out() -> Any:
    async def view() -> str:
        cleaned = []

        async def forever() -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                cleaned.append("cleaned up")

        try:
            await asyncio.wait_for(forever(), 0.01)
        except asyncio.TimeoutError:
            return f"{cleaned}"
        return "it came to an end"

    return async_to_sync(view)()


@case
def context_variables() -> Any:
    variable = contextvars.ContextVar("variable", default="unset")

    async def view() -> str:
        variable.set("of the coroutine")
        await sync_to_async(lambda: variable.set(variable.get() + ", of the function"))()
        kept = variable.get()
        await asyncio.get_running_loop().run_in_executor(None, variable.set, "of a thread")
        return f"{kept} {variable.get()}"

    return [async_to_sync(view)(), variable.get()]


@case
def locals_of_asgiref() -> Any:
    plain, critical = Local(), Local(thread_critical=True)
    plain.value = critical.value = 1

    def add() -> None:
        plain.value += 1
        critical.value += 1

    async def view() -> bool:
        await sync_to_async(add)()
        return hasattr(plain, "value")

    return [async_to_sync(view)(), plain.value, critical.value]


@case
def a_context_of_a_thread_of_its_own() -> Any:
    async def main() -> str:
        async with ThreadSensitiveContext():
            return str(await sync_to_async(loop_that_runs)())

    return asyncio.run(main())


@case
def an_asynchronous_generator() -> Any:
    return async_to_sync(collect)()


@case
def a_loop_of_the_callers() -> Any:
    async def view() -> Any:
        return await sync_to_async(loop_that_runs)()

    loop = asyncio.new_event_loop()
    try:
        seen = [loop.run_until_complete(view()), async_to_sync(view)()]
    finally:
        loop.close()
    return [*seen, async_to_sync(view)()]


if __name__ == "__main__":
    seen = {}
    for name, run in CASES.items():
        try:
            seen[name] = run()
        except Exception as error:
            seen[name] = f"{type(error).__name__}: {error}"
    print(json.dumps(seen))
