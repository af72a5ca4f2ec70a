"""Cutting a stream of bytes into frames."""

from __future__ import annotations

import random
import struct
import unittest
from typing import List

from monoceros import frames
from monoceros.frames import FrameError, FrameReader, pack

MESSAGES = [
    pack(frames.REQUEST, 0, 1, b"x" * 300),
    pack(frames.REQUEST, frames.BODY_STREAM, 2, b""),
    pack(frames.BODY, 0, 2, b"abc"),
    pack(frames.BODY, frames.LAST, 2),
    pack(frames.WINDOW, 0, 1, b"\x00\x01\x00\x00"),
    pack(frames.CANCEL, 0, 1),
    pack(frames.RECALL, 0, 0),
    pack(frames.STOP, 0, 0),
    pack(frames.START, 0, 0, b"{}"),
]


def describe(received: List[frames.Frame]) -> List[bytes]:
    return [
        pack(kind, flags, stream, data[start:end] + body_of(data))
        for kind, flags, stream, data, start, end in received
    ]


def body_of(data: bytes) -> bytes:
    return data.body.getvalue() if isinstance(data, frames.LargeRequest) else b""


class Reading(unittest.TestCase):
    def test_whole_messages(self) -> None:
        self.assertEqual(describe(FrameReader().receive(b"".join(MESSAGES))), MESSAGES)

    def test_byte_by_byte_and_at_random_splits(self) -> None:
        data = b"".join(MESSAGES)
        for seed in range(200):
            chance = random.Random(seed)
            reader = FrameReader()
            received = []
            at = 0
            while at < len(data):
                size = 1 if seed == 0 else chance.randint(1, chance.choice((2, 13, 400)))
                received += describe(reader.receive(data[at : at + size]))
                at += size
            self.assertEqual(received, MESSAGES, f"seed {seed}")
            self.assertEqual(reader.wanted, 0)

    def test_large_requests_in_parts_are_the_same_and_their_body_is_apart(self) -> None:
        apart = 0
        for seed in range(60):
            chance = random.Random(seed)
            messages = []
            for stream in range(1, 6):
                size = chance.choice((0, 16_300, 16_400, 100_000, 300_000))
                environ = chance.randbytes(chance.choice((2, 200, 70_000)))
                payload = struct.pack("<I", len(environ)) + environ + chance.randbytes(size)
                flags = chance.choice((0, 0, 0, frames.BODY_STREAM))
                messages += [pack(frames.REQUEST, flags, stream, payload), MESSAGES[4]]
            data = b"".join(messages)
            reader = FrameReader()
            received = []
            at = 0
            while at < len(data):
                size = chance.randint(1, chance.choice((20, 5_000, 65_536, 400_000)))
                space = reader.space
                if space is not None and chance.random() < 0.5:
                    size = min(size, len(space))
                    space[:size] = data[at : at + size]
                    received += reader.filled(size)
                else:
                    received += reader.receive(data[at : at + size])
                at += size
            self.assertEqual(describe(received), messages, f"seed {seed}")
            self.assertIsNone(reader.space)
            apart += sum(type(frame[3]) is frames.LargeRequest for frame in received)
        self.assertGreater(apart, 50)

    def test_the_body_of_a_large_request_is_given_without_a_copy(self) -> None:
        message = pack(frames.REQUEST, 0, 1, struct.pack("<I", 2) + b"{}" + b"x" * 100_000)
        reader = FrameReader()
        self.assertEqual(reader.receive(message[:50_000]), [])
        ((_, _, _, data, _, _),) = reader.receive(message[50_000:])
        assert isinstance(data, frames.LargeRequest)
        body = data.body.read()
        self.assertEqual(body, b"x" * 100_000)
        data.body.seek(0)
        self.assertIs(data.body.read(100_000), body)
        data.body.close()  # which nobody with a view of it hinders

    def test_it_tells_how_much_an_unfinished_frame_lacks(self) -> None:
        reader = FrameReader()
        self.assertEqual(reader.wanted, 0)
        reader.receive(pack(frames.REQUEST, 0, 1, b"x" * 1000)[:112])
        self.assertEqual(reader.wanted, 900)

    def test_what_breaks_the_rules_is_refused(self) -> None:
        header = struct.Struct("<IBBHI").pack
        for name, data in {
            "unknown type": header(0, 0x55, 0, 0, 1),
            "the worker's type": header(0, frames.HEAD, 0, 0, 1),
            "unknown flag": header(0, frames.REQUEST, 4, 0, 1),
            "both flags": header(0, frames.REQUEST, 3, 0, 1),
            "both flags of a body": header(0, frames.BODY, 3, 0, 1),
            "flag of a STOP": header(0, frames.STOP, 1, 0, 0),
            "reserved": header(0, frames.REQUEST, 0, 1, 1),
            "too long": header(16 * 1024 * 1024 + 1, frames.REQUEST, 0, 0, 1),
            "REQUEST about 0": header(0, frames.REQUEST, 0, 0, 0),
            "STOP about 1": header(0, frames.STOP, 0, 0, 1),
            "WINDOW without a number": header(0, frames.WINDOW, 0, 0, 1),
            "CANCEL with a payload": header(1, frames.CANCEL, 0, 0, 1),
        }.items():
            with self.subTest(name), self.assertRaises(FrameError):
                FrameReader().receive(data)

    def test_text_that_is_too_long_keeps_its_ends(self) -> None:
        text = "begin" + "x" * 100_000 + "end"
        payload = frames.pack_fail(1, text)[12:].decode()
        self.assertTrue(
            payload.startswith("begin") and payload.endswith("end") and len(payload) < 66_000
        )

    def test_text_with_lone_surrogates_can_be_sent(self) -> None:
        self.assertIn(b"\\udc80", frames.pack_log(frames.ERROR, 0, "x\udc80"))


if __name__ == "__main__":
    unittest.main()
