"""Holding frames back, and never for long."""

from __future__ import annotations

import signal
import socket
import threading
import unittest
from typing import Any, List, cast

from monoceros import frames
from monoceros.channel import send_gathered
from monoceros.outbox import Bytes, Outbox, Watcher


class Holding(unittest.TestCase):
    def setUp(self) -> None:
        self.sent: List[bytes] = []
        self.outbox = Outbox(self.sent.append)

    def test_what_is_held_goes_out_in_one_piece_and_in_order(self) -> None:
        self.outbox.put(b"a", b"b")
        self.outbox.put(b"c")
        self.outbox.flush()
        self.outbox.flush()
        self.assertEqual(self.sent, [b"abc"])

    def test_without_a_watcher_nothing_is_held(self) -> None:
        self.outbox.put(b"a")
        self.outbox.watch()
        self.assertEqual(self.sent, [b"a"])

    def test_large_parts_are_sent_as_they_are_and_small_ones_joined(self) -> None:
        gathered: List[List[Bytes]] = []
        outbox = Outbox(self.sent.append, gathered.append)
        body = memoryview(b"x" * 65536)
        outbox.put(b"head", body)
        outbox.held += len(body)
        outbox.flush()
        self.assertEqual((gathered, self.sent), ([[b"head", body]], []))
        outbox.put(b"head", b"y" * 1000)
        outbox.held += 1000
        outbox.flush()
        self.assertEqual((len(gathered), self.sent), (1, [b"head" + b"y" * 1000]))

    def test_parts_arrive_whole_and_in_order_however_many_and_through_signals(self) -> None:
        parts: List[Bytes] = [memoryview(b"%08d" % number * 20) for number in range(3000)] + [
            b"z" * 3_000_000
        ]
        expected = b"".join(parts)
        ours, theirs = socket.socketpair()
        received: List[bytes] = []

        def receive() -> None:
            while data := theirs.recv(100_000):
                received.append(data)

        reader = threading.Thread(target=receive)
        previous = signal.signal(signal.SIGALRM, lambda number, frame: None)
        try:
            reader.start()
            signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
            send_gathered(ours, parts)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, previous)
            ours.close()
            reader.join()
            theirs.close()
        self.assertTrue(b"".join(received) == expected)

    def test_what_a_signal_cut_short_is_sent_to_its_end(self) -> None:
        class Interrupted:
            """A channel of which a signal interrupts the first call."""

            sent = b""

            def sendmsg(self, parts: List[Bytes]) -> int:
                self.sent += b"".join(parts)[:5]
                return 5

            def sendall(self, data: Bytes) -> None:
                self.sent += bytes(data)

        channel = Interrupted()
        send_gathered(cast(Any, channel), [b"abc", memoryview(b"defg"), b"hi"])
        self.assertEqual(channel.sent, b"abcdefghi")

    def test_a_response_is_ended_in_its_own_frame_while_that_is_held(self) -> None:
        head = frames.pack_head(4 + 2 + 1, frames.HEAD, 0, 0, 7, 2)
        self.outbox.put(head, b"hh", b"b")
        self.outbox.seal(head, 7)
        self.outbox.flush()
        self.assertEqual(
            self.sent, [frames.pack_head(7, frames.HEAD, frames.LAST, 0, 7, 2) + b"hhb"]
        )

    def test_a_response_is_ended_by_a_frame_of_its_own_when_it_is_not_the_last_one_held(
        self,
    ) -> None:
        end = frames.pack(frames.END, 0, 7)
        head = frames.pack_head(4 + 2 + 1, frames.HEAD, 0, 0, 7, 2)
        for between in (self.outbox.flush, lambda: self.outbox.put(b"another")):
            self.outbox.put(head, b"hh", b"b")
            between()
            self.outbox.seal(head, 7)
            self.outbox.flush()
            self.assertTrue(b"".join(self.sent).endswith(end))


class Watching(unittest.TestCase):
    def setUp(self) -> None:
        self.sent: List[bytes] = []
        self.outbox = Outbox(self.sent.append)
        self.outbox.watched = True
        self.watcher = Watcher(self.outbox)
        self.watcher.tick()

    def test_what_stayed_for_a_tick_is_sent(self) -> None:
        self.outbox.put(b"a")
        self.assertTrue(self.watcher.tick())
        self.assertEqual(self.sent, [b"a"])

    def test_what_is_sent_anyway_is_left_alone(self) -> None:
        self.outbox.put(b"a")
        self.outbox.flush()
        self.outbox.put(b"b")
        self.watcher.tick()
        self.assertEqual(self.sent, [b"a"])

    def test_watching_ends_when_nothing_happens(self) -> None:
        ticks = 0
        while self.watcher.tick():
            ticks += 1
            self.assertLess(ticks, 100)
        self.assertFalse(self.outbox.watched)

    def test_it_can_be_woken_again(self) -> None:
        while self.watcher.tick():
            pass
        self.outbox.watched = True
        self.outbox.put(b"a")
        while not self.sent:
            self.assertTrue(self.watcher.tick())


if __name__ == "__main__":
    unittest.main()
