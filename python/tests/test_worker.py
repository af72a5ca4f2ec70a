"""A real worker process and an acceptor that speaks frames with it."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import unittest
from typing import Any

from monoceros import frames
from tests.acceptor import (
    WORKER,
    Acceptor,
    assemble,
    ends,
    make_environ,
    request_payload,
    wait_until,
)

APP = """
    import os, sys, threading, time

    HERE = os.path.dirname(os.path.abspath(__file__))

    def wait_for(name):
        deadline = time.monotonic() + 60
        while not os.path.exists(os.path.join(HERE, name)):
            assert time.monotonic() < deadline, name
            time.sleep(0.002)

    def mark(name, text='yes'):
        with open(os.path.join(HERE, name + '.new'), 'w') as file:
            file.write(text)
        os.rename(os.path.join(HERE, name + '.new'), os.path.join(HERE, name))

    class Body:
        def __init__(self, chunks, name):
            self.chunks, self.name = iter(chunks), name
        def __iter__(self):
            return self
        def __next__(self):
            return next(self.chunks)
        def close(self):
            mark('closed-' + self.name, str(threading.get_ident()))

    def app(environ, start_response):
        path = environ['PATH_INFO']
        query = environ['QUERY_STRING']
        if path == '/wait':
            mark('begun-' + query)
            wait_for('go-' + query)
        write = start_response('200 OK', [('X-Thread', str(threading.get_ident()))])
        if path == '/echo':
            return [environ['wsgi.input'].read()]
        if path == '/lines':
            return iter([b'%d ' % len(line) for line in environ['wsgi.input']])
        if path == '/large':
            return Body((b'%07d ' % n * 128 for n in range(1000)), query)
        if path == '/write':
            for n in range(100):
                write(b'%07d ' % n * 128)
            return []
        if path == '/threads':
            def body():
                for n in range(40):
                    yield str(threading.get_ident()).encode().ljust(1024)
            return Body(body(), query)
        if path == '/stream':
            def body():
                yield b'one'
                wait_for('go-' + query)
                yield b'two'
            return Body(body(), query)
        if path == '/tail':
            class Tail(Body):
                def close(self):
                    wait_for('go-' + query)
            start_response.__self__
            return Tail([b'x'], query)
        if path == '/whole':
            pass
        if path == '/cancelled':
            import gc
            (worker,) = [
                one for one in gc.get_objects()
                if hasattr(type(one), 'track') and hasattr(one, '_cancelled')
            ]
            return [repr(worker._cancelled).encode()]
        if path == '/print':
            print('to stdout \\u20ac')
            print('to stderr', file=sys.stderr)
            environ['wsgi.errors'].write('to wsgi.errors\\n')
        if path == '/sleep':
            mark('begun-' + query)
            time.sleep(60)
        if path == '/raise':
            raise ValueError('on purpose')
        return [path.encode()]
"""

TAIL = """
    import os, time
    HERE = os.path.dirname(os.path.abspath(__file__))
    def app(environ, start_response):
        start_response('200 OK', [('Content-Length', '1')])
        class Body:
            def __iter__(self):
                return iter((b'x',))
            def close(self):
                deadline = time.monotonic() + 60
                while not os.path.exists(os.path.join(HERE, 'go')):
                    assert time.monotonic() < deadline
                    time.sleep(0.002)
        return Body()
"""


class Both:
    """What holds for any number of threads."""

    threads = 0

    def start(self, source: str = APP, **settings: Any) -> Acceptor:
        acceptor = Acceptor(source, threads=self.threads, **settings)
        self.addCleanup(acceptor.close)  # type: ignore[attr-defined]
        return acceptor

    def test_it_says_who_it_is(self: Any) -> None:
        import json

        acceptor = self.start()
        self.assertEqual((acceptor.first.kind, acceptor.first.stream), (frames.READY, 0))
        ready = json.loads(acceptor.first.payload)
        self.assertEqual(
            (ready["protocol"], ready["pid"]), (frames.PROTOCOL_VERSION, acceptor.process.pid)
        )
        self.assertEqual(ready["python"], ".".join(map(str, sys.version_info[:3])))
        self.assertEqual((ready["implementation"], ready["application"]), ("CPython", "webapp:app"))
        self.assertIn(acceptor.path("webapp.py"), ready["files"])
        self.assertFalse([path for path in ready["files"] if f"monoceros{os.sep}solo" in path])

    def test_it_answers_many_requests_sent_at_once_in_full(self: Any) -> None:
        acceptor = self.start()
        streams = [acceptor.request(f"/{number}") for number in range(200)]
        for number, stream in enumerate(streams):
            self.assertEqual(acceptor.finish(stream).body, f"/{number}".encode())
        self.assertEqual(acceptor.begun(), 200)

    def test_the_ledger_is_written_before_a_request_begins(self: Any) -> None:
        acceptor = self.start()
        acceptor.get()
        stream = acceptor.request("/wait", QUERY_STRING="a")
        acceptor.await_file("begun-a")
        self.assertEqual(acceptor.begun(), stream)
        acceptor.signal(signal.SIGKILL)
        acceptor.process.wait()
        self.assertEqual(acceptor.begun(), stream)
        with self.assertRaises(EOFError):
            acceptor.receive()

    def test_large_inline_bodies_arrive_whole(self: Any) -> None:
        acceptor = self.start()
        body = os.urandom(3_000_000)
        stream = acceptor.request("/echo", body)
        self.assertEqual(acceptor.finish(stream).body, body)

    def test_a_streamed_body_is_read_as_it_comes(self: Any) -> None:
        acceptor = self.start()
        stream = acceptor.request("/echo", flags=frames.BODY_STREAM)
        body = os.urandom(1_000_000)
        at, credit, received = 0, 0, []
        while True:
            frame = acceptor.frame_of(stream)
            if frame.kind == frames.BODY_WINDOW:
                credit += frames.unpack_u32(frame.payload)[0]
                self.assertLessEqual(credit, 262144)
                while credit and at < len(body):
                    piece = body[at : at + min(credit, 50_000)]
                    at += len(piece)
                    credit -= len(piece)
                    acceptor.send(frames.BODY, stream, piece, frames.LAST if at == len(body) else 0)
                continue
            received.append(frame)
            if ends(frame):
                break
            acceptor.window(stream, len(frame.payload))
        self.assertEqual(assemble(received).body, body)

    def test_other_requests_wait_their_turn_while_a_body_is_awaited(self: Any) -> None:
        acceptor = self.start()
        stream = acceptor.request("/lines", flags=frames.BODY_STREAM)
        acceptor.frame_of(stream, frames.BODY_WINDOW)
        other = acceptor.request("/other")
        acceptor.send(frames.BODY, stream, b"ab\nc")
        acceptor.send(frames.BODY, stream, b"d\n", frames.LAST)
        self.assertEqual(acceptor.finish(stream).body, b"3 3 ")
        self.assertEqual(acceptor.finish(other).body, b"/other")

    def test_a_body_that_is_aborted_ends_the_exchange_without_a_traceback(self: Any) -> None:
        acceptor = self.start()
        stream = acceptor.request("/echo", flags=frames.BODY_STREAM)
        acceptor.frame_of(stream, frames.BODY_WINDOW)
        acceptor.send(frames.BODY, stream, b"ab", frames.ABORT)
        response = acceptor.finish(stream)
        self.assertEqual((response.broken, response.failure, response.status), (True, None, ""))
        self.assertEqual(acceptor.get("/next").body, b"/next")

    def test_a_body_nobody_reads_is_no_hindrance(self: Any) -> None:
        acceptor = self.start()
        for flags, payload in ((frames.LAST, b""), (frames.ABORT, b"")):
            stream = acceptor.request("/unread", flags=frames.BODY_STREAM)
            acceptor.send(frames.BODY, stream, payload, flags)
            self.assertEqual(acceptor.finish(stream).body, b"/unread")
        stream = acceptor.request("/unread", flags=frames.BODY_STREAM)
        self.assertEqual(acceptor.finish(stream).body, b"/unread")
        acceptor.send(frames.BODY, stream, b"late", frames.LAST)
        self.assertEqual(acceptor.get("/next").body, b"/next")

    def test_a_slow_reader_holds_nobody(self: Any) -> None:
        acceptor = self.start(window=4096)
        slow = [acceptor.request("/large", QUERY_STRING=str(number)) for number in range(6)]
        for number in range(20):
            self.assertEqual(acceptor.get(f"/{number}").body, f"/{number}".encode())
        expected = b"".join(b"%07d " % n * 128 for n in range(1000))
        for stream in reversed(slow):
            acceptor.window(stream, 10_000_000)
        for stream in slow:
            response = acceptor.finish(stream, credit=False)
            self.assertEqual((response.body, response.broken), (expected, False))

    def test_never_more_is_sent_than_there_is_credit_for(self: Any) -> None:
        acceptor = self.start(window=5000)
        stream = acceptor.request("/large", QUERY_STRING="x")
        sent, granted = 0, 5000
        while sent < 200_000:
            frame = acceptor.frame_of(stream)
            if frame.kind == frames.SUSPENDED:
                continue
            head = 4 + frames.unpack_u32(frame.payload)[0] if frame.kind == frames.HEAD else 0
            sent += len(frame.payload) - head
            self.assertLessEqual(sent, granted)
            if sent == granted:
                acceptor.window(stream, 3000)
                granted += 3000

    def test_an_exchange_out_of_credit_is_suspended_and_its_thread_is_free(self: Any) -> None:
        acceptor = self.start(window=1000)
        slow = [
            acceptor.request("/large", QUERY_STRING=str(number))
            for number in range(self.threads + 1)
        ]
        for stream in slow:
            aside = acceptor.frame_of(stream, frames.SUSPENDED)
            self.assertEqual((aside.flags, aside.payload), (0, frames.pack_u32(1024)))
        self.assertEqual(acceptor.get("/other").body, b"/other")
        for stream in slow:
            acceptor.window(stream, 500)
            acceptor.frame_of(stream, frames.SUSPENDED)

    def test_write_waits_for_a_slow_reader_and_loses_nothing(self: Any) -> None:
        acceptor = self.start(window=1000)
        stream = acceptor.request("/write")
        other = acceptor.request("/other")
        expected = b"".join(b"%07d " % n * 128 for n in range(100))
        received = []
        while True:
            frame = acceptor.frame_of(stream)
            received.append(frame)
            if ends(frame):
                break
            acceptor.window(stream, 700)
        self.assertEqual(assemble(received).body, expected)
        self.assertEqual(acceptor.finish(other).body, b"/other")

    def test_a_suspended_exchange_is_resumed_in_the_thread_that_began_it(self: Any) -> None:
        acceptor = self.start(window=1024)
        streams = [acceptor.request("/threads", QUERY_STRING=str(number)) for number in range(8)]
        for number, stream in enumerate(streams):
            body = acceptor.finish(stream).body
            self.assertEqual(len(body), 40 * 1024)
            threads = set(body.split())
            self.assertEqual(len(threads), 1)
            self.assertEqual({acceptor.await_file(f"closed-{number}").encode()}, threads)

    def test_a_chunk_is_sent_before_the_next_is_asked_for(self: Any) -> None:
        acceptor = self.start()
        stream = acceptor.request("/stream", QUERY_STRING="s")
        self.assertEqual(acceptor.frame_of(stream).kind, frames.HEAD)
        acceptor.touch("go-s")
        self.assertEqual(acceptor.frame_of(stream).payload, b"two")

    def test_a_complete_response_does_not_wait_for_a_slow_close(self: Any) -> None:
        acceptor = self.start(TAIL)
        stream = acceptor.request()
        head = acceptor.frame_of(stream)
        self.assertEqual((head.kind, head.payload[-1:]), (frames.HEAD, b"x"))
        acceptor.touch("go")
        if not ends(head):
            self.assertTrue(ends(acceptor.frame_of(stream)))

    def test_a_recall_gives_back_what_has_not_begun(self: Any) -> None:
        acceptor = self.start()
        running = [
            acceptor.request("/wait", QUERY_STRING=str(number)) for number in range(self.threads)
        ]
        for number in range(self.threads):
            acceptor.await_file(f"begun-{number}")
        waiting = [acceptor.request(f"/{number}", b"x" * 25_000) for number in range(5)]
        got = []
        while got != waiting:
            # One RECALL gives back what has arrived by then.
            acceptor.command(frames.RECALL)
            got += acceptor.returned()
        self.assertEqual(acceptor.begun(), running[-1])
        for number in range(self.threads):
            acceptor.touch(f"go-{number}")
        for stream in running:
            self.assertEqual(acceptor.finish(stream).body, b"/wait")
        self.assertEqual(acceptor.get("/next").body, b"/next")

    def test_a_recall_with_nothing_to_give_back_is_answered_too(self: Any) -> None:
        acceptor = self.start()
        acceptor.command(frames.RECALL)
        self.assertEqual(acceptor.returned(), [])

    def test_a_cancelled_request_that_has_not_begun_never_begins(self: Any) -> None:
        acceptor = self.start()
        running = [
            acceptor.request("/wait", QUERY_STRING=str(number)) for number in range(self.threads)
        ]
        for number in range(self.threads):
            acceptor.await_file(f"begun-{number}")
        gone = acceptor.request("/wait", QUERY_STRING="gone")
        for channel in (acceptor.command, acceptor.send):
            channel(frames.CANCEL, stream=gone)
        for number in range(self.threads):
            acceptor.touch(f"go-{number}")
        for stream in running:
            acceptor.finish(stream)
        response = acceptor.finish(gone)
        self.assertEqual((response.broken, response.status), (True, ""))
        self.assertFalse(os.path.exists(acceptor.path("begun-gone")))

    def test_a_cancellation_that_comes_again_after_the_request_was_dropped_is_forgotten(
        self: Any,
    ) -> None:
        acceptor = self.start()
        running = [
            acceptor.request("/wait", QUERY_STRING=str(number)) for number in range(self.threads)
        ]
        for number in range(self.threads):
            acceptor.await_file(f"begun-{number}")
        gone = acceptor.request("/whole")
        acceptor.command(frames.CANCEL, stream=gone)
        acceptor.command(frames.RECALL)
        self.assertEqual(acceptor.returned(), [])
        self.assertTrue(acceptor.finish(gone).broken)
        acceptor.send(frames.CANCEL, gone)
        for number in range(self.threads):
            acceptor.touch(f"go-{number}")
        for stream in running:
            acceptor.finish(stream)
        self.assertEqual(acceptor.get("/cancelled").body, b"set()")

    def test_a_cancelled_stream_is_closed_and_ended(self: Any) -> None:
        acceptor = self.start(window=1000)
        stream = acceptor.request("/large", QUERY_STRING="c")
        while acceptor.frame_of(stream).kind != frames.HEAD:
            pass
        acceptor.command(frames.CANCEL, stream=stream)
        acceptor.send(frames.CANCEL, stream)
        self.assertTrue(acceptor.finish(stream, credit=False).broken)
        acceptor.await_file("closed-c")
        self.assertEqual(acceptor.get("/next").body, b"/next")

    def test_cancel_reaches_one_that_waits_in_write_or_read(self: Any) -> None:
        acceptor = self.start(window=1000)
        stream = acceptor.request("/write")
        acceptor.frame_of(stream, frames.HEAD)
        acceptor.send(frames.CANCEL, stream)
        self.assertTrue(acceptor.finish(stream, credit=False).broken)
        stream = acceptor.request("/echo", flags=frames.BODY_STREAM)
        acceptor.frame_of(stream, frames.BODY_WINDOW)
        acceptor.send(frames.CANCEL, stream)
        self.assertTrue(acceptor.finish(stream).broken)
        self.assertEqual(acceptor.get("/next").body, b"/next")

    def test_frames_about_ended_streams_are_ignored(self: Any) -> None:
        acceptor = self.start()
        stream = acceptor.request("/a")
        acceptor.finish(stream)
        acceptor.window(stream, 1000)
        acceptor.send(frames.CANCEL, stream)
        acceptor.command(frames.CANCEL, stream=stream)
        acceptor.send(frames.BODY, stream, b"x")
        self.assertEqual(acceptor.get("/next").body, b"/next")

    def test_an_application_error_is_a_fail_and_the_worker_stays(self: Any) -> None:
        acceptor = self.start()
        failure = acceptor.get("/raise").failure
        self.assertTrue(failure.startswith("Traceback"))
        self.assertIn("webapp.py", failure)
        self.assertTrue(failure.endswith("ValueError: on purpose"))
        self.assertEqual(acceptor.get("/next").body, b"/next")

    def test_stop_lets_everything_finish_and_leaves_with_0(self: Any) -> None:
        acceptor = self.start(window=1000)
        stream = acceptor.request("/large", QUERY_STRING="s")
        queued = [acceptor.request(f"/{number}") for number in range(5)]
        self.assertEqual(acceptor.finish(queued[0]).body, b"/0")
        acceptor.command(frames.STOP)
        for number, other in enumerate(queued[1:], 1):
            self.assertEqual(acceptor.finish(other).body, f"/{number}".encode())
        acceptor.window(stream, 10_000_000)
        response = acceptor.finish(stream, credit=False)
        self.assertEqual((len(response.body), response.broken), (1_024_000, False))
        self.assertEqual(acceptor.status(), 0)

    def test_stop_ends_an_idle_worker_at_once_and_runs_its_exit_functions(self: Any) -> None:
        acceptor = self.start(APP + "\n    import atexit; atexit.register(mark, 'exited')\n")
        self.assertEqual(acceptor.stop(), 0)
        acceptor.await_file("exited")
        self.assertEqual(acceptor.stderr(), "")

    def test_it_leaves_when_the_acceptor_is_gone(self: Any) -> None:
        acceptor = self.start()
        acceptor.data.close()
        acceptor.control.close()
        self.assertEqual(acceptor.status(), 1)

    def test_what_runs_when_the_acceptor_goes_may_finish_and_streams_are_closed(self: Any) -> None:
        acceptor = self.start(window=1000, graceful_timeout=20)
        acceptor.frame_of(acceptor.request("/large", QUERY_STRING="l"))
        acceptor.request("/wait", QUERY_STRING="r")
        acceptor.await_file("begun-r")
        acceptor.data.close()
        acceptor.control.close()
        acceptor.touch("go-r")
        self.assertEqual(acceptor.status(), 1)
        acceptor.await_file("closed-l")

    def test_what_runs_for_ever_ends_when_the_acceptor_is_gone(self: Any) -> None:
        acceptor = self.start(graceful_timeout=0.2)
        acceptor.request("/sleep", QUERY_STRING="z")
        acceptor.await_file("begun-z")
        acceptor.data.close()
        acceptor.control.close()
        self.assertEqual(acceptor.status(), 1)

    def test_a_broken_protocol_ends_the_worker_with_4(self: Any) -> None:
        for name, data, control in (
            ("unknown type", struct.pack("<IBBHI", 0, 0x55, 0, 0, 1), b""),
            (
                "backwards",
                frames.pack(frames.REQUEST, 0, 2, b"") + frames.pack(frames.REQUEST, 0, 1, b""),
                b"",
            ),
            ("unopened", frames.pack(frames.WINDOW, 0, 9, b"abcd"), b""),
            ("control on data", frames.pack(frames.STOP, 0, 0), b""),
            ("bad environ", frames.pack(frames.REQUEST, 0, 1, b"zz"), b""),
            ("data on control", b"", frames.pack(frames.WINDOW, 0, 1, b"abcd")),
            ("second START", b"", frames.pack(frames.START, 0, 0, b"{}")),
        ):
            with self.subTest(name):
                acceptor = self.start()
                # Sending nothing fails too, if the worker has ended in the meantime.
                if data:
                    acceptor.data.sendall(data)
                if control:
                    acceptor.control.sendall(control)
                self.assertEqual(acceptor.status(), 4)
                self.assertRegex(
                    acceptor.stderr(), r"monoceros worker: the acceptor sent .* \[MONO5011\]\n"
                )
                self.assertNotIn("Traceback", acceptor.stderr())

    def test_ordinary_signals_do_not_end_it(self: Any) -> None:
        acceptor = self.start()
        for number in (
            signal.SIGINT,
            signal.SIGTERM,
            signal.SIGQUIT,
            signal.SIGHUP,
            signal.SIGUSR1,
        ):
            acceptor.signal(number)
            self.assertEqual(acceptor.get("/next").body, b"/next")

    def test_abort_ends_it_with_the_stacks_of_all_threads(self: Any) -> None:
        acceptor = self.start()
        acceptor.request("/sleep", QUERY_STRING="z")
        acceptor.await_file("begun-z")
        acceptor.signal(signal.SIGABRT)
        self.assertEqual(acceptor.status(), -signal.SIGABRT)
        self.assertRegex(
            acceptor.stderr(), r'(?s)Fatal Python error: Aborted.*webapp.py", line \d+ in app'
        )

    def test_it_answers_when_it_has_no_greenlets_to_print(self: Any) -> None:
        acceptor = self.start()
        acceptor.command(frames.PRINT_STACKS)
        self.assertEqual(acceptor.printed().payload, b"")
        self.assertEqual(acceptor.get("/next").body, b"/next")
        self.assertEqual(acceptor.stderr(), "")

    def test_the_environ_says_how_many_threads_and_processes_there_are(self: Any) -> None:
        source = """
            def app(environ, start_response):
                start_response('200 OK', [])
                names = ('wsgi.multithread', 'wsgi.multiprocess', 'SERVER_SOFTWARE')
                return [repr([environ[name] for name in names]).encode()]
        """
        acceptor = self.start(source, multiprocess=False)
        self.assertEqual(
            acceptor.get().body.decode(), repr([self.threads > 1, False, "monoceros/test"])
        )

    def test_output_is_written_line_by_line(self: Any) -> None:
        acceptor = self.start()
        acceptor.get("/print")
        self.assertEqual(acceptor.stdout(), "to stdout \u20ac\n")
        self.assertEqual(acceptor.stderr(), "to stderr\nto wsgi.errors\n")

    def test_a_child_process_gets_neither_channels_nor_ignored_signals(self: Any) -> None:
        source = """
            import subprocess, sys
            CODE = '''
            import os, signal
            open_numbers = []
            for number in range(3, 20):
                try:
                    os.fstat(number)
                    open_numbers.append(number)
                except OSError:
                    pass
            print(open_numbers, signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
            '''
            import textwrap
            def app(environ, start_response):
                start_response('200 OK', [])
                command = [sys.executable, '-c', textwrap.dedent(CODE)]
                return [subprocess.check_output(command, close_fds=False)]
        """
        self.assertEqual(self.start(source).get().body, b"[] True\n")

    def test_a_forked_process_that_stays_does_not_keep_the_channels(self: Any) -> None:
        source = """
            import os, time
            def app(environ, start_response):
                pid = os.fork()
                if pid == 0:
                    time.sleep(60)
                    os._exit(0)
                start_response('200 OK', [])
                return [str(pid).encode()]
        """
        acceptor = self.start(source)
        child = int(acceptor.get().body)
        try:
            acceptor.signal(signal.SIGKILL)
            acceptor.process.wait()
            with self.assertRaises(EOFError):
                acceptor.receive()
        finally:
            os.kill(child, signal.SIGKILL)


class OneThread(Both, unittest.TestCase):
    threads = 1

    def test_a_finished_response_does_not_wait_behind_a_slow_request(self) -> None:
        acceptor = self.start()
        payload = b""
        # In one piece, so that the worker sees the slow one queued when it has finished the quick
        # one.
        for stream, path, query in ((1, "/quick", ""), (2, "/wait", "b")):
            environ = make_environ(PATH_INFO=path, QUERY_STRING=query)
            payload += frames.pack(frames.REQUEST, 0, stream, request_payload(environ))
        acceptor.data.sendall(payload)
        self.assertEqual(acceptor.finish(1).body, b"/quick")
        self.assertFalse(os.path.exists(acceptor.path("go-b")))
        acceptor.touch("go-b")
        self.assertEqual(acceptor.finish(2).body, b"/wait")

    def test_a_recall_takes_what_is_still_unread_in_the_channel(self) -> None:
        acceptor = self.start()
        running = acceptor.request("/wait", QUERY_STRING="a")
        acceptor.await_file("begun-a")
        later = acceptor.request("/later")
        acceptor.command(frames.RECALL)
        self.assertEqual(acceptor.returned(), [later])
        acceptor.touch("go-a")
        self.assertEqual(acceptor.finish(running).body, b"/wait")

    def test_frames_read_by_a_recall_are_acted_upon(self) -> None:
        acceptor = self.start(window=1000)
        slow = acceptor.request("/large", QUERY_STRING="s")
        acceptor.frame_of(slow, frames.HEAD)
        running = acceptor.request("/wait", QUERY_STRING="a")
        acceptor.await_file("begun-a")
        acceptor.window(slow, 10_000_000)
        acceptor.command(frames.RECALL)
        self.assertEqual(acceptor.returned(), [])
        acceptor.touch("go-a")
        self.assertEqual(acceptor.finish(running).body, b"/wait")
        # and 1000 beside the head
        self.assertEqual(len(acceptor.finish(slow, credit=False).body), 1_023_000)

    def test_requests_run_one_at_a_time_in_the_main_thread(self) -> None:
        source = """
            import threading
            def app(environ, start_response):
                start_response('200 OK', [])
                return [str(threading.current_thread() is threading.main_thread()).encode()]
        """
        self.assertEqual(self.start(source).get().body, b"True")


class FourThreads(Both, unittest.TestCase):
    threads = 4

    def test_a_finished_response_does_not_wait_for_what_the_threads_sleep_in(self) -> None:
        acceptor = self.start()
        payload = b""
        # In one piece, so that each thread sees more to begin when it has finished a quick one.
        paths = [("/quick", ""), ("/quick", ""), ("/quick", "")] + [
            ("/wait", str(number)) for number in range(6)
        ]
        for stream, (path, query) in enumerate(paths, 1):
            environ = make_environ(PATH_INFO=path, QUERY_STRING=query)
            payload += frames.pack(frames.REQUEST, 0, stream, request_payload(environ))
        acceptor.data.sendall(payload)
        for number in range(4):
            acceptor.await_file(f"begun-{number}")
        for stream in (1, 2, 3):
            self.assertEqual(acceptor.finish(stream).body, b"/quick")
        for number in range(6):
            acceptor.touch(f"go-{number}")
        for stream in range(4, 10):
            self.assertEqual(acceptor.finish(stream).body, b"/wait")

    def test_requests_that_all_wait_are_all_begun_though_threads_are_woken_one_at_a_time(
        self,
    ) -> None:
        acceptor = self.start()
        for turn in range(20):
            streams = [
                acceptor.request("/wait", QUERY_STRING=f"{turn}-{number}") for number in range(4)
            ]
            for number in range(4):
                acceptor.await_file(f"begun-{turn}-{number}")
            for number in range(4):
                acceptor.touch(f"go-{turn}-{number}")
            for stream in streams:
                acceptor.finish(stream)

    def test_as_many_requests_run_at_once_and_no_more(self) -> None:
        acceptor = self.start()
        streams = [acceptor.request("/wait", QUERY_STRING=str(number)) for number in range(6)]
        for number in range(4):
            acceptor.await_file(f"begun-{number}")
        self.assertEqual(acceptor.begun(), 4)
        acceptor.touch("go-2")
        self.assertEqual(acceptor.finish(streams[2]).body, b"/wait")
        acceptor.await_file("begun-4")
        self.assertEqual(acceptor.begun(), 5)
        for number in range(6):
            acceptor.touch(f"go-{number}")
        for stream in streams[:2] + streams[3:]:
            acceptor.finish(stream)


class Starting(unittest.TestCase):
    def test_an_application_that_cannot_be_loaded_is_a_fail_and_status_3(self) -> None:
        for source, reference, words, traceback in (
            (
                "def app(e, s): ...",
                "nowhere_at_all:app",
                "there is no module 'nowhere_at_all'",
                False,
            ),
            ("def app(e, s): ...", "webapp:ap", "did you mean 'app'", False),
            ("def app(e, s):: ...", "webapp:app", "SyntaxError", False),
            ("import nothing_like_it", "webapp:app", "No module named 'nothing_like_it'", True),
            ("raise SystemExit(0)", "webapp:app", "SystemExit", True),
        ):
            with self.subTest(words), Acceptor(source, reference) as acceptor:
                self.assertEqual((acceptor.first.kind, acceptor.first.stream), (frames.FAIL, 0))
                text = acceptor.first.payload.decode()
                self.assertIn(words, text)
                self.assertEqual("Traceback" in text, traceback)
                self.assertNotIn(os.path.join("monoceros", "loader.py"), text)
                self.assertEqual(acceptor.status(), 3)
                self.assertEqual(acceptor.stderr(), "")

    def test_the_stack_of_a_load_is_reported_and_the_load_continues(self) -> None:
        source = """
            import os, threading, time

            def wait_here():
                while not os.path.exists("go"):
                    time.sleep(0.01)

            wait_here()

            def app(environ, start_response):
                start_response("200 OK", [])
                return [str(threading.active_count()).encode()]
        """
        for threads in (1, 2):
            with self.subTest(threads=threads), Acceptor(source, start=False) as acceptor:
                acceptor.settings["threads"] = threads
                acceptor.command(frames.START, json.dumps(acceptor.settings).encode())

                def stacks() -> str:
                    acceptor.command(frames.GET_STACKS)
                    frame = acceptor.receive()
                    self.assertEqual((frame.kind, frame.stream), (frames.STACKS, 0))
                    return frame.payload.decode()

                wait_until(lambda: "in wait_here\n" in stacks(), "the application to wait")
                text = stacks()
                main = text[text.index("Current thread") :]
                self.assertRegex(
                    main, r'File "[^"]*webapp\.py", line \d+ in wait_here\n.*line \d+ in <module>\n'
                )
                # The thread that reports is left out.
                self.assertNotIn("stacks.py", text)
                with open(acceptor.path("go"), "w", encoding="ascii"):
                    pass
                # One more, which may come too late.
                acceptor.command(frames.GET_STACKS)
                ready = acceptor.receive()
                if ready.kind == frames.STACKS:
                    ready = acceptor.receive()
                self.assertEqual(ready.kind, frames.READY)
                self.assertEqual(acceptor.get("/").status, "200 OK")

    def test_a_load_that_holds_the_interpreter_is_dumped_behind_the_ledger_on_a_signal(
        self,
    ) -> None:
        source = """
            import re

            def match_for_ever():
                open("matching", "w").close()
                re.match("(a+)+$", "a" * 60 + "b")

            match_for_ever()
        """
        with Acceptor(source, start=False) as acceptor:
            acceptor.command(frames.START, json.dumps(acceptor.settings).encode())
            wait_until(
                lambda: os.path.exists(acceptor.path("matching")), "the application to be loaded"
            )
            acceptor.process.send_signal(signal.SIGURG)

            def dumped() -> bytes:
                acceptor.ledger.seek(4)
                return acceptor.ledger.read()

            wait_until(lambda: b"in match_for_ever" in dumped(), "the dump")
            self.assertIsNone(acceptor.process.poll())

    def test_a_directory_that_is_not_there_is_a_fail(self) -> None:
        with Acceptor("", chdir="/nowhere/at/all") as acceptor:
            self.assertEqual(
                acceptor.first.payload,
                b"chdir '/nowhere/at/all': No such file or directory [MONO2007]",
            )
            self.assertEqual(acceptor.status(), 3)

    def test_sys_path_is_pythonpath_then_the_directory_and_not_the_workers(self) -> None:
        source = """
            import os, sys
            def app(environ, start_response):
                start_response('200 OK', [])
                return ['\\n'.join([os.getcwd(), *sys.path]).encode()]
        """
        with Acceptor(source, pythonpath=["/first", "/second"]) as acceptor:
            directory, *path = acceptor.get().body.decode().split("\n")
            self.assertEqual(os.path.realpath(directory), os.path.realpath(acceptor.directory))
            self.assertEqual(path[:3], ["/first", "/second", directory])
            self.assertNotIn(os.path.dirname(WORKER), path)
            self.assertNotIn("", path)

    def test_an_acceptor_that_goes_before_start_is_no_reason_to_stay(self) -> None:
        with Acceptor("", start=False) as acceptor:
            acceptor.control.close()
            self.assertEqual(acceptor.status(), 1)

    def test_a_start_that_cannot_be_read_ends_the_worker_with_4(self) -> None:
        for payload in (
            b"",
            b"[]",
            b"{}",
            b'{"application": 5}',
            b'{"application": "a", "threads": 0}',
            b"\xff",
        ):
            with self.subTest(payload), Acceptor("", start=False) as acceptor:
                acceptor.command(frames.START, payload)
                self.assertEqual(acceptor.status(), 4)
                self.assertIn("START", acceptor.stderr())
        with Acceptor("", start=False) as acceptor:
            acceptor.command(frames.STOP)
            self.assertEqual(acceptor.status(), 4)

    def test_it_runs_with_a_safe_path_and_through_a_link(self) -> None:
        with Acceptor("def app(e, s): ...") as acceptor:
            link = acceptor.path("linked-worker")
            os.symlink(WORKER, link)
            environ = {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1"}
            code = (
                f"import runpy; runpy.run_path({link!r}, run_name='worker'); "
                "import monoceros; print('found')"
            )
            output = subprocess.check_output([sys.executable, "-c", code], env=environ)
            self.assertEqual(output, b"found\n")

    def test_many_requests_while_everything_is_recalled_run_exactly_once(self) -> None:
        source = """
            import os
            NUMBER = os.open('seen', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            def app(environ, start_response):
                os.write(NUMBER, environ['PATH_INFO'].encode() + b'\\n')
                start_response('200 OK', [])
                return [b'']
        """
        for threads in (1, 3):
            with self.subTest(threads), Acceptor(source, threads=threads) as acceptor:
                answered, returned = set(), set()
                total = 0

                def seen_size() -> int:
                    return os.path.getsize(acceptor.path("seen"))

                while total < 3000:
                    size = seen_size()
                    for _ in range(50):
                        acceptor.request(f"/{total + 1}")
                        total += 1
                    if total % 100 == 0:
                        # On one processor with the acceptor, none might ever begin by itself.
                        wait_until(lambda: seen_size() > size, "a request to begin")
                    acceptor.command(frames.RECALL)
                    returned.update(acceptor.returned())
                acceptor.command(frames.STOP)
                while True:
                    try:
                        frame = acceptor.expect(lambda frame: frame.kind == frames.HEAD)
                    except EOFError:
                        break
                    self.assertNotIn(frame.stream, answered)
                    answered.add(frame.stream)
                self.assertEqual(answered | returned, set(range(1, total + 1)))
                self.assertEqual(answered & returned, set())
                with open(acceptor.path("seen"), encoding="ascii") as file:
                    seen = [int(line[1:]) for line in file]
                self.assertEqual(sorted(seen), sorted(answered))
                if threads == 1:
                    self.assertEqual(seen, sorted(seen))
                self.assertGreater(len(answered), 0)
                wait_until(lambda: acceptor.process.poll() is not None, "the worker's end")
                self.assertEqual(acceptor.process.returncode, 0)


if __name__ == "__main__":
    unittest.main()
