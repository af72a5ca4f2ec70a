"""The hooks that run in the config host: a real host process, with its messages."""

from __future__ import annotations

import gc
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import unittest
import weakref
from typing import Any, Dict, List

from monoceros.config_host import _ConfigHost
from monoceros.configuration import Configuration
from monoceros.server_hooks import ServerHooks

HOST = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "monoceros-config")

SETTINGS = {"workers": 2, "timeout": 30, "loglevel": "info", "bind": ["127.0.0.1:8000"]}
SERVER = {"pid": 4711, "num_workers": 2}


class Host:
    """A config host, and the directory with its configuration."""

    def __init__(self, configuration: str) -> None:
        self.directory = tempfile.mkdtemp(prefix="monoceros-test-")
        self.rewrite(configuration)
        ours, theirs = socket.socketpair()
        self._channel = ours.makefile("rwb", buffering=0)
        ours.close()
        number = theirs.fileno()

        def place() -> None:
            os.dup2(number, 3)

        self._process = subprocess.Popen(
            [sys.executable, HOST, "gunicorn.conf.py"],
            stdout=subprocess.DEVNULL,
            preexec_fn=place,
            pass_fds=(3, number),
            cwd=self.directory,
        )
        theirs.close()
        self.entries: List[Dict[str, Any]] = []

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *error: object) -> None:
        self._channel.close()
        self._process.wait(60)
        shutil.rmtree(self.directory)

    def rewrite(self, configuration: str) -> None:
        path = os.path.join(self.directory, "gunicorn.conf.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(configuration))

    def send(self, **message: Any) -> None:
        self._channel.write(json.dumps(message).encode() + b"\n")

    def answer(self) -> Dict[str, Any]:
        """The next answer; entries of the log before it are set aside."""
        while True:
            answer: Dict[str, Any] = json.loads(self._channel.readline())
            if "log" not in answer:
                return answer
            self.entries.append(answer["log"])

    def read(self, **environ: str) -> int:
        """Reads the configuration, and makes it ready; its number."""
        self.send(read="gunicorn.conf.py", names=["workers"], cwd=self.directory)
        answer = self.answer()
        number: int = answer["number"]
        settled = {"directory": self.directory, "environ": environ, "settings": SETTINGS}
        self.send(settle=settled, of=number)
        return number

    def call(self, hook: str, number: int, **args: Any) -> Dict[str, Any]:
        self.send(call=hook, args={"server": SERVER, **args}, of=number)
        return self.answer()

    def texts(self) -> List[str]:
        return [entry["text"] for entry in self.entries]


class ServerHooksTest(unittest.TestCase):
    def test_a_worker_is_the_same_object_from_pre_fork_to_child_exit(self) -> None:
        with Host(
            """
            def pre_fork(server, worker):
                worker.note = f"{worker.age} {worker.pid} {server.worker_age}"

            def child_exit(server, worker):
                server.log.info("%s %s %s %s %s", worker.note, worker.pid, worker.exitcode,
                                worker.aborted, sorted(server.WORKERS))
            """
        ) as host:
            number = host.read()
            self.assertEqual(host.call("pre_fork", number, worker={"age": 1}), {})
            host.send(tell={"started": {"age": 1, "pid": 11}})
            host.send(tell={"started": {"age": 2, "pid": 12}})
            ended = {"pid": 11, "exitcode": -9, "aborted": True}
            self.assertEqual(host.call("child_exit", number, worker=ended), {})
            self.assertEqual(host.texts(), ["1 [booting] 1 11 -9 True [12]"])

    def test_what_hooks_have_put_there_stays_when_the_configuration_is_read_again(self) -> None:
        with Host(
            """
            import threading

            def on_starting(server):
                server.mark = "from the first"
                server.end = threading.Event()
                server.monitor = threading.Thread(target=server.end.wait, daemon=True)
                server.monitor.start()

            def on_reload(server):
                server.log.info("first: %s", server.mark)
            """
        ) as host:
            first = host.read(RAW="yes")
            host.call("on_starting", first)
            host.rewrite(
                """
                import os
                def on_reload(server):
                    server.log.info("second: %s, %s, %s", server.mark, os.environ.get("RAW"),
                                    server.monitor.is_alive())
                """
            )
            second = host.read()
            host.call("on_reload", second)
            # That reload has failed, so the configuration before is in force again.
            host.call("on_reload", first)
            texts = ["second: from the first, None, True", "first: from the first"]
            self.assertEqual(host.texts(), texts)

    def test_a_hook_that_raises_is_answered_with_its_traceback(self) -> None:
        with Host(
            """
            def when_ready(server):
                server.log.warning("about to raise")
                raise ValueError("no")
            """
        ) as host:
            error = host.call("when_ready", host.read())["error"]
            self.assertIn('gunicorn.conf.py", line 4, in when_ready', error)
            self.assertIn("ValueError: no", error)
            self.assertNotIn("server_hooks", error)
            self.assertEqual(host.entries, [{"level": 30, "text": "about to raise"}])

    def test_the_numbers_of_workers_are_arguments(self) -> None:
        with Host(
            """
            def nworkers_changed(server, new, old):
                server.log.info("%s %s %s %s", new, old, server.num_workers, server.pid)
            """
        ) as host:
            host.call("nworkers_changed", host.read(), new_value=2, old_value=None)
            self.assertEqual(host.texts(), ["2 None 2 4711"])


class ForgettingTest(unittest.TestCase):
    """A server may start workers for years."""

    def test_workers_that_ended_before_the_first_hook_are_forgotten(self) -> None:
        host = _ConfigHost(lambda answer: None)
        for pid in range(1, 101):
            host.obey({"tell": {"started": {"age": pid, "pid": pid}}})
            if pid != 50:
                host.obey({"tell": {"ended": {"pid": pid}}})
        self.assertEqual(host._started, {50: {"age": 50, "pid": 50}})

    def test_a_worker_that_a_hook_refuses_is_forgotten(self) -> None:
        workers: List[Any] = []

        def pre_fork(server: Any, worker: Any) -> None:
            workers.append(weakref.ref(worker))
            raise ValueError("no")

        hooks = ServerHooks(lambda level, text: None)
        hooks.use(Configuration(None, {}, {"pre_fork": pre_fork}), SETTINGS)
        with self.assertRaises(ValueError):
            hooks.call("pre_fork", {"server": SERVER, "worker": {"age": 1}})
        gc.collect()
        self.assertIsNone(workers[0]())


if __name__ == "__main__":
    unittest.main()
