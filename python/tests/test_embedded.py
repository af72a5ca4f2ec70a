"""The worker of an embedded interpreter, with a link of the test's own in the place of node's."""

from __future__ import annotations

import io
import os
import random
import signal
import sys
import time
import unittest
from collections import deque
from contextvars import copy_context
from types import FrameType
from typing import Any, Callable, Deque, Dict, Iterator, List, Optional

from monoceros import embedded_link, exit_status, frames
from monoceros.channel import Service
from monoceros.configuration import Configuration
from monoceros.embedded import EmbeddedWorker, RequestTimedOut
from monoceros.embedded_hooks import EmbeddedHooks
from monoceros.entries import Entries
from monoceros.environ import make_template
from monoceros.leniency import Leniency
from monoceros.streams import ErrorStream
from tests.acceptor import Received, Response, assemble, make_environ, request_payload

CLIENT = 60.0  # seconds after which a test gives up on something that must happen at once


class FakeLink:
    """What node's side of the link does, without threads: ``messages`` are received in turn, then
    ``idle`` is asked.
    """

    def __init__(self) -> None:
        self.number = 7
        self.messages: Deque[bytes] = deque()
        self.sent = b""
        self.last_begun = 0
        self.late_stream = 0
        self.interruptions: List[int] = []
        self.again_asked = 0
        self.exits: List[int] = []
        #: What to do when there is nothing to be received: it may add messages. False: end as if a
        #: signal were due.
        self.idle: Callable[[], bool] = lambda: self.push(frames.pack(frames.STOP, 0, 0))
        #: What to do when these bytes have been sent.
        self.then: Callable[[bytes], None] = lambda data: None

    def attach(self, incoming: bytearray, outgoing: bytearray) -> None:
        self.incoming = memoryview(incoming)
        self.outgoing = memoryview(outgoing)

    def push(self, *messages: bytes) -> bool:
        self.messages.extend(messages)
        return True

    def receive(self, patient: bool) -> int:
        while not self.messages:
            if not patient or not self.idle():
                return 0
        message = self.messages.popleft()
        if len(message) > len(self.incoming):
            self.messages.appendleft(message[len(self.incoming) :])
            message = message[: len(self.incoming)]
        self.incoming[: len(message)] = message
        return len(message)

    def waiting(self) -> bool:
        return bool(self.messages)

    def send(self, size: int) -> None:
        data = bytes(self.outgoing[:size])
        self.sent += data
        self.then(data)

    def claim(self, stream: int) -> bool:
        if self.last_begun != stream - 1:
            return False
        self.last_begun = stream
        return True

    def begun(self) -> int:
        return self.last_begun

    def late(self) -> int:
        return self.late_stream

    def interrupted(self, stream: int) -> None:
        self.interruptions.append(stream)

    def again(self) -> None:
        self.again_asked += 1
        signal.setitimer(signal.ITIMER_REAL, 0.0001)

    def exit(self, status: int) -> None:
        self.exits.append(status)


class EmbeddedCase(unittest.TestCase):
    def setUp(self) -> None:
        self.link = FakeLink()
        incoming, outgoing = bytearray(embedded_link.AREA), bytearray(embedded_link.AREA)
        self.link.attach(incoming, outgoing)
        # type: ignore[arg-type]
        self.port = embedded_link.Port(self.link, memoryview(incoming), memoryview(outgoing))
        before = signal.getsignal(signal.SIGALRM)
        self.addCleanup(lambda: signal.signal(signal.SIGALRM, before))
        self.addCleanup(lambda: signal.setitimer(signal.ITIMER_REAL, 0))

    def worker(self, application: Callable[..., Any], window: int = 262144) -> EmbeddedWorker:
        return EmbeddedWorker(self.service(application, window), self.port)

    def service(self, application: Callable[..., Any], window: int = 262144) -> Service:
        template = make_template({}, False, False, ErrorStream(io.StringIO()))
        ledger = embedded_link.make_ledger(self.link)  # type: ignore[arg-type]
        return Service(application, template, copy_context(), window, 5.0, ledger, Leniency(False))

    def request(self, stream: int, path: str = "/", flags: int = 0) -> bytes:
        return frames.pack(
            frames.REQUEST, flags, stream, request_payload(make_environ(PATH_INFO=path))
        )

    def received(self) -> Dict[int, List[Received]]:
        """What was sent, by stream."""
        found: Dict[int, List[Received]] = {}
        rest = self.link.sent
        while rest:
            length, kind, flags, _, stream = frames.unpack_header(rest)
            payload = rest[frames.HEADER_SIZE : frames.HEADER_SIZE + length]
            rest = rest[frames.HEADER_SIZE + length :]
            found.setdefault(stream, []).append(Received(kind, flags, stream, payload))
        return found

    def response(self, stream: int) -> Response:
        return assemble(self.received()[stream])

    def log(self, stream: int, level: int) -> List[str]:
        return [
            frame.payload[1:].decode()
            for frame in self.received().get(stream, [])
            if frame.kind == frames.LOG and frame.payload[0] == level
        ]

    def interrupt(self, stream: int) -> None:
        """What the acceptor does when that request has run out of time."""
        self.link.late_stream = stream
        os.kill(os.getpid(), signal.SIGALRM)


def hello(environ: Any, start_response: Any) -> List[bytes]:
    start_response("200 OK", [])
    return [environ["PATH_INFO"].encode()]


class Serving(EmbeddedCase):
    def test_requests_are_answered_and_stop_ends_it(self) -> None:
        self.link.push(self.request(1, "/one") + self.request(2, "/two"))
        self.assertEqual(self.worker(hello).serve(), 0)
        self.assertEqual(self.response(1).body, b"/one")
        self.assertEqual(self.response(2).body, b"/two")

    def test_what_the_acceptor_has_taken_back_does_not_begin(self) -> None:
        seen: List[str] = []

        def application(environ: Any, start_response: Any) -> List[bytes]:
            seen.append(environ["PATH_INFO"])
            if environ["PATH_INFO"] == "/one":
                self.link.last_begun = 3  # taken back up to the third while the first runs
            return hello(environ, start_response)

        self.link.push(
            b"".join(
                self.request(stream, path)
                for stream, path in ((1, "/one"), (2, "/two"), (3, "/three"))
            )
        )
        self.link.push(self.request(4, "/four"))
        self.assertEqual(self.worker(application).serve(), 0)
        self.assertEqual(seen, ["/one", "/four"])
        self.assertEqual(sorted(self.received()), [1, 4])

    def test_a_body_that_does_not_fit_the_area_comes_in_pieces(self) -> None:
        body = os.urandom(3 * embedded_link.AREA + 17)
        payload = request_payload(make_environ(), body)

        def application(environ: Any, start_response: Any) -> List[bytes]:
            start_response("200 OK", [])
            return [environ["wsgi.input"].read()]

        self.link.push(frames.pack(frames.REQUEST, 0, 1, payload))
        self.assertEqual(self.worker(application, len(body)).serve(), 0)
        self.assertEqual(self.response(1).body, body)

    def test_a_long_response_learns_that_its_client_has_gone_while_it_has_credit(self) -> None:
        closed: List[int] = []

        def application(environ: Any, start_response: Any) -> Iterator[bytes]:
            start_response("200 OK", [])
            try:
                for count in range(1000):
                    if count == 3:
                        self.link.push(frames.pack(frames.CANCEL, 0, 1))
                    yield b"x"
            finally:
                closed.append(count)

        self.link.push(self.request(1))
        self.assertEqual(self.worker(application).serve(), 0)
        self.assertTrue(self.response(1).broken)
        self.assertLess(closed[0], 6)

    def test_credit_that_comes_while_a_response_is_suspended_is_not_lost(self) -> None:
        def answer_at_once(data: bytes) -> None:
            if frames.pack(frames.SUSPENDED, 0, 1, frames.pack_u32(95)) in data:
                self.link.push(frames.pack(frames.WINDOW, 0, 1, frames.pack_u32(30)))

        def application(environ: Any, start_response: Any) -> Iterator[bytes]:
            start_response("200 OK", [])
            yield b"x" * 95
            yield b"y"

        self.link.then = answer_at_once
        self.link.push(self.request(1))
        self.assertEqual(self.worker(application, window=10).serve(), 0)
        response = self.response(1)
        self.assertEqual((response.body, response.broken), (b"x" * 95 + b"y", False))

    def test_a_request_that_comes_while_the_end_of_a_response_is_sent_is_not_left_waiting(
        self,
    ) -> None:
        link = self.link
        left: List[int] = []

        def send_another(data: bytes) -> None:
            _, kind, _, _, stream = frames.unpack_header(data[-frames.HEADER_SIZE :])
            if (kind, stream) == (frames.END, 1):
                link.push(self.request(2, "/second"))

        def idle() -> bool:
            left.extend(stream for stream in (1, 2) if stream not in self.received())
            return link.push(frames.pack(frames.STOP, 0, 0))

        def streams(environ: Any, start_response: Any) -> Iterator[bytes]:
            start_response("200 OK", [])
            yield b"one"
            yield environ["PATH_INFO"].encode()

        link.then = send_another
        link.idle = idle
        link.push(self.request(1, "/first"))
        self.assertEqual(self.worker(streams).serve(), 0)
        self.assertEqual(left, [])
        self.assertEqual(
            [self.response(stream).body for stream in (1, 2)], [b"one/first", b"one/second"]
        )

    def test_a_frame_that_cannot_be_ends_the_worker(self) -> None:
        def application(environ: Any, start_response: Any) -> List[bytes]:
            return [environ["wsgi.input"].read()]

        stderr, sys.__stderr__ = sys.__stderr__, io.StringIO()  # type: ignore[misc]
        try:
            self.link.push(self.request(1, flags=frames.BODY_STREAM), b"\xff" * 64)
            self.worker(application).serve()
        finally:
            text = sys.__stderr__.getvalue()  # type: ignore[union-attr, attr-defined]
            sys.__stderr__ = stderr  # type: ignore[misc]
        self.assertEqual(self.link.exits, [exit_status.PROTOCOL_ERROR])
        self.assertRegex(text, r"^monoceros worker: the acceptor sent .* \[MONO5011\]\n$")


class TimeOuts(EmbeddedCase):
    def test_an_endless_loop_ends_with_its_own_stack_and_the_next_request_is_answered(self) -> None:
        steps: List[str] = []

        def endless() -> None:
            try:
                self.interrupt(1)
                until = time.monotonic() + CLIENT
                while time.monotonic() < until:
                    pass
                steps.append("never interrupted")
            except Exception:
                steps.append("caught as an Exception")
            finally:
                steps.append("cleaned up")

        def application(environ: Any, start_response: Any) -> List[bytes]:
            if environ["PATH_INFO"] == "/endless":
                endless()
            return hello(environ, start_response)

        self.link.push(self.request(1, "/endless") + self.request(2, "/next"))
        self.assertEqual(self.worker(application).serve(), 0)
        self.assertEqual(steps, ["cleaned up"])
        self.assertEqual(self.link.interruptions, [1])
        self.assertTrue(self.response(1).broken)
        self.assertEqual(self.response(2).body, b"/next")
        (text,) = self.log(1, frames.ERROR)
        self.assertIn(
            "the request ran out of time [MONO4011]. Stack (most recent call last):\n  File ", text
        )
        self.assertIn("in endless", text)
        self.assertNotIn("exchange.py", text)
        self.assertNotIn("embedded.py", text.replace("test_embedded.py", ""))

    def hang(self, *_arguments: Any) -> List[bytes]:
        """An application, or a hook, that is to be interrupted."""
        self.interrupt(1)
        until = time.monotonic() + CLIENT
        while time.monotonic() < until:
            pass
        raise AssertionError("never interrupted")

    def check_interrupted(self, service: Service) -> None:
        """Serves a request that hangs."""
        self.link.push(self.request(1))
        self.assertEqual(EmbeddedWorker(service, self.port).serve(), 0)
        self.assertEqual(self.link.interruptions, [1])
        self.assertEqual(self.link.again_asked, 0)
        self.assertTrue(self.response(1).broken)

    def test_an_application_that_is_watched_for_new_files_is_interrupted(self) -> None:
        self.check_interrupted(self.service(self.hang)._replace(reload=True))

    def test_an_application_between_hooks_is_interrupted(self) -> None:
        self.check_interrupted(self.hooked(self.hang, post_request=lambda *arguments: None))

    def test_a_hook_before_the_application_is_interrupted(self) -> None:
        self.check_interrupted(self.hooked(hello, pre_request=self.hang))

    def hooked(self, application: Callable[..., Any], **hooks: Callable[..., Any]) -> Service:
        """A service with hooks around its requests."""
        settings = {"timeout": 30, "graceful_timeout": 30}
        config = {"settings": settings, "age": 1, "server_pid": 1}
        configuration = Configuration(None, {}, hooks)
        worker = EmbeddedHooks(configuration, config, "app", Entries(self.port.send))
        service = self.service(application)
        return worker.service(service, service.ledger)

    def test_a_time_out_of_a_request_that_has_ended_does_not_hit_the_next(self) -> None:
        def application(environ: Any, start_response: Any) -> List[bytes]:
            if environ["PATH_INFO"] == "/next":
                self.interrupt(1)
            return hello(environ, start_response)

        self.link.push(self.request(1) + self.request(2, "/next"))
        self.assertEqual(self.worker(application).serve(), 0)
        self.assertEqual(self.response(2).body, b"/next")
        self.assertEqual(self.link.interruptions, [])

    def test_waiting_for_a_body_is_interrupted_and_nothing_that_came_is_lost(self) -> None:
        caught: List[str] = []

        def application(environ: Any, start_response: Any) -> List[bytes]:
            if environ["PATH_INFO"] == "/next":
                return hello(environ, start_response)
            try:
                environ["wsgi.input"].read()
            except RequestTimedOut as error:
                caught.append(str(error))
                raise
            return []

        turns: Deque[Callable[[], bool]] = deque()

        def late() -> bool:
            self.interrupt(1)
            # Came at the same moment.
            return self.link.push(self.request(2, "/next"))

        turns.append(late)
        turns.append(lambda: self.link.push(frames.pack(frames.STOP, 0, 0)))
        self.link.idle = lambda: turns.popleft()()
        self.link.push(self.request(1, flags=frames.BODY_STREAM))
        self.assertEqual(self.worker(application).serve(), 0)
        self.assertEqual(caught, ["the request ran longer than the timeout"])
        self.assertTrue(self.response(1).broken)
        self.assertEqual(self.response(2).body, b"/next")

    def test_waiting_for_credit_inside_of_write_is_interrupted(self) -> None:
        raised: List[type] = []

        def application(environ: Any, start_response: Any) -> List[bytes]:
            write = start_response("200 OK", [])
            try:
                write(b"x" * 100)
            except BaseException as error:
                raised.append(type(error))
                raise
            return []

        turns: Deque[Callable[[], bool]] = deque()

        def late() -> bool:
            self.interrupt(1)
            return False

        turns.append(late)
        turns.append(lambda: self.link.push(frames.pack(frames.STOP, 0, 0)))
        self.link.idle = lambda: turns.popleft()()
        self.link.push(self.request(1))
        self.assertEqual(self.worker(application, window=10).serve(), 0)
        self.assertEqual(raised, [RequestTimedOut])
        self.assertTrue(self.response(1).broken)

    def test_an_iterable_is_closed_and_its_half_sent_response_is_broken(self) -> None:
        closed: List[bool] = []

        def application(environ: Any, start_response: Any) -> Iterator[bytes]:
            start_response("200 OK", [])
            try:
                yield b"first"
                self.interrupt(1)
                until = time.monotonic() + CLIENT
                while time.monotonic() < until:
                    pass
            finally:
                closed.append(True)

        self.link.push(self.request(1))
        self.assertEqual(self.worker(application).serve(), 0)
        response = self.response(1)
        self.assertEqual((response.body, response.broken), (b"first", True))
        self.assertEqual(closed, [True])
        # It is told once: as a timeout, not as an error of the application too.
        self.assertEqual(len(self.log(1, frames.ERROR)), 1)

    def test_interrupted_at_any_moment_every_request_has_one_complete_answer(self) -> None:
        """Signals at random, each for the request that ran when it was sent, as in real life."""
        count = 3000
        chance = random.Random(5)

        def application(environ: Any, start_response: Any) -> Any:
            kind = chance.randrange(4)
            for _ in range(chance.randrange(4000)):
                pass
            if kind == 0:
                return hello(environ, start_response)
            if kind == 1:
                write = start_response("200 OK", [])
                write(environ["PATH_INFO"].encode())
                return []
            if kind == 2:
                start_response("200 OK", [])
                return (piece.encode() for piece in environ["PATH_INFO"])
            sum(range(chance.randrange(5000)))
            return hello(environ, start_response)

        worker = self.worker(application)
        on_time_out = worker._on_time_out

        def is_nested(frame: Optional[FrameType]) -> bool:
            while frame is not None:
                if frame.f_code is begun_now.__code__:
                    return True
                frame = frame.f_back
            return False

        def begun_now(number: int, frame: Optional[FrameType]) -> None:
            if is_nested(frame):
                # The real handler is the server's code, where nothing is raised. This one is not,
                # and would pass for the application's.
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.00005, 0.001))
                return
            if not again_was_asked():
                # Of two signals in a row the second often belongs to a request that is over.
                self.link.late_stream = self.link.last_begun - chance.randrange(2)
            try:
                on_time_out(number, frame)
            finally:
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.00005, 0.001))

        asked = 0

        def again_was_asked() -> bool:
            nonlocal asked
            before, asked = asked, self.link.again_asked
            return before != asked

        worker._on_time_out = begun_now  # type: ignore[method-assign]
        stream = 0

        def more() -> bool:
            nonlocal stream
            if stream >= count:
                signal.setitimer(signal.ITIMER_REAL, 0)
                return self.link.push(frames.pack(frames.STOP, 0, 0))
            size = chance.randrange(1, 8)
            message = b"".join(
                self.request(stream + number, f"/{stream + number}")
                for number in range(1, size + 1)
            )
            stream += size
            return self.link.push(message)

        self.link.idle = more
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        self.assertEqual(worker.serve(), 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        interrupted = set(self.link.interruptions)
        self.assertEqual(
            len(self.link.interruptions), len(interrupted), "a request was interrupted twice"
        )
        self.assertGreater(
            len(interrupted), 20, "hardly anything was interrupted: this proves nothing"
        )
        answered = self.received()
        self.assertEqual(sorted(answered), list(range(1, stream + 1)))
        for number, received in answered.items():
            received = [frame for frame in received if frame.kind != frames.LOG]
            response = assemble(received)
            ends = [
                frame
                for frame in received
                if frame.kind == frames.END or frame.flags == frames.LAST
            ]
            self.assertEqual(len(ends), 1, f"{number}: {received}")
            self.assertIsNone(response.failure)
            if number not in interrupted:
                self.assertFalse(response.broken)
                self.assertEqual(response.body, f"/{number}".encode())


if __name__ == "__main__":
    unittest.main()
