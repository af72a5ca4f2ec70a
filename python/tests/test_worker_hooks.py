"""The hooks of a configuration that run in a worker: a real worker process, with frames."""

from __future__ import annotations

import json
import os
import signal
import textwrap
import unittest
from typing import Any, Dict, List, Tuple

from monoceros import exit_status, frames

from .acceptor import Acceptor, wait_until

APPLICATION = """
    import sys, time
    import note

    def app(environ, start_response):
        note.add("application", environ["PATH_INFO"], environ.get("HTTP_X_BUSY"),
                 environ["wsgi.url_scheme"])
        if environ["PATH_INFO"] == "/raise":
            raise ValueError("no")
        if environ["PATH_INFO"] == "/hang":
            time.sleep(60)
        start_response("201 Created", [("Content-Type", "text/plain"), ("X-A", "b")])
        return [b"hello ", b"world"] if environ["PATH_INFO"] != "/parts" else iter([b"a", b"bc"])
"""

NOTE = """
    import json, os
    def add(*parts):
        with open(os.path.join(os.path.dirname(__file__), "notes"), "a") as file:
            file.write(json.dumps(parts) + "\\n")
"""

SETTINGS: Dict[str, Any] = {
    "bind": ["127.0.0.1:8000", "unix:/run/a.sock"],
    "workers": 3,
    "timeout": 30,
    "graceful_timeout": 1,
    "threads": 1,
    "max_requests": 0,
    "loglevel": "info",
    "proc_name": "site",
    "wsgi_app": "webapp:app",
}


class HookedAcceptor(Acceptor):
    """An acceptor whose worker has the hooks of ``configuration``."""

    def __init__(self, configuration: str, source: str = APPLICATION, **settings: Any) -> None:
        super().__init__(source, start=False, **settings)
        for name, text in (("note.py", NOTE), ("gunicorn.conf.py", configuration)):
            with open(os.path.join(self.directory, name), "w", encoding="utf-8") as file:
                file.write("import note\n" * (name != "note.py") + textwrap.dedent(text))
        self.settings["config"] = {
            "location": "gunicorn.conf.py",
            "directory": self.directory,
            "settings": SETTINGS,
            "age": 7,
            "server_pid": os.getpid(),
        }
        self.command(frames.START, json.dumps(self.settings).encode())

    def notes(self) -> List[List[Any]]:
        """What the hooks and the application have noted, in order."""
        try:
            with open(os.path.join(self.directory, "notes"), encoding="utf-8") as file:
                return [json.loads(line) for line in file]
        except FileNotFoundError:
            return []

    def ready(self) -> List[Tuple[int, str]]:
        """Waits for READY. Returns the entries of the log before it."""
        entries = []
        while True:
            frame = self.receive()
            if frame.kind == frames.LOG:
                entries.append((frame.payload[0], frame.payload[1:].decode()))
                continue
            assert frame.kind == frames.READY, frame
            return entries


class WorkerHooksTest(unittest.TestCase):
    def test_a_worker_calls_the_hooks_around_its_life_and_its_requests(self) -> None:
        with HookedAcceptor(
            """
            import os

            def post_fork(server, worker):
                parent = worker.ppid == server.pid
                note.add("post_fork", worker.pid == os.getpid(), worker.age, parent)
                server.log.info("Worker spawned (pid: %s)", worker.pid)
                server.log.debug("not at this level")

            def post_worker_init(worker):
                note.add("post_worker_init", worker.wsgi.__name__, worker.app.callable.__name__)

            def pre_request(worker, req):
                note.add("pre_request", req.method, req.path, req.query, req.uri, req.version,
                         req.headers, req.scheme, req.peer_addr, worker.nr)

            def post_request(worker, req, environ, resp):
                note.add("post_request", req.path, environ["PATH_INFO"], resp.status,
                         resp.status_code, resp.headers, resp.sent, worker.nr)

            def worker_exit(server, worker):
                note.add("worker_exit", worker.nr, worker.alive)
                server.log.warning("leaving")
            """
        ) as acceptor:
            entries = acceptor.ready()
            self.assertEqual(entries, [(20, f"Worker spawned (pid: {acceptor.process.pid})")])
            acceptor.get("/a b", RAW_URI="/a%20b?q=1", QUERY_STRING="q=1")
            acceptor.get("/parts")
            acceptor.command(frames.STOP)
            self.assertEqual(acceptor.log(), (frames.WARNING, "leaving"))
            self.assertEqual(acceptor.status(), exit_status.STOPPED)
            headers = [["HOST", "localhost"]]
            sent = [["Content-Type", "text/plain"], ["X-A", "b"]]
            peer = ["127.0.0.1", 50000]
            self.assertEqual(
                acceptor.notes(),
                [
                    ["post_fork", True, 7, True],
                    ["post_worker_init", "app", "app"],
                    ["pre_request", "GET", "/a%20b", "q=1", "/a%20b?q=1", [1, 1], headers]
                    + ["http", peer, 0],
                    ["application", "/a b", None, "http"],
                    ["post_request", "/a%20b", "/a b", "201 Created", 201, sent, 11, 1],
                    ["pre_request", "GET", "/parts", "", "/parts", [1, 1], headers]
                    + ["http", peer, 1],
                    ["application", "/parts", None, "http"],
                    ["post_request", "/parts", "/parts", "201 Created", 201, sent, 3, 2],
                    ["worker_exit", 2, False],
                ],
            )

    def test_what_a_hook_puts_on_the_worker_is_there_later(self) -> None:
        with HookedAcceptor(
            """
            import time

            def pre_request(worker, req):
                worker.start_time = time.time()

            def post_request(worker, req, *rest):
                note.add("took", time.time() - worker.start_time >= 0, len(rest),
                         hasattr(worker, "request_count"), worker.timeout, str(worker.app) != "")
            """
        ) as acceptor:
            acceptor.ready()
            acceptor.get()
            wait_until(lambda: len(acceptor.notes()) == 2, "the hook")
            self.assertEqual(acceptor.notes()[1], ["took", True, 2, False, 15, True])

    def test_a_last_hook_that_hangs_is_named(self) -> None:
        with HookedAcceptor(
            """
            import time

            def worker_exit(server, worker):
                time.sleep(60)
            """
        ) as acceptor:
            acceptor.ready()
            acceptor.command(frames.STOP)
            text = "The hook worker_exit has not returned for 0.5 s [MONO5502]"
            self.assertEqual(acceptor.log(), (frames.WARNING, text))

    def test_post_request_is_called_once_for_a_client_that_has_left(self) -> None:
        with HookedAcceptor(
            """
            def post_request(worker, req, environ, resp):
                note.add("post_request", resp.status, resp.headers_sent, resp.sent)
            """,
            """
            def app(environ, start_response):
                start_response("200 OK", [])
                while True:
                    yield b"x" * 1000
            """,
            window=5000,
        ) as acceptor:
            acceptor.ready()
            stream = acceptor.request()
            acceptor.frame_of(stream, frames.SUSPENDED)
            acceptor.send(frames.CANCEL, stream)
            wait_until(lambda: len(acceptor.notes()) == 1, "the hook")
            self.assertEqual(acceptor.notes()[0][:3], ["post_request", "200 OK", True])
            self.assertEqual(acceptor.stop(), exit_status.STOPPED)
            self.assertEqual(len(acceptor.notes()), 1)

    def test_threads_have_the_hooks_too(self) -> None:
        with HookedAcceptor(
            """
            def post_request(worker, req):
                note.add("post_request", req.path)
            """,
            threads=3,
        ) as acceptor:
            acceptor.ready()
            for _ in range(4):
                acceptor.get("/x")
            acceptor.command(frames.STOP)
            acceptor.status()
            notes = [note for note in acceptor.notes() if note[0] == "post_request"]
            self.assertEqual(notes, [["post_request", "/x"]] * 4)

    def test_a_pre_request_changes_what_the_application_sees(self) -> None:
        with HookedAcceptor(
            """
            def pre_request(worker, req):
                req.scheme = "https"
                req.headers.append(("x-busy", "3"))
            """
        ) as acceptor:
            acceptor.ready()
            acceptor.get()
            self.assertEqual(acceptor.notes(), [["application", "/", "3", "https"]])

    def test_a_request_hook_that_raises_costs_that_request_only(self) -> None:
        with HookedAcceptor(
            """
            def pre_request(worker, req):
                if req.path == "/bad":
                    raise RuntimeError("not this one")

            def post_request(worker, req, environ, resp):
                note.add("post_request", environ, resp is None)
                if req.path == "/late":
                    raise RuntimeError("too late")
            """
        ) as acceptor:
            acceptor.ready()
            failure = acceptor.get("/bad").failure or ""
            self.assertIn("RuntimeError: not this one", failure)
            self.assertNotIn("hooked_exchange", failure)
            wait_until(lambda: acceptor.notes() == [["post_request", {}, True]], "the hook")
            self.assertEqual(acceptor.get("/x").status, "201 Created")

    def test_a_post_request_that_raises_is_logged(self) -> None:
        with HookedAcceptor(
            """
            def post_request(worker, req, environ, resp):
                raise RuntimeError("too late")
            """
        ) as acceptor:
            acceptor.ready()
            self.assertEqual(acceptor.get().status, "201 Created")
            level, text = acceptor.log()
            self.assertEqual(level, frames.ERROR)
            self.assertIn("GET /: post_request raised", text)
            self.assertIn("RuntimeError: too late", text)

    def test_a_hook_that_raises_before_the_worker_serves_fails_its_start(self) -> None:
        for hook in ("def post_fork(server, worker)", "def post_worker_init(worker)"):
            name = hook[4:].partition("(")[0]
            with (
                self.subTest(name),
                HookedAcceptor(
                    f"""
                {hook}:
                    undefined()

                def worker_exit(server, worker):
                    note.add("worker_exit")
                """
                ) as acceptor,
            ):
                frame = acceptor.receive()
                self.assertEqual(frame.kind, frames.FAIL)
                text = frame.payload.decode()
                self.assertTrue(
                    text.startswith(f"The hook {name} raised [MONO5501]\nTraceback"), text
                )
                self.assertIn("gunicorn.conf.py", text)
                self.assertEqual(acceptor.status(), exit_status.NOT_LOADED)
                self.assertEqual(acceptor.notes(), [["worker_exit"]])

    def test_an_attribute_that_is_not_there_comes_with_a_hint(self) -> None:
        with HookedAcceptor(
            """
            def post_fork(server, worker):
                for get in (lambda: server.LISTENERS, lambda: worker.wsgi, lambda: worker.nope,
                            lambda: worker.log.fatal, lambda: worker.cfg.worker):
                    try:
                        get()
                    except AttributeError as error:
                        note.add(str(error))
                note.add(server.cfg.workers, server.app.cfg.bind, server.address, server.timeout,
                         worker.cfg.proc_name, server.cfg.settings["bind"].get(), str(worker))
            """
        ) as acceptor:
            acceptor.ready()
            listeners, wsgi, nope, log, cfg, values = acceptor.notes()
            self.assertIn("use server.address", listeners[0])
            self.assertIn("post_worker_init", wsgi[0])
            self.assertIn("it has aborted, age, alive", nope[0])
            self.assertIn("info, warning", log[0])
            self.assertIn("did you mean workers", cfg[0])
            bind = SETTINGS["bind"]
            address = [["127.0.0.1", 8000], "/run/a.sock"]
            pid = acceptor.process.pid
            self.assertEqual(values, [3, bind, address, 30, "site", bind, f"<Worker {pid}>"])

    def test_the_abort_hook_runs_above_the_stack_of_the_application(self) -> None:
        for threads in (1, 2):
            with (
                self.subTest(threads),
                HookedAcceptor(
                    """
                import sys, traceback

                def worker_abort(worker):
                    stacks = [traceback.format_stack(frame)
                              for frame in sys._current_frames().values()]
                    note.add("worker_abort", any("time.sleep(60)" in line
                                                 for stack in stacks for line in stack))
                    worker.log.error("aborted")

                def worker_exit(server, worker):
                    note.add("worker_exit", worker.aborted)
                """,
                    threads=threads,
                ) as acceptor,
            ):
                acceptor.ready()
                acceptor.request("/hang")
                wait_until(lambda: len(acceptor.notes()) == 1, "the request")
                os.kill(acceptor.process.pid, signal.SIGABRT)
                self.assertEqual(acceptor.status(), -signal.SIGABRT)
                self.assertEqual(
                    acceptor.notes()[1:], [["worker_abort", True], ["worker_exit", True]]
                )
                self.assertEqual(acceptor.log(), (frames.ERROR, "aborted"))
                self.assertIn("webapp.py", acceptor.stderr())

    def test_the_interrupt_hook_runs_once_and_the_worker_serves_on(self) -> None:
        with HookedAcceptor(
            """
            def worker_int(worker):
                note.add("worker_int")
                worker.log.info("interrupted")
            """
        ) as acceptor:
            acceptor.ready()
            os.kill(acceptor.process.pid, signal.SIGINT)
            self.assertEqual(acceptor.log(), (frames.INFO, "interrupted"))
            os.kill(acceptor.process.pid, signal.SIGQUIT)
            self.assertEqual(acceptor.get().status, "201 Created")
            self.assertEqual([note[0] for note in acceptor.notes()], ["worker_int", "application"])

    def test_a_configuration_that_cannot_be_read_is_shown_with_its_traceback(self) -> None:
        with HookedAcceptor("import no_such_module\n") as acceptor:
            text = acceptor.receive().payload.decode()
            self.assertIn("gunicorn.conf.py could not be read [MONO1106]\nTraceback", text)
            self.assertIn("No module named 'no_such_module'", text)


if __name__ == "__main__":
    unittest.main()
