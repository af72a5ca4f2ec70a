from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import unittest
from typing import List, Optional

_SOURCES = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

_SHOW = """
import os
from monoceros.scheduling import schedule_as_batch
schedule_as_batch()
print(os.sched_getscheduler(0))
"""

_SHOW_THREAD = """
import os, threading
from monoceros.scheduling import schedule_as_batch, schedule_thread_as_usual
schedule_as_batch()
def run():
    schedule_thread_as_usual()
    print(os.sched_getscheduler(0), end=" ")
thread = threading.Thread(target=run)
thread.start()
thread.join()
print(os.sched_getscheduler(0))
"""

#: Ends the process at sched_setscheduler(2), as a service's filter may; or has the call refused.
_FILTER = """
import ctypes, struct
def refuse(action):
    LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
    code = b"".join(struct.pack("HBBI", *one) for one in (
        (LOAD, 0, 0, 0), (EQUAL, 0, 1, 144), (RETURN, 0, 0, action), (RETURN, 0, 0, 0x7FFF0000)))
    code = ctypes.create_string_buffer(code)
    program = struct.pack("HxxxxxxP", 4, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # no new privileges
    assert libc.prctl(22, 2, ctypes.create_string_buffer(program), 0, 0) == 0  # seccomp
"""


def _policy(before: str = "", folder: Optional[str] = None) -> int:
    return int(_output(before + _SHOW, folder))


def _policies(before: str = "") -> List[int]:
    """Of a thread that is to be as usual, and of the process."""
    return [int(policy) for policy in _output(before + _SHOW_THREAD).split()]


def _output(program: str, folder: Optional[str] = None) -> str:
    return subprocess.run(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": _SOURCES},
    ).stdout


@unittest.skipUnless(sys.platform == "linux", "needs sched_setscheduler")
class Scheduling(unittest.TestCase):
    def test_a_worker_is_batch(self) -> None:
        self.assertEqual(_policy(), os.SCHED_BATCH)

    def test_a_thread_of_it_need_not_be(self) -> None:
        self.assertEqual(_policies(), [os.SCHED_OTHER, os.SCHED_BATCH])

    def test_a_policy_that_was_chosen_stays(self) -> None:
        for policy in (os.SCHED_IDLE, os.SCHED_BATCH):
            chosen = f"import os; os.sched_setscheduler(0, {policy}, os.sched_param(0))\n"
            self.assertEqual(_policy(chosen), policy)
            self.assertEqual(_policies(chosen), [policy, policy])

    @unittest.skipUnless(platform.machine() == "x86_64", "the number of the call is x86-64's")
    def test_a_filter_that_ends_the_process_or_refuses_the_call_does_no_harm(self) -> None:
        # SECCOMP_RET_KILL_PROCESS, and SECCOMP_RET_ERRNO with EPERM
        for action in (0x80000000, 0x00050001):
            with self.subTest(action=hex(action)):
                self.assertEqual(_policy(_FILTER + f"refuse({action:#x})\n"), os.SCHED_OTHER)

    @unittest.skipUnless(platform.machine() == "x86_64", "the number of the call is x86-64's")
    def test_the_child_that_a_filter_ends_leaves_no_core(self) -> None:
        ends = (
            "import os, resource\n"
            "_, most = resource.getrlimit(resource.RLIMIT_CORE)\n"
            "resource.setrlimit(resource.RLIMIT_CORE, (most, most))\n"
            "wait = os.waitpid\n"
            "def waitpid(*arguments):\n"
            "    pid, status = wait(*arguments)\n"
            "    assert os.WIFSIGNALED(status) and not os.WCOREDUMP(status), status\n"
            "    return pid, status\n"
            "os.waitpid = waitpid\n"
        )
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(
                _policy(_FILTER + ends + "refuse(0x80000000)\n", folder), os.SCHED_OTHER
            )
            self.assertEqual(os.listdir(folder), [])

    @unittest.skipUnless(platform.machine() == "x86_64", "the number of the call is x86-64's")
    def test_a_filter_that_allows_it_is_no_obstacle(self) -> None:
        self.assertEqual(_policy(_FILTER + "refuse(0x7FFF0000)\n"), os.SCHED_BATCH)
