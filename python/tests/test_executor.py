"""Thread pools of one thread, that of the caller: on the embedded interpreter, and here put in the
place of the true ones.
"""

from __future__ import annotations

import asyncio
import unittest
from concurrent.futures import ThreadPoolExecutor, as_completed
from concurrent.futures.thread import BrokenThreadPool
from contextvars import ContextVar
from typing import Any, List

from monoceros_pyodide import executor

variable: ContextVar[str] = ContextVar("variable", default="untouched")


class OutOfTime(BaseException):
    pass


class Executors(unittest.TestCase):
    def setUp(self) -> None:
        pool: Any = ThreadPoolExecutor
        for name in ("__init__", "submit"):
            self.addCleanup(setattr, pool, name, getattr(pool, name))
        executor.install()

    def test_what_is_submitted_has_run(self) -> None:
        done: List[int] = []
        with ThreadPoolExecutor(max_workers=4, thread_name_prefix="compress") as pool:
            futures = [pool.submit(lambda n: done.append(n) or n * n, n) for n in range(5)]
            self.assertEqual(done, [0, 1, 2, 3, 4])
            self.assertEqual(
                sorted(future.result() for future in as_completed(futures)), [0, 1, 4, 9, 16]
            )
            self.assertEqual(list(pool.map(str, range(3))), ["0", "1", "2"])

    def test_errors_are_the_futures(self) -> None:
        future = ThreadPoolExecutor().submit(int, "x")
        self.assertIsInstance(future.exception(), ValueError)
        with self.assertRaisesRegex(ValueError, "invalid literal"):
            future.result()

    def test_the_end_of_a_time_out_goes_on_to_the_application(self) -> None:
        def run_out() -> None:
            raise OutOfTime

        with self.assertRaises(OutOfTime):
            ThreadPoolExecutor().submit(run_out)

    def test_nothing_is_taken_after_shutdown(self) -> None:
        pool = ThreadPoolExecutor()
        pool.shutdown()
        with self.assertRaisesRegex(RuntimeError, "after shutdown"):
            pool.submit(print)

    def test_an_initializer_runs_once(self) -> None:
        calls: List[str] = []
        with ThreadPoolExecutor(2, initializer=calls.append, initargs=("made",)) as pool:
            self.assertEqual(calls, [])
            list(pool.map(abs, range(3)))
        self.assertEqual(calls, ["made"])

    def test_a_failing_initializer_breaks_the_pool(self) -> None:
        pool = ThreadPoolExecutor(initializer=int, initargs=("x",))
        for _ in range(2):
            with self.assertRaises(BrokenThreadPool):
                pool.submit(print)

    def test_a_task_sees_no_loop_and_leaves_the_callers_variables(self) -> None:
        async def answer() -> int:
            return 42

        def task() -> int:
            variable.set("of the task")
            return asyncio.run(answer())

        async def main() -> List[Any]:
            value = ThreadPoolExecutor().submit(task).result()
            return [value, variable.get(), asyncio.get_running_loop() is not None]

        self.assertEqual(asyncio.run(main()), [42, "untouched", True])


if __name__ == "__main__":
    unittest.main()
