import os
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

INIT = Path(__file__).parents[1] / "monoceros-init"

# Starts a server that follows it, as an upgrade does, and ends when it is asked to.
MAIN = """
import json, os, subprocess, sys
successor = subprocess.Popen(
    ["sh", "-c", "trap 'exit 7' TERM; echo ready; for i in $(seq 600); do sleep 0.05; done"],
    env={**os.environ, "MONOCEROS_UPGRADE": json.dumps({"pid": os.getpid()})},
    stdout=subprocess.PIPE,
)
successor.stdout.readline()
print(os.getpid(), flush=True)
sys.stdin.readline()
os._exit(0)
"""


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def wait_for_state(pid: int, letter: str) -> None:
    end = time.monotonic() + 20
    while state(pid) != letter:
        if time.monotonic() > end:
            raise TimeoutError(f"process {pid} is in state {state(pid)}, not {letter}")
        time.sleep(0.01)


@unittest.skipUnless(sys.platform == "linux", "needs prctl and /proc")
class InitTest(unittest.TestCase):
    def test_a_signal_between_two_servers_reaches_the_second(self) -> None:
        init = subprocess.Popen(
            [sys.executable, str(INIT), sys.executable, "-c", MAIN],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert init.stdin is not None and init.stdout is not None
        self.addCleanup(init.communicate)
        self.addCleanup(init.kill)
        main = int(init.stdout.readline())
        # It does not notice the end of the first server before the signal comes.
        os.kill(init.pid, signal.SIGSTOP)
        wait_for_state(init.pid, "T")
        init.stdin.write(b"end\n")
        init.stdin.flush()
        wait_for_state(main, "Z")
        os.kill(init.pid, signal.SIGTERM)
        os.kill(init.pid, signal.SIGCONT)
        self.assertEqual(init.wait(20), 7)


if __name__ == "__main__":
    unittest.main()
