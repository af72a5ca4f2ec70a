"""Tests for monoceros/preload.py: a real preload parent, and the workers that it forks."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import types
import unittest
from typing import Any, Dict, List, Optional, Tuple
from unittest import mock

from monoceros import frames
from monoceros.forked import settle_after_fork
from monoceros.thread_starts import ThreadStarts

from .acceptor import (
    PATIENCE,
    Acceptor,
    Received,
    assemble,
    ends,
    make_environ,
    request_payload,
    wait_until,
)

APPLICATION = """
    import os, signal, sys
    CHANGED = []
    def note(number, frame):
        CHANGED.append(number)
    signal.signal(signal.SIGCHLD, note)
    print("loaded once")
    sys.stdout.write("unfinished")

    def app(environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/exit":
            os._exit(7)
        kept = signal.getsignal(signal.SIGCHLD) is note
        text = repr((os.getpid(), os.getppid(), kept, environ["wsgi.multiprocess"]))
        start_response("200 OK", [])
        return [text.encode()]
"""


class Forked:
    """A worker that a parent has forked, as its acceptor sees it."""

    def __init__(self, parent: Acceptor, number: int) -> None:
        self._parent = parent
        self._number = number
        self._buffer = b""
        path = os.path.join(parent.directory, f"socket-{number}")
        self.ledger = os.path.join(parent.directory, f"ledger-{number}")
        with open(self.ledger, "wb") as file:
            file.write(b"\0" * 4096)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(4)
            listener.settimeout(PATIENCE)
            request = json.dumps({"socket": path, "ledger": self.ledger}).encode()
            parent.command(frames.FORK, request, number)
            self._ends = [listener.accept()[0] for _ in range(4)]
        for end in self._ends:
            end.settimeout(PATIENCE)
        self.data, self.control, self.output, self.errors = self._ends
        payload = parent.frame_of(number, frames.FORKED).payload
        self.pid = int(json.loads(payload)["pid"])

    def close(self) -> None:
        """Closes all connections."""
        for end in self._ends:
            end.close()

    def start(self, **settings: Any) -> Received:
        """Sends START; the answer."""
        payload = json.dumps({**self._parent.settings, **settings}).encode()
        self.control.sendall(frames.pack(frames.START, 0, 0, payload))
        return self.receive()

    def receive(self) -> Received:
        """Its next frame."""
        while True:
            if len(self._buffer) >= frames.HEADER_SIZE:
                length, kind, flags, _, stream = frames.unpack_header(self._buffer)
                end = frames.HEADER_SIZE + length
                if len(self._buffer) >= end:
                    payload = self._buffer[frames.HEADER_SIZE : end]
                    self._buffer = self._buffer[end:]
                    return Received(kind, flags, stream, payload)
            more = self.data.recv(65536)
            if not more:
                raise EOFError("the worker has closed the data channel")
            self._buffer += more

    def request(self, stream: int, path: str = "/") -> None:
        """Sends a request."""
        payload = request_payload(make_environ(PATH_INFO=path))
        self.data.sendall(frames.pack(frames.REQUEST, 0, stream, payload))

    def get(self, stream: int) -> Tuple[int, int, bool, bool]:
        """The process, its parent, whether the application's handler of SIGCHLD is there, and
        ``wsgi.multiprocess``."""
        self.request(stream)
        received: List[Received] = []
        while not received or not ends(received[-1]):
            received.append(self.receive())
        pid, parent, kept, multiprocess = eval(assemble(received).body)
        return pid, parent, kept, multiprocess

    def ended(self) -> Dict[str, int]:
        """How it ended, by its parent."""
        how: Dict[str, int] = json.loads(self._parent.frame_of(self._number, frames.ENDED).payload)
        return how


class TestPreloadParent(unittest.TestCase):
    """A parent and its workers."""

    def parent(self, source: str = APPLICATION, **settings: Any) -> Acceptor:
        """A parent that has loaded the application."""
        parent = Acceptor(source, preload=True, **settings)
        self.addCleanup(parent.close)
        return parent

    def fork(self, parent: Acceptor, number: int) -> Forked:
        """A worker of it."""
        worker = Forked(parent, number)
        self.addCleanup(worker.close)
        return worker

    def test_forks_workers_that_serve(self) -> None:
        parent = self.parent()
        self.assertEqual(parent.first.kind, frames.READY)
        pid = json.loads(parent.first.payload)["pid"]
        workers = [self.fork(parent, number) for number in (1, 2)]
        for worker in workers:
            ready = worker.start(multiprocess=worker is workers[0])
            self.assertEqual(ready.kind, frames.READY)
            self.assertEqual(json.loads(ready.payload)["pid"], worker.pid)
            self.assertIn(parent.path("webapp.py"), json.loads(ready.payload)["files"])
        # Each has what its own START says.
        self.assertEqual(workers[0].get(1), (workers[0].pid, pid, True, True))
        self.assertEqual(workers[1].get(1), (workers[1].pid, pid, True, False))
        self.assertEqual(parent.stdout(), "loaded once\nunfinished")
        with open(workers[0].ledger, "rb") as file:
            self.assertEqual(file.read(4), b"\x01\0\0\0")

    def test_reports_how_workers_end(self) -> None:
        parent = self.parent()
        killed, exits, told = (self.fork(parent, number) for number in (5, 6, 7))
        for worker in (killed, exits, told):
            worker.start()
        os.kill(killed.pid, signal.SIGKILL)
        self.assertEqual(killed.ended(), {"signal": signal.SIGKILL})
        exits.request(1, "/exit")
        self.assertEqual(exits.ended(), {"status": 7})
        told.control.sendall(frames.pack(frames.STOP, 0, 0))
        self.assertEqual(told.ended(), {"status": 0})
        # The application's output is the worker's own.
        self.assertEqual(killed.output.recv(100), b"")

    def test_leaves_after_its_last_worker(self) -> None:
        parent = self.parent()
        worker = self.fork(parent, 1)
        worker.start()
        parent.command(frames.STOP)
        self.assertEqual(worker.get(1)[0], worker.pid)
        self.assertIsNone(parent.process.poll())
        worker.control.sendall(frames.pack(frames.STOP, 0, 0))
        self.assertEqual(parent.status(), 0)

    def test_all_leave_when_the_acceptor_is_gone(self) -> None:
        parent = self.parent()
        worker = self.fork(parent, 1)
        worker.start()
        parent.control.close()
        parent.data.close()
        self.assertEqual(parent.status(), 1)
        # The worker has channels of its own: its parent's end does not end it.
        self.assertEqual(worker.get(1)[0], worker.pid)
        worker.close()
        wait_until(lambda: not _runs(worker.pid), "the end of the worker")

    def test_a_worker_that_cannot_be_forked_is_reported(self) -> None:
        parent = self.parent()
        request = json.dumps({"socket": "/nowhere/at/all", "ledger": "/nowhere"}).encode()
        parent.command(frames.FORK, request, 3)
        failure = parent.frame_of(3, frames.FAIL).payload.decode()
        self.assertEqual(failure, "the preload parent cannot fork: No such file or directory")
        worker = self.fork(parent, 4)
        self.assertEqual(worker.start().kind, frames.READY)

    def test_an_application_that_cannot_be_loaded_is_reported(self) -> None:
        parent = self.parent("raise ValueError('on purpose')")
        self.assertEqual(parent.first.kind, frames.FAIL)
        text = parent.first.payload.decode()
        self.assertIn("ValueError: on purpose", text)
        self.assertNotIn("preload.py", text)
        self.assertEqual(parent.status(), 3)

    def test_tells_where_it_is_while_it_loads(self) -> None:
        source = """
            import os, time
            HERE = os.path.dirname(os.path.abspath(__file__))
            with open(os.path.join(HERE, "loading"), "w") as file:
                file.write("yes")
            while not os.path.exists(os.path.join(HERE, "go")):
                time.sleep(0.01)
            def app(environ, start_response):
                pass
        """
        parent = Acceptor(source, preload=True, start=False)
        self.addCleanup(parent.close)
        parent.command(frames.START, json.dumps(parent.settings).encode())
        parent.await_file("loading")
        parent.command(frames.GET_STACKS)
        stacks = parent.receive()
        self.assertEqual(stacks.kind, frames.STACKS)
        self.assertIn('webapp.py", line', stacks.payload.decode())
        parent.touch("go")
        self.assertEqual(parent.receive().kind, frames.READY)

    def test_warns_of_threads(self) -> None:
        source = """
            import threading, warnings
            warnings.simplefilter("error")
            threading.Thread(target=threading.Event().wait, name="beat", daemon=True).start()
            def app(environ, start_response):
                start_response("200 OK", [])
                return [repr((0, 0, threading.active_count(), 0)).encode()]
        """
        parent = self.parent(source)
        level, text = parent.log()
        self.assertEqual(level, frames.WARNING)
        self.assertIn("'beat', started at ", text)
        self.assertIn("webapp.py, line 4, in <module>", text)
        worker = self.fork(parent, 1)
        worker.start()
        # The main thread and that of the control channel.
        self.assertEqual(worker.get(1)[2], 2)

    def test_what_a_logging_configuration_says_of_a_logger_stays_in_the_workers(self) -> None:
        source = """
            import logging
            log = logging.getLogger("gunicorn.error")
            def app(environ, start_response):
                log.error("into the file")
                start_response("200 OK", [])
                return [repr((len(log.handlers), log.level, log.propagate, 0)).encode()]
        """
        dictionary = {
            "handlers": {"file": {"class": "logging.FileHandler", "filename": "app.log"}},
            "loggers": {"gunicorn.error": {"level": "ERROR", "handlers": ["file"]}},
            "root": {},
        }
        parent = self.parent(source, logging={"level": "info", "dict": dictionary})
        worker = self.fork(parent, 1)
        self.assertEqual(worker.start().kind, frames.READY)
        self.assertEqual(worker.get(1), (1, 40, False, 0))
        self.assertEqual(parent.await_file("app.log"), "into the file\n")

    def test_a_frame_that_is_not_for_it_ends_it(self) -> None:
        for kind, payload, stream in (
            (frames.RECALL, b"", 0),
            (frames.FORK, b"not JSON", 1),
            (frames.FORK, b"{}", 1),
        ):
            parent = self.parent()
            parent.command(kind, payload, stream)
            self.assertEqual(parent.status(), 4)
            self.assertRegex(
                parent.stderr(), r"monoceros preload parent: the acceptor sent .* \[MONO5011\]\n"
            )


class TestForked(unittest.TestCase):
    """What a forked process does first."""

    def test_numpy_is_seeded(self) -> None:
        random = types.ModuleType("numpy.random")
        random.seed = mock.Mock()  # type: ignore[attr-defined]
        with mock.patch.dict(sys.modules, {"numpy.random": random}):
            settle_after_fork()
        random.seed.assert_called_once_with()  # type: ignore[attr-defined]

    def test_the_children_of_multiprocessing_are_not_its_own(self) -> None:
        process = types.ModuleType("multiprocessing.process")
        process._children = {object()}  # type: ignore[attr-defined]
        with mock.patch.dict(sys.modules, {"multiprocessing.process": process}):
            settle_after_fork()
        self.assertEqual(process._children, set())  # type: ignore[attr-defined]

    def test_gevent_learns_of_it(self) -> None:
        gevent = types.ModuleType("gevent")
        gevent.reinit = mock.Mock()  # type: ignore[attr-defined]
        with mock.patch.dict(sys.modules, {"gevent": gevent}):
            settle_after_fork()
        gevent.reinit.assert_called_once_with()  # type: ignore[attr-defined]


class TestThreadStarts(unittest.TestCase):
    """The warning about threads."""

    def start(self, name: str, go: threading.Event) -> threading.Thread:
        """Starts a thread that waits."""
        thread = threading.Thread(target=go.wait, name=name, daemon=True)
        thread.start()
        return thread

    def test_only_those_that_run_are_named(self) -> None:
        ended, runs = threading.Event(), threading.Event()
        self.addCleanup(runs.set)
        original = threading.Thread.start
        with ThreadStarts() as starts:
            short = self.start("short", ended)
            self.start("long", runs)
        self.assertIs(threading.Thread.start, original)
        ended.set()
        short.join()
        text: Optional[str] = starts.warning()
        assert text is not None
        self.assertIn("'long', started at", text)
        self.assertIn("test_preload.py", text)
        self.assertNotIn("short", text)

    def test_there_is_none_without_threads(self) -> None:
        with ThreadStarts() as starts:
            pass
        with mock.patch("threading.enumerate", return_value=[threading.current_thread()]):
            self.assertIsNone(starts.warning())

    def test_a_method_that_the_application_has_put_in_front_stays(self) -> None:
        original = threading.Thread.start
        self.addCleanup(setattr, threading.Thread, "start", original)

        with ThreadStarts():
            ours = threading.Thread.start

            def theirs(thread: threading.Thread) -> None:
                ours(thread)

            threading.Thread.start = theirs  # type: ignore[method-assign]
        self.assertIs(threading.Thread.start, theirs)


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    unittest.main()
