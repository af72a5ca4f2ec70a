"""Holding frames back, and never for long."""

from __future__ import annotations

import unittest
from typing import List

from monoceros import frames
from monoceros.outbox import Outbox, Watcher


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

    def test_a_response_is_ended_in_its_own_frame_while_that_is_held(self) -> None:
        head = frames.pack_head(4 + 2 + 1, frames.HEAD, 0, 0, 7, 2)
        self.outbox.put(head, b"hh", b"b")
        self.outbox.seal(head, 7)
        self.outbox.flush()
        self.assertEqual(self.sent, [frames.pack_head(7, frames.HEAD, frames.LAST, 0, 7, 2) + b"hhb"])

    def test_a_response_is_ended_by_a_frame_of_its_own_when_it_is_not_the_last_one_held(self) -> None:
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
