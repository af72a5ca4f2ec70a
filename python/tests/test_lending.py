"""Responses that a worker sends on a lent socket, with real workers of each class."""

from __future__ import annotations

import importlib.util
import os
import socket
import struct
import unittest
from typing import Any, Dict, List, Tuple

from monoceros import frames
from tests.acceptor import Acceptor, Received, assemble, wait_until

SIZE = 3_000_000
#: A test that reads must not lose the socket because the machine is slow.
PATIENT = 60_000
APPLICATION = """
import gc

BODY = bytes(range(256)) * (3_000_000 // 256) + b"the end" * ((3_000_000 % 256) // 7)
BODY += b"." * (3_000_000 - len(BODY))
PIECES = [BODY[at : at + 70_001] for at in range(0, len(BODY), 70_001)]
with open("body", "wb") as file:
    file.write(BODY)


def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/left":
        gc.disable()
        left = b"%d" % sum(type(one).__name__ == "Offer" for one in gc.get_objects())
        start_response("200 OK", [("Content-Length", str(len(left)))])
        return [left]
    length = {"/short": "2000000", "/long": "4000000"}.get(path, "3000000")
    start_response("304 Not Modified" if path == "/304" else "200 OK", [("Content-Length", length)])
    if path == "/pieces":
        return PIECES
    if path == "/file":
        return environ["wsgi.file_wrapper"](open("body", "rb"))
    return [BODY]
"""


class Client:
    """Both ends of a client's connection, of which the acceptor lends one."""

    def __init__(self) -> None:
        self.lent, self.own = socket.socketpair()
        self.lent.setblocking(False)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.lent.close()
        self.own.close()

    def read(self, size: int) -> bytes:
        """So many bytes, or what comes before the end."""
        parts: List[bytes] = []
        self.own.settimeout(60)
        while size > 0:
            part = self.own.recv(min(size, 1 << 20))
            if not part:
                break
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def is_closed(self) -> bool:
        """Whether nobody but this process has the lent end."""
        self.lent.close()
        self.own.settimeout(60)
        while self.own.recv(1 << 20):
            pass
        return True


def offer_of(frame: Received) -> Tuple[int, int]:
    offered, held = struct.unpack("<II", frame.payload)
    return offered, held


class Lending(unittest.TestCase):
    """A worker of one thread."""

    SETTINGS: Dict[str, Any] = {}

    acceptor: Acceptor
    body: bytes

    def setUp(self) -> None:
        self.start(PATIENT)

    def start(self, lend: int) -> None:
        """A new worker. ``lend`` is in milliseconds."""
        self.acceptor = Acceptor(APPLICATION, lend=lend, **self.SETTINGS)
        self.addCleanup(self.acceptor.close)
        with open(self.acceptor.path("body"), "rb") as file:
            self.body = file.read()
        self.assertEqual(len(self.body), SIZE)

    def ask(self, path: str = "/", **environ: str) -> Tuple[int, Received]:
        """Sends a request; its stream and the OFFER, after a head that has no bytes of the body."""
        stream = self.acceptor.request(path, **environ)
        head = self.acceptor.frame_of(stream)
        self.assertEqual((head.kind, head.flags), (frames.HEAD, 0))
        response = assemble([head])
        self.assertEqual(response.header("Content-Length"), str(SIZE))
        self.assertEqual(response.body, b"")
        offer = self.acceptor.frame_of(stream)
        self.assertEqual(offer.kind, frames.OFFER)
        return stream, offer

    def sent(self, stream: int) -> int:
        """The number of bytes in the next SENT."""
        frame = self.acceptor.frame_of(stream)
        self.assertEqual(frame.kind, frames.SENT)
        return int(struct.unpack("<I", frame.payload)[0])

    def assert_ended(self, stream: int, flags: int = 0) -> None:
        end = self.acceptor.frame_of(stream)
        self.assertEqual((end.kind, end.flags), (frames.END, flags))

    def assert_serves(self) -> None:
        """The worker is as before."""
        stream, _ = self.ask()
        with Client() as client:
            self.acceptor.lend(stream, client.lent)
            self.assertEqual(client.read(SIZE), self.body)
        self.assertEqual(self.sent(stream), SIZE)
        self.assert_ended(stream)

    def test_a_list_is_sent_by_the_worker(self) -> None:
        for path in ("/", "/pieces"):
            with self.subTest(path), Client() as client:
                stream, offer = self.ask(path)
                self.assertEqual(offer_of(offer), (SIZE, SIZE))
                self.acceptor.lend(stream, client.lent)
                self.assertEqual(client.read(SIZE), self.body)
                self.assertEqual(self.sent(stream), SIZE)
                self.assert_ended(stream)
                self.assertTrue(client.is_closed())

    def test_what_was_sent_does_not_wait_for_the_garbage_collector(self) -> None:
        def left() -> int:
            stream = self.acceptor.request("/left")
            return int(assemble([self.acceptor.frame_of(stream)]).body)

        before = left()
        for path in ("/", "/pieces", "/file"):
            stream, _ = self.ask(path)
            with Client() as client:
                self.acceptor.lend(stream, client.lent)
                self.assertEqual(client.read(SIZE), self.body)
            self.assertEqual(self.sent(stream), SIZE)
            self.assert_ended(stream)
        wait_until(lambda: left() == before, "the responses to be gone")

    def test_the_head_is_sent_before_the_body(self) -> None:
        head = b"HTTP/1.1 200 OK\r\n\r\n"
        for path in ("/", "/pieces", "/file"):
            with self.subTest(path), Client() as client:
                stream, _ = self.ask(path)
                self.acceptor.lend(stream, client.lent, head)
                self.assertEqual(client.read(len(head) + SIZE), head + self.body)
                self.assertEqual(self.sent(stream), len(head) + SIZE)
                self.assert_ended(stream)

    def test_a_client_that_takes_none_of_the_head(self) -> None:
        self.start(10)
        head = b"HTTP/1.1 200 OK\r\n\r\n"
        for path in ("/", "/file"):
            with self.subTest(path), Client() as client:
                filled = 0
                try:
                    while True:
                        filled += client.lent.send(b"x" * 65536)
                except BlockingIOError:
                    pass
                stream, _ = self.ask(path)
                self.acceptor.lend(stream, client.lent, head)
                sent = self.sent(stream)
                self.acceptor.send(frames.DECLINE, stream)
                all_sent = client.read(filled + sent)[filled:]
                self.assertEqual(all_sent, (head + self.body)[:sent])
                if path == "/":
                    rest = self.acceptor.finish(stream).body
                    self.assertEqual(rest, (self.body)[max(0, sent - len(head)) :])
                else:
                    self.assert_file(stream, max(0, sent - len(head)))

    def test_two_heads_that_come_together(self) -> None:
        streams = [self.ask()[0] for _ in range(2)]
        with Client() as one, Client() as two:
            for stream, client in zip(streams, (one, two)):
                self.acceptor.lend(stream, client.lent, b"head %d" % stream)
            for stream, client in zip(streams, (one, two)):
                head = b"head %d" % stream
                self.assertEqual(client.read(len(head) + SIZE), head + self.body)

    def test_a_file_is_sent_by_the_worker(self) -> None:
        with Client() as client:
            stream, offer = self.ask("/file")
            self.assertEqual(offer_of(offer), (SIZE, 0))
            self.acceptor.lend(stream, client.lent)
            self.assertEqual(client.read(SIZE), self.body)
            self.assertEqual(self.sent(stream), SIZE)
            self.assert_ended(stream)
            self.assertTrue(client.is_closed())
        self.assertEqual(self.files(), [])

    def files(self) -> List[str]:
        """The application's files that the worker has open."""
        folder = f"/proc/{self.acceptor.process.pid}/fd"
        found = []
        for number in os.listdir(folder):
            try:
                found.append(os.readlink(f"{folder}/{number}"))
            except OSError:
                pass
        return [path for path in found if path.startswith(self.acceptor.path(""))]

    def test_without_a_socket_it_comes_by_frames(self) -> None:
        for path in ("/", "/pieces"):
            stream, _ = self.ask(path)
            self.acceptor.send(frames.DECLINE, stream)
            self.assertEqual(self.acceptor.finish(stream).body, self.body)
        stream, _ = self.ask("/file")
        self.acceptor.send(frames.DECLINE, stream)
        self.assert_file(stream, 0)
        self.assert_serves()

    def assert_file(self, stream: int, offset: int) -> None:
        response = self.acceptor.finish(stream)
        assert response.file is not None
        self.assertEqual(response.file["path"], os.path.realpath(self.acceptor.path("body")))
        self.assertEqual(response.file["offset"], offset)
        self.assertEqual(response.file["length"], SIZE - offset)
        self.assertEqual(self.files(), [])

    def test_a_client_that_does_not_read_gets_the_rest_by_frames(self) -> None:
        self.start(10)
        for path in ("/", "/pieces"):
            with self.subTest(path), Client() as client:
                stream, _ = self.ask(path)
                self.acceptor.lend(stream, client.lent)
                sent = self.sent(stream)
                self.assertLess(sent, SIZE)
                self.assertEqual(client.read(sent), self.body[:sent])
                self.acceptor.send(frames.DECLINE, stream)
                self.assertEqual(self.acceptor.finish(stream).body, self.body[sent:])
                self.assertTrue(client.is_closed())
        with Client() as client:
            stream, _ = self.ask("/file")
            self.acceptor.lend(stream, client.lent)
            sent = self.sent(stream)
            self.assertEqual(client.read(sent), self.body[:sent])
            self.acceptor.send(frames.DECLINE, stream)
            self.assert_file(stream, sent)

    def test_credit_is_no_answer(self) -> None:
        stream, _ = self.ask()
        self.acceptor.window(stream, 1000)
        with Client() as client:
            self.acceptor.lend(stream, client.lent)
            self.assertEqual(client.read(SIZE), self.body)
        self.assertEqual(self.sent(stream), SIZE)
        self.assert_ended(stream)

    def test_a_client_that_left_before(self) -> None:
        for path in ("/", "/file"):
            with self.subTest(path), Client() as client:
                stream, _ = self.ask(path)
                self.cancel(stream)
                self.assert_ended(stream, frames.BROKEN)
                self.acceptor.lend(stream, client.lent)
                self.assertTrue(client.is_closed())
                self.assertEqual(self.files(), [])
        self.assert_serves()

    def cancel(self, stream: int) -> None:
        self.acceptor.command(frames.CANCEL, stream=stream)
        self.acceptor.send(frames.CANCEL, stream)

    def test_a_client_that_leaves_while_its_socket_is_lent(self) -> None:
        for path in ("/", "/file"):
            with self.subTest(path), Client() as client:
                stream, _ = self.ask(path)
                self.acceptor.lend(stream, client.lent)
                client.read(1000)
                self.cancel(stream)
                self.assert_ended(stream, frames.BROKEN)
                self.assertTrue(client.is_closed())
                self.assertEqual(self.files(), [])
        self.assert_serves()

    def test_a_connection_that_is_broken(self) -> None:
        stream, _ = self.ask()
        with Client() as client:
            client.own.close()
            self.acceptor.lend(stream, client.lent)
        self.assertEqual(self.sent(stream), 0)
        self.acceptor.send(frames.DECLINE, stream)
        self.assertEqual(self.acceptor.finish(stream).body, self.body)
        self.assert_serves()

    def test_a_lend_that_came_without_a_descriptor(self) -> None:
        stream, _ = self.ask()
        self.acceptor.lend(stream, None)
        self.assertEqual(self.sent(stream), 0)
        self.acceptor.send(frames.DECLINE, stream)
        self.assertEqual(self.acceptor.finish(stream).body, self.body)

    def test_what_is_not_offered(self) -> None:
        for path, method in (("/", "HEAD"), ("/304", "GET"), ("/short", "GET"), ("/long", "GET")):
            with self.subTest(path=path, method=method):
                stream = self.acceptor.request(path, REQUEST_METHOD=method)
                response = self.acceptor.finish(stream)
                self.assertNotIn(frames.OFFER, [frame.kind for frame in response.frames])
                self.assertEqual(response.broken, path == "/long")

    def test_offers_are_bounded(self) -> None:
        streams = [self.acceptor.request() for _ in range(24)]
        offered = []
        for stream in streams:
            self.acceptor.frame_of(stream, frames.HEAD)
            frame = self.acceptor.frame_of(stream)
            if frame.kind == frames.OFFER:
                offered.append(stream)
        # 32 MiB at once, and one more for each other thread that looks at the same time.
        self.assertGreaterEqual(len(offered), 11)
        self.assertLessEqual(len(offered), 11 + self.SETTINGS.get("threads", 1) - 1)
        for stream in streams:
            self.cancel(stream)
        for stream in offered:
            self.assert_ended(stream, frames.BROKEN)
        self.assert_serves()

    def test_it_ends_when_nothing_is_lent_any_more(self) -> None:
        stream, _ = self.ask()
        self.acceptor.command(frames.STOP)
        with Client() as client:
            self.acceptor.lend(stream, client.lent)
            self.assertEqual(client.read(SIZE), self.body)
        self.assertEqual(self.sent(stream), SIZE)
        self.assert_ended(stream)
        self.assertEqual(self.acceptor.status(), 0)

    def test_a_killed_worker_closes_the_socket(self) -> None:
        stream, _ = self.ask()
        with Client() as client:
            self.acceptor.lend(stream, client.lent)
            client.read(1000)
            self.acceptor.process.kill()
            self.assertTrue(client.is_closed())


class WithThreads(Lending):
    """The same with threads."""

    SETTINGS = {"threads": 4, "worker_class": "gthread"}


@unittest.skipUnless(importlib.util.find_spec("gevent"), "gevent is not installed")
class WithGreenlets(Lending):
    """The same with greenlets."""

    SETTINGS = {"threads": 4, "worker_class": "gevent"}


class Broken(unittest.TestCase):
    """What breaks the protocol."""

    def test_something_else_on_the_channel(self) -> None:
        with Acceptor(APPLICATION, lend=PATIENT) as acceptor:
            acceptor.lending.sendall(frames.pack(frames.STOP, 0, 0))
            self.assertEqual(acceptor.status(), 4)
            wait_until(lambda: "LEND" in acceptor.stderr(), "the reason")


if __name__ == "__main__":
    unittest.main()
