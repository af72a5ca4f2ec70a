"""Threads and locks that an application's patches do not reach."""

from __future__ import annotations

import select
import threading
import unittest
from contextlib import nullcontext
from typing import Any
from unittest import mock

from monoceros import greenlets, native


class Native(unittest.TestCase):
    def test_threads_are_the_systems_whatever_threading_makes_of_them(self) -> None:
        for patched in (False, True):
            ended = native.allocate_lock()
            ended.acquire()
            seen: list[Any] = []

            def run(ended: Any = ended, seen: Any = seen) -> None:
                seen.append(threading.get_ident())
                ended.release()

            def never(*args: Any, **kwargs: Any) -> None:
                raise AssertionError("a greenlet")

            replaced = mock.patch.multiple(threading, _allocate_lock=never, Thread=never)
            with replaced if patched else nullcontext():
                self.assertEqual(native.threads_are_replaced(), patched)
                native.start_thread(run, (), "tried")
                self.assertTrue(ended.acquire(timeout=20))
            self.assertNotEqual(seen[0], threading.get_ident())

    def test_a_condition_wakes_the_one_that_waits(self) -> None:
        lock = native.allocate_lock()
        condition = native.Condition(lock)
        state: list[str] = []

        def wait() -> None:
            with lock:
                while "go" not in state:
                    condition.wait()
                state.append("gone")

        thread = threading.Thread(target=wait)
        thread.start()
        with lock:
            condition.notify()  # nobody may be waiting yet
            state.append("go")
            condition.notify()
        thread.join(20)
        self.assertEqual(state, ["go", "gone"])

    def test_there_is_nobody_to_let_run_where_select_is_the_systems(self) -> None:
        self.assertIsNone(native.cooperative_wait())

        def failing(*args: Any) -> None:
            raise SystemExit

        with mock.patch.object(select, "select", failing):
            wait = native.cooperative_wait()
            assert wait is not None
            wait((), 0)  # what it raises is the application's

    def test_without_greenlets_nothing_is_shown(self) -> None:
        with mock.patch.dict("sys.modules", {"greenlet": None}):
            self.assertFalse(greenlets.are_used())
            self.assertEqual(greenlets.describe(), "")
            greenlets.remember_current()
            greenlets.show()


if __name__ == "__main__":
    unittest.main()
