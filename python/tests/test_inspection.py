"""What a worker finds out about its application while it serves: profiles, memory, stacks."""

from __future__ import annotations

import importlib.util
import json
import os
import unittest
from typing import Any, Dict, List, Tuple

from monoceros import exit_status, frames

from .acceptor import Acceptor, wait_until

SOURCE = """
    import os, threading, time, tracemalloc

    lock = threading.Lock()
    kept = []

    def wait_for(name):
        while not os.path.exists(name):
            time.sleep(0.002)

    def burn_here():
        total = 0
        while not os.path.exists("gate"):
            for number in range(2000):
                total += number * number
        return total

    def guarded_by_lock():
        with lock:
            return b"had it"

    def app(environ, start_response):
        path = environ["PATH_INFO"]
        start_response("200 OK", [("Content-Type", "text/plain")])
        if path == "/burn":
            burn_here()
        elif path == "/hold":
            with lock:
                open("held", "w").write("yes")
                wait_for("gate")
        elif path == "/lock":
            guarded_by_lock()
        elif path == "/short":
            sum(number * number for number in range(5000))
        elif path == "/tracing":
            return [str(tracemalloc.is_tracing()).encode()]
        elif path == "/keep":
            kept.append([bytearray(1000) for _ in range(1000)])
        return [b"done"]
"""

Stack = Tuple[str, List[str], int, int]


def ask(acceptor: Acceptor, **question: Any) -> None:
    acceptor.command(frames.INSPECT, json.dumps(question).encode())


def findings(acceptor: Acceptor) -> Dict[str, Any]:
    payload = acceptor.expect(lambda frame: frame.kind == frames.FINDINGS).payload
    answer = json.loads(payload)
    assert isinstance(answer, dict)
    return answer


def stacks(answer: Dict[str, Any]) -> List[Stack]:
    """Route, names of functions, seconds running and waiting."""
    names = [name for name, _, _ in answer["functions"]]
    return [
        (answer["routes"][row[0]], [names[each] for each in row[4::2]], row[1], row[2])
        for row in answer["stacks"]
    ]


def times(answer: Dict[str, Any], route: str, name: str) -> Tuple[float, float]:
    """Seconds in which a function of a route ran, and waited."""
    found = [each for each in stacks(answer) if each[0] == route and name in each[1]]
    return sum(each[2] for each in found) / 1e6, sum(each[3] for each in found) / 1e6


class Profile(unittest.TestCase):
    def test_the_function_that_computes_is_found_running(self) -> None:
        with Acceptor(SOURCE) as acceptor:
            stream = acceptor.request("/burn")
            wait_until(lambda: acceptor.begun() == stream, "the request")
            ask(acceptor, id=7, what="profile", seconds=1, hertz=200)
            answer = findings(acceptor)
            acceptor.touch("gate")
            self.assertEqual(acceptor.finish(stream).body, b"done")
            self.assertEqual(answer["id"], 7)
            self.assertGreaterEqual(answer["seconds"], 1)
            running, waiting = times(answer, "GET /burn", "burn_here")
            self.assertGreater(running, waiting)
            for _, file, _ in answer["functions"]:
                self.assertNotIn("/monoceros/", file)
            self.assertEqual({route for route, *_ in stacks(answer)}, {"GET /burn"})
            self.assertEqual(acceptor.stop(), exit_status.STOPPED)

    def test_the_function_that_waits_for_a_lock_is_found_waiting(self) -> None:
        with Acceptor(SOURCE, threads=4) as acceptor:
            held = acceptor.request("/hold")
            acceptor.await_file("held")
            waiting_for_it = acceptor.request("/lock")
            wait_until(lambda: acceptor.begun() == waiting_for_it, "the request")
            ask(acceptor, id=1, what="profile", seconds=0.5, hertz=100)
            answer = findings(acceptor)
            acceptor.touch("gate")
            acceptor.finish(held)
            acceptor.finish(waiting_for_it)
            running, waiting = times(answer, "GET /lock", "guarded_by_lock")
            self.assertGreater(waiting, 0.3)
            self.assertLess(running, waiting / 10)

    def test_short_requests_are_seen_where_they_compute(self) -> None:
        with Acceptor(SOURCE) as acceptor:
            ask(acceptor, id=1, what="profile", seconds=1, hertz=500)
            done = False
            while not done:
                acceptor.get("/short")
                done = any(kept.kind == frames.FINDINGS for kept in acceptor._kept)
            answer = findings(acceptor)
            running, waiting = times(answer, "GET /short", "app")
            self.assertGreater(running, waiting)

    @unittest.skipUnless(hasattr(os, "sched_setaffinity"), "needs sched_setaffinity")
    def test_short_requests_are_seen_too_where_a_processor_is_always_in_use(self) -> None:
        processors = os.sched_getaffinity(0)
        self.addCleanup(os.sched_setaffinity, 0, processors)
        os.sched_setaffinity(0, {min(processors)})  # for the worker as well
        self.test_short_requests_are_seen_where_they_compute()

    def test_it_ends_early_when_it_is_stopped(self) -> None:
        with Acceptor(SOURCE) as acceptor:
            ask(acceptor, id=3, what="profile", seconds=3000, hertz=100)
            ask(acceptor, id=4, what="profile", seconds=1, hertz=100)
            self.assertEqual(findings(acceptor)["error"], "another profile of it is being taken")
            ask(acceptor, what="stop", id=4)
            ask(acceptor, what="stop", id=3)
            answer = findings(acceptor)
            self.assertEqual(answer["id"], 3)
            self.assertLess(answer["seconds"], 3000)
            self.assertEqual(answer["stacks"], [])

    def test_an_inspection_that_breaks_the_protocol_ends_the_worker(self) -> None:
        for payload in (
            b"[]",
            b"{",
            b'{"what":"else","id":1}',
            b'{"what":"profile","id":1,"seconds":1,"hertz":0}',
            b'{"what":"profile","id":1,"seconds":"1","hertz":1}',
            b'{"what":"memory","id":1,"seconds":1,"top":1e9}',
        ):
            with self.subTest(payload), Acceptor(SOURCE) as acceptor:
                acceptor.command(frames.INSPECT, payload)
                self.assertEqual(acceptor.status(), exit_status.PROTOCOL_ERROR)
                self.assertIn("INSPECT", acceptor.stderr())


class Sums(unittest.TestCase):
    def test_paths_of_clients_are_bounded(self) -> None:
        from monoceros.stack_profile import BACKGROUND, MOST_ROUTES, StackProfile, route_of

        class Odd:
            _environ: Any = None

        exchange: Any = Odd()
        self.assertEqual(route_of(None), BACKGROUND)
        self.assertEqual(route_of(exchange), "(request)")
        exchange._environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/" + 10_000 * "x"}
        self.assertLess(len(route_of(exchange)), 300)
        exchange._environ = {"REQUEST_METHOD": 5, "PATH_INFO": "/\xc3\xa9\n", "SCRIPT_NAME": None}
        self.assertEqual(route_of(exchange), "? /é\ufffd")
        profile = StackProfile()
        for number in range(10 * MOST_ROUTES):
            profile._route(f"GET /{number}")
        self.assertEqual(len(profile._routes), MOST_ROUTES + 1)

    def test_stacks_are_bounded_and_the_rest_is_added_up(self) -> None:
        from monoceros import stack_profile

        profile = stack_profile.StackProfile()
        code = compile("1", "some.py", "exec")
        for line in range(3 * stack_profile.MOST_STACKS):
            profile.add("GET /", [(code, line)], True, 0.001)
        answer = profile.answer()
        self.assertLessEqual(len(answer["stacks"]), stack_profile.MOST_STACKS + 1)
        total = sum(row[1] for row in answer["stacks"])
        self.assertEqual(total, 3 * stack_profile.MOST_STACKS * 1000)
        self.assertEqual(answer["functions"][-1][0], stack_profile.OTHER_STACKS)


class Memory(unittest.TestCase):
    def test_the_line_that_keeps_memory_is_found(self) -> None:
        with Acceptor(SOURCE) as acceptor:
            ask(acceptor, id=5, what="memory", seconds=3000, top=10)
            # Until it traces, which the application can see.
            while acceptor.get("/tracing").body != b"True":
                pass
            # More than once, because the first snapshot may not have been taken yet.
            for _ in range(20):
                acceptor.get("/keep")
            ask(acceptor, what="stop", id=5)
            answer = findings(acceptor)
            first = answer["lines"][0]
            self.assertTrue(first["file"].endswith("webapp.py"), first)
            self.assertGreater(first["grown"], 900_000)
            self.assertEqual(len(answer["resident"]), 2)
            self.assertEqual(acceptor.get("/").body, b"done")


class SlowRequests(unittest.TestCase):
    def test_the_stack_of_a_request_that_runs_is_logged(self) -> None:
        for threads in (1, 4):
            with self.subTest(threads=threads), Acceptor(SOURCE, threads=threads) as acceptor:
                stream = acceptor.request("/hold")
                acceptor.await_file("held")
                ask(acceptor, what="stack", stream=stream, seconds=2.04)
                level, text = acceptor.log(stream)
                self.assertEqual(level, frames.WARNING)
                self.assertIn("GET /hold: has run for 2.0 s", text)
                self.assertIn("in wait_for", text)
                self.assertNotIn("/monoceros/", text)
                acceptor.touch("gate")
                self.assertEqual(acceptor.finish(stream).body, b"done")
                # One that has ended is no error.
                ask(acceptor, what="stack", stream=stream, seconds=3)
                self.assertEqual(acceptor.get("/").body, b"done")


GREENLETS = """
    import gevent, os

    def waits_for_long():
        while not os.path.exists("gate"):
            gevent.sleep(0.01)

    def spawned_by_the_application():
        gevent.sleep(1000)

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        if environ["PATH_INFO"] == "/wait":
            gevent.spawn(spawned_by_the_application)
            waits_for_long()
        return [b"done"]
"""


@unittest.skipUnless(importlib.util.find_spec("gevent") is not None, "gevent is not installed")
class Greenlets(unittest.TestCase):
    def test_those_that_wait_are_sampled(self) -> None:
        with Acceptor(GREENLETS, worker_class="gevent", threads=1000) as acceptor:
            streams = [acceptor.request("/wait") for _ in range(5)]
            wait_until(lambda: acceptor.begun() == streams[-1], "the requests")
            ask(acceptor, id=1, what="profile", seconds=0.5, hertz=100)
            answer = findings(acceptor)
            acceptor.touch("gate")
            for stream in streams:
                self.assertEqual(acceptor.finish(stream).body, b"done")
            running, waiting = times(answer, "GET /wait", "waits_for_long")
            self.assertGreater(waiting, 1.5)  # five of them for half a second
            self.assertLess(running, waiting)
            _, spawned = times(answer, "(background threads)", "spawned_by_the_application")
            self.assertGreater(spawned, 1.5)


if __name__ == "__main__":
    unittest.main()
