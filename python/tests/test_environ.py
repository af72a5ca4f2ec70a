from __future__ import annotations

import marshal
import random
import struct
import unittest
from typing import Any, Dict, Optional, Tuple

from monoceros.environ import Bases, Environ, make_template, read_environ
from monoceros.frames import REQUEST, FrameError, FrameReader, LargeRequest, pack
from monoceros.streams import ErrorStream

TEMPLATE = make_template({"REQUEST_METHOD": "GET", "QUERY_STRING": ""}, False, True, ErrorStream())

Own = Tuple[str, str, Optional[str], Optional[str], Optional[Dict[str, str]]]


def in_two(shared: Dict[str, str], own: Any, body: bytes = b"") -> bytes:
    """The payload of a REQUEST whose environ is in two parts."""
    first = marshal.dumps(shared, 2)
    environ = b"S" + struct.pack("<H", len(first)) + first + marshal.dumps(own, 2)
    return struct.pack("<I", len(environ)) + environ + body


def read(payload: bytes, bases: Bases, before: bytes = b"") -> Environ:
    data = before + payload + b"the next frame"
    end = len(before) + len(payload)
    return read_environ(TEMPLATE, bases, 0, data, len(before), end, None)


class InTwoParts(unittest.TestCase):
    def test_gives_the_variables_of_both_and_of_the_template(self) -> None:
        own: Own = ("/a%20b?x=1", "4711", "/a b", "x=1", {"HTTP_COOKIE": "c=1"})
        environ = read(in_two({"HTTP_HOST": "a"}, own, b"body"), {}, b"other frames")
        self.assertEqual(environ.pop("wsgi.input").read(), b"body")
        self.assertEqual(
            environ,
            {
                **{key: value for key, value in TEMPLATE.items() if key != "wsgi.input"},
                "HTTP_HOST": "a",
                "RAW_URI": "/a%20b?x=1",
                "REQUEST_URI": "/a%20b?x=1",
                "PATH_INFO": "/a b",
                "QUERY_STRING": "x=1",
                "REMOTE_PORT": "4711",
                "HTTP_COOKIE": "c=1",
            },
        )

    def test_has_the_body_of_a_large_request_that_came_in_parts(self) -> None:
        body = bytes(range(256)) * 1000
        payload = in_two({}, ("/", "1", None, None, None), body)
        message = pack(REQUEST, 0, 1, payload)
        reader = FrameReader()
        self.assertEqual(reader.receive(message[:1000]), [])
        ((_, flags, _, data, start, end),) = reader.receive(message[1000:])
        self.assertIs(type(data), LargeRequest)
        environ = read_environ(TEMPLATE, {}, flags, data, start, end, None)
        self.assertEqual(environ["wsgi.input"].read(), body)

    def test_leaves_out_what_is_usual(self) -> None:
        environ = read(in_two({}, ("/path", "1", None, None, None)), {})
        self.assertEqual(environ["PATH_INFO"], "/path")
        self.assertEqual(environ["QUERY_STRING"], "")
        self.assertEqual(environ["wsgi.input"].read(), b"")

    def test_is_the_same_as_a_dict_whatever_came_before(self) -> None:
        generator = random.Random(5)
        bases: Bases = {}
        for _ in range(2000):
            shared = {
                f"HTTP_{i}": "v" * generator.randrange(4) for i in range(generator.randrange(4))
            }
            others = {f"HTTP_X{i}": "é" for i in range(generator.randrange(3))} or None
            query = generator.choice((None, "q=1"))
            own: Own = (
                "/é",
                str(generator.randrange(3)),
                generator.choice((None, "/p")),
                query,
                others,
            )
            expected = {
                **shared,
                "RAW_URI": own[0],
                "REQUEST_URI": own[0],
                "REMOTE_PORT": own[1],
                "PATH_INFO": own[2] or own[0],
                **({} if query is None else {"QUERY_STRING": query}),
                **(others or {}),
            }
            plain = marshal.dumps(expected, 2)
            environ = read(in_two(shared, own), bases)
            same = read(struct.pack("<I", len(plain)) + plain, bases)
            del environ["wsgi.input"], same["wsgi.input"]
            self.assertEqual(environ, same)
            # What the application does to it is not seen by the next request.
            environ.clear()

    def test_an_application_may_change_it_and_the_next_one_is_as_before(self) -> None:
        bases: Bases = {}
        payload = in_two({"HTTP_HOST": "a"}, ("/", "1", None, None, None))
        first = read(payload, bases)
        first["HTTP_HOST"] = "changed"
        first["application.own"] = "secret"
        second = read(payload, bases)
        self.assertEqual(second["HTTP_HOST"], "a")
        self.assertNotIn("application.own", second)
        self.assertEqual(len(bases), 1)

    def test_what_is_kept_is_bounded_in_number_and_size(self) -> None:
        bases: Bases = {}
        own: Own = ("/", "1", None, None, None)
        for number in range(1000):
            environ = read(in_two({"HTTP_USER_AGENT": str(number)}, own), bases)
            self.assertEqual(environ["HTTP_USER_AGENT"], str(number))
            self.assertLessEqual(len(bases), 256)
        bases.clear()
        read(in_two({"HTTP_USER_AGENT": "x" * 3000}, own), bases)
        self.assertEqual(bases, {})

    def test_is_refused_wherever_it_is_cut_off(self) -> None:
        whole = in_two({"HTTP_HOST": "a"}, ("/", "1", "/p", "q", {"HTTP_A": "b"}))[4:]
        for length in range(len(whole)):
            with self.subTest(length), self.assertRaises(FrameError):
                read(struct.pack("<I", length) + whole[:length], {})
            with self.subTest(length), self.assertRaises(FrameError):
                read(struct.pack("<I", len(whole)) + whole[:length], {})

    def test_is_refused_if_the_parts_are_not_what_they_must_be(self) -> None:
        good = ("/", "1", None, None, None)
        for shared, own in (
            (5, good),
            ({}, 5),
            ({}, None),
            ({}, good[:4]),
            ({}, (*good, None)),
            ({}, ("/", "1", None, None, 7)),
        ):
            with self.subTest(shared=shared, own=own), self.assertRaises(FrameError):
                read(in_two(shared, own), {})  # type: ignore[arg-type]


if __name__ == "__main__":
    unittest.main()
