"""The worker whose exchanges are greenlets, as an acceptor sees it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import tempfile
import unittest
from typing import Any

from monoceros import exit_status, frames

from .acceptor import Acceptor, wait_until

SOURCE = """
    import os, socket, threading, time
    from contextvars import ContextVar
    import gevent

    os.makedirs("gates", exist_ok=True)
    variable = ContextVar("variable", default="unset")
    local = threading.local()
    closed = []

    def wait_for(name):
        while not os.path.exists(name):
            time.sleep(0.002)

    def chunks(count, size):
        try:
            for _ in range(count):
                yield b"x" * size
        finally:
            closed.append(1)
            open("closed", "a").write("closed ")

    def app(environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/late":
            wait_for("late-gate")
        start_response("200 OK", [("Content-Type", "text/plain")])
        if path == "/sleep":
            wait_for("gate")
            return [b"slept"]
        if path == "/chunks":
            return chunks(100, 65536)
        if path == "/write":
            return [environ["wsgi.input"].read()]
        if path == "/local":
            seen = getattr(local, "value", "unset") + " " + variable.get()
            local.value = "set"
            variable.set("set")
            return [seen.encode()]
        if path == "/spin":
            open("spinning", "w").write("yes")
            while not os.path.exists("gate"):
                pass
            return [b"spun"]
        if path == "/stubborn":
            open("stubborn", "w").write("yes")
            try:
                gevent.sleep(1000)
            except BaseException:
                wait_for("gate")
            return [b"stubborn"]
        if path == "/suicide":
            gevent.getcurrent().kill(block=False)
        if path == "/exit":
            gevent.spawn(exit, 3)
            time.sleep(0.01)
        if path == "/pool":
            return [gevent.get_hub().threadpool.apply(environ["wsgi.input"].read)]
        return [str(environ["wsgi.multithread"]).encode()]
"""

_HAS_GEVENT = importlib.util.find_spec("gevent") is not None


def gevent_worker(**settings: Any) -> Acceptor:
    return Acceptor(SOURCE, **{"worker_class": "gevent", "threads": 1000, **settings})


@unittest.skipUnless(_HAS_GEVENT, "gevent is not installed")
class Gevent(unittest.TestCase):
    def test_exchanges_that_wait_run_at_the_same_time(self) -> None:
        with gevent_worker() as acceptor:
            streams = [acceptor.request("/sleep") for _ in range(300)]
            wait_until(lambda: acceptor.begun() == 300, "all of them to begin")
            self.assertEqual(acceptor.get("/").body, b"True")
            acceptor.touch("gate")
            self.assertEqual({acceptor.finish(each).body for each in streams}, {b"slept"})
            self.assertEqual(acceptor.stop(), exit_status.STOPPED)

    def test_each_has_a_context_of_its_own_and_locals_if_it_waits(self) -> None:
        with gevent_worker() as acceptor:
            for expected in (b"unset unset", b"set unset"):
                self.assertEqual(acceptor.get("/local").body, expected)
            # The greenlet of a request that waits serves no other one.
            acceptor.get("/exit")
            self.assertEqual(acceptor.get("/local").body, b"unset unset")

    def test_a_greenlet_that_the_application_kills_serves_no_more(self) -> None:
        with gevent_worker() as acceptor:
            self.assertEqual(acceptor.get("/suicide").body, b"True")
            acceptor.get("/exit")
            for _ in range(3):
                self.assertEqual(acceptor.get("/").body, b"True")

    def test_a_response_waits_for_credit_and_others_go_on(self) -> None:
        with gevent_worker(window=100_000) as acceptor:
            slow = acceptor.request("/chunks")
            self.assertEqual(acceptor.frame_of(slow, frames.SUSPENDED).stream, slow)
            self.assertEqual(acceptor.get("/").body, b"True")
            acceptor.window(slow, 100 * 65536)
            rest = acceptor.finish(slow, credit=False)
            self.assertEqual(rest.frames[-1].kind, frames.END)

    def test_a_request_body_that_arrives_slowly_is_waited_for(self) -> None:
        for path in ("/write", "/pool"):
            with self.subTest(path), gevent_worker() as acceptor:
                stream = acceptor.request(path, flags=frames.BODY_STREAM)
                acceptor.frame_of(stream, frames.BODY_WINDOW)
                self.assertEqual(acceptor.get("/").body, b"True")
                acceptor.send(frames.BODY, stream, b"one ")
                acceptor.send(frames.BODY, stream, b"two", frames.LAST)
                self.assertEqual(acceptor.finish(stream).body, b"one two")

    def test_a_client_that_leaves_ends_its_response(self) -> None:
        with gevent_worker(window=100_000) as acceptor:
            slow = acceptor.request("/chunks")
            acceptor.frame_of(slow, frames.SUSPENDED)
            acceptor.command(frames.CANCEL, stream=slow)
            acceptor.send(frames.CANCEL, slow)
            self.assertEqual(acceptor.frame_of(slow, frames.END).flags, frames.BROKEN)
            self.assertEqual(acceptor.await_file("closed"), "closed ")

    def test_what_has_not_begun_is_given_back_while_a_greenlet_computes(self) -> None:
        with gevent_worker() as acceptor:
            spinning = acceptor.request("/spin")
            acceptor.await_file("spinning")
            others = [acceptor.request("/") for _ in range(3)]
            acceptor.command(frames.RECALL)
            self.assertEqual(acceptor.returned(), others)
            acceptor.touch("gate")
            self.assertEqual(acceptor.finish(spinning).body, b"spun")

    def test_a_request_that_is_late_is_raised_in_and_the_others_go_on(self) -> None:
        with gevent_worker() as acceptor:
            late = acceptor.request("/late")
            other = acceptor.request("/sleep")
            wait_until(lambda: acceptor.begun() == other, "both to begin")
            acceptor.command(frames.INTERRUPT, stream=late)
            level, text = acceptor.log(late)
            self.assertEqual(level, frames.ERROR)
            self.assertIn("GET /late: the request", text)
            self.assertIn("in wait_for", text)
            self.assertNotIn("gevent_worker.py", text)
            acceptor.frame_of(late, frames.INTERRUPTED)
            failure = acceptor.finish(late).failure or ""
            self.assertRegex(failure, "RequestTimedOut: the request ran longer than the timeout$")
            acceptor.touch("gate")
            self.assertEqual(acceptor.finish(other).body, b"slept")

    def test_the_stacks_of_waiting_greenlets_are_written_before_it_says_so(self) -> None:
        with gevent_worker() as acceptor:
            acceptor.request("/stubborn")
            # Answered when the first one waits.
            acceptor.get()
            acceptor.command(frames.PRINT_STACKS)
            acceptor.printed()
            self.assertRegex(
                acceptor.stderr(),
                r"Greenlet 0x[0-9a-f]+ \(most recent call first\):\n(  File .*\n)*"
                r"  File .* in sleep\n  File .* in app\n",
            )

    def test_a_late_request_that_catches_everything_still_runs(self) -> None:
        with gevent_worker() as acceptor:
            late = acceptor.request("/stubborn")
            acceptor.await_file("stubborn")
            acceptor.command(frames.INTERRUPT, stream=late)
            acceptor.frame_of(late, frames.INTERRUPTED)
            acceptor.touch("gate")
            self.assertEqual(acceptor.finish(late).body, b"stubborn")

    def test_the_stack_of_a_greenlet_that_computes_is_logged_without_an_answer(self) -> None:
        with gevent_worker() as acceptor:
            late = acceptor.request("/spin")
            acceptor.await_file("spinning")
            acceptor.command(frames.INTERRUPT, stream=late)
            self.assertRegex(acceptor.log(late)[1], r"in app\n")
            acceptor.touch("gate")
            self.assertEqual(acceptor.finish(late).body, b"spun")

    def test_it_finishes_what_runs_before_it_stops(self) -> None:
        with gevent_worker() as acceptor:
            waiting = acceptor.request("/sleep")
            wait_until(lambda: acceptor.begun() == waiting, "it to begin")
            acceptor.command(frames.STOP)
            acceptor.touch("gate")
            self.assertEqual(acceptor.finish(waiting).body, b"slept")
            self.assertEqual(acceptor.status(), exit_status.STOPPED)

    def test_it_ends_without_its_acceptor(self) -> None:
        with gevent_worker(window=100_000) as acceptor:
            slow = acceptor.request("/chunks")
            acceptor.frame_of(slow, frames.SUSPENDED)
            acceptor.data.close()
            acceptor.control.close()
            self.assertEqual(acceptor.status(), exit_status.ACCEPTOR_GONE)
            self.assertEqual(acceptor.await_file("closed"), "closed ")

    def test_a_greenlet_that_exits_ends_only_itself(self) -> None:
        with gevent_worker() as acceptor:
            self.assertEqual(acceptor.get("/exit").body, b"True")
            self.assertEqual(acceptor.get("/").body, b"True")
            self.assertIn("a greenlet raised SystemExit [MONO5012]\n", acceptor.stderr())

    def test_a_broken_frame_ends_it(self) -> None:
        with gevent_worker() as acceptor:
            acceptor.send(frames.WINDOW, 7, frames.pack_u32(1))
            self.assertEqual(acceptor.status(), exit_status.PROTOCOL_ERROR)

    def test_ordinary_signals_do_not_end_it(self) -> None:
        with gevent_worker() as acceptor:
            for number in (signal.SIGINT, signal.SIGTERM):
                acceptor.signal(number)
            self.assertEqual(acceptor.get("/").body, b"True")


class Missing(unittest.TestCase):
    def test_what_is_missing_is_said_in_one_line(self) -> None:
        environment = os.environ.get("PYTHONPATH", "")
        folder = tempfile.mkdtemp(prefix="monoceros-test-")
        try:
            # A module that cannot be found, whatever is installed.
            with open(os.path.join(folder, "gevent.py"), "w", encoding="utf-8") as file:
                file.write("raise ModuleNotFoundError('No module named gevent', name='gevent')")
            os.environ["PYTHONPATH"] = folder
            with Acceptor("app = None", worker_class="gevent") as acceptor:
                self.assertEqual(acceptor.first.kind, frames.FAIL)
                self.assertRegex(
                    acceptor.first.payload.decode(),
                    "^worker_class gevent needs gevent, which is not installed. "
                    "Install it: /.+ -m pip install --upgrade gevent \\[MONO2006\\]$",
                )
                self.assertEqual(acceptor.status(), exit_status.NOT_LOADED)
        finally:
            os.environ["PYTHONPATH"] = environment
            shutil.rmtree(folder)


if __name__ == "__main__":
    unittest.main()
