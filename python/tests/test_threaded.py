"""How a worker of several threads holds responses back, seen from inside."""

from __future__ import annotations

import socket
import threading
import unittest
from contextvars import copy_context
from typing import Any, List
from unittest import mock

from monoceros import frames, threaded
from monoceros.channel import Service
from monoceros.environ import make_template
from monoceros.leniency import Leniency
from monoceros.streams import ErrorStream
from monoceros.threaded import ThreadedWorker
from tests.acceptor import make_environ, request_payload


def answer(environ: Any, start_response: Any) -> List[bytes]:
    start_response("200 OK", [])
    return [environ["PATH_INFO"].encode()]


class Batching(unittest.TestCase):
    def setUp(self) -> None:
        self.data, data = socket.socketpair()
        self.control, control = socket.socketpair()
        template = make_template({}, True, True, ErrorStream())
        service = Service(answer, template, copy_context(), 262144, 5.0, [0], Leniency(False))
        self.worker = ThreadedWorker(3, service, data, control)
        self.sends: List[int] = []
        send = self.worker.outbox._send
        self.worker.outbox._send = lambda sent: (self.sends.append(len(sent)), send(sent))[1]
        thread = threading.Thread(target=self.worker.serve)
        thread.start()

        def leave() -> None:
            self.control.sendall(frames.pack(frames.STOP, 0, 0))
            thread.join()
            for channel in (self.data, self.control, data, control):
                channel.close()

        self.addCleanup(leave)

    def ask(self, first: int, count: int) -> None:
        """Sends so many requests in one piece and receives all of their answers."""
        streams = range(first, first + count)
        self.data.sendall(
            b"".join(
                frames.pack(
                    frames.REQUEST, 0, stream, request_payload(make_environ(PATH_INFO=f"/{stream}"))
                )
                for stream in streams
            )
        )
        answered = set()
        rest = b""
        while len(answered) < count:
            rest += self.data.recv(1 << 20)
            while len(rest) >= frames.HEADER_SIZE:
                length, kind, flags, _, stream = frames.unpack_header(rest)
                if len(rest) < frames.HEADER_SIZE + length:
                    break
                self.assertEqual((kind, flags), (frames.HEAD, frames.LAST))
                answered.add(stream)
                rest = rest[frames.HEADER_SIZE + length :]
        self.assertEqual(answered, set(streams))

    def test_responses_go_out_several_at_once_while_more_wait_to_begin(self) -> None:
        with mock.patch.object(threaded, "PATIENCE", 60), mock.patch.object(threaded, "_TICK", 10):
            self.ask(1, 1)
            before = len(self.sends)
            self.ask(2, 100)
        self.assertLess(len(self.sends) - before, 20)

    def test_nothing_is_held_longer_than_patience_has_it(self) -> None:
        with mock.patch.object(threaded, "PATIENCE", -1):
            self.ask(1, 50)
        # three threads that end at the same moment may share one
        self.assertGreaterEqual(len(self.sends), 17)


if __name__ == "__main__":
    unittest.main()
