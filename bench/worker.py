#!/usr/bin/env python3
"""Measures the processor time of a CPython worker per request, without acceptor and clients.

This program takes the place of the acceptor. It starts real workers (``python/monoceros-worker``)
and sends them REQUEST frames over socketpairs (docs/reference/frames.md), ``--batch`` at once. It
waits for all answers before it sends the next batch. Only the worker's processor time is counted
(user and kernel, all threads).

    python3 bench/worker.py                                   # hello world, batches of 1, 8 and 32
    python3 bench/worker.py --path /1m --requests 2000
    python3 bench/worker.py --path /echo --body 10240
    python3 bench/worker.py --app flask_json:application --path /items/7 \\
        --python bench/.venv/bin/python
    # another checkout, or its python folder
    python3 bench/worker.py --against ../monoceros-before

With ``--against`` both workers run in turns, and the ratio is the median of the ratios of all
rounds. On a busy machine only the ratio is reliable. With a batch of 1 the worker waits for each
request; 32 is the longest lookahead."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time
from statistics import median
from typing import Any, Dict, List, NamedTuple, Optional

HERE = os.path.dirname(os.path.abspath(__file__))
REQUEST, WINDOW, STOP, START = 0x01, 0x03, 0x06, 0x07
READY, HEAD, DATA, FILE, END, FAIL = 0x81, 0x82, 0x83, 0x84, 0x85, 0x86
_header = struct.Struct("<IBBHI")
_u32 = struct.Struct("<I")
_READ_SIZE = 1 << 20
_CREDIT = 262144
#: Seconds; a worker that sends nothing for this long is stuck.
_PATIENCE = 60

# What a client's request becomes: the fields of wrk's, and those of a browser's navigation within a
# site.
_FIELDS: Dict[str, Dict[str, str]] = {
    "wrk": {"Host": "127.0.0.1:8000"},
    "browser": {
        "Host": "shop.example.com",
        "Connection": "keep-alive",
        "Cache-Control": "max-age=0",
        "Sec-CH-UA": '"Chromium";v="130", "Not?A_Brand";v="99"',
        "Sec-CH-UA-Mobile": "?0",
        "Sec-CH-UA-Platform": '"Linux"',
        "Upgrade-Insecure-Requests": "1",
        "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/130.0.0.0 Safari/537.36",
        "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,"
        "image/webp,*/*;q=0.8",
        "Sec-Fetch-Site": "same-origin",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-User": "?1",
        "Sec-Fetch-Dest": "document",
        "Referer": "https://shop.example.com/items?page=3",
        "Accept-Encoding": "gzip, deflate, br, zstd",
        "Accept-Language": "en-GB,en;q=0.9,de;q=0.8",
        "Cookie": "session=eyJ1c2VyIjo0MiwiY3NyZiI6Ijg0ZjA5In0.Zx1a2w.0123456789abcdefghijklmno; "
        "theme=dark",
        "Priority": "u=0, i",
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "https",
    },
}


class Plan(NamedTuple):
    """What the workers run."""

    application: str
    chdir: str
    target: str
    client: str
    body: bytes
    threads: int


class Cost(NamedTuple):
    """Microseconds of processor time per request."""

    total: float
    user: float


def make_environ(plan: Plan) -> Dict[str, str]:
    """An environ like those of the acceptor (src/gateway/environ.ts), in the same order."""
    path, _, query = plan.target.partition("?")
    environ = {
        "REQUEST_METHOD": "POST" if plan.body else "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "RAW_URI": plan.target,
        "REQUEST_URI": plan.target,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "50000",
    }
    for name, value in _FIELDS[plan.client].items():
        environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
    if plan.body:
        environ["CONTENT_TYPE"] = "application/octet-stream"
        environ["CONTENT_LENGTH"] = str(len(plan.body))
    return environ


def marshal_environ(environ: Dict[str, str]) -> bytes:
    """The same bytes as src/gateway/marshal.ts writes; ``marshal.dumps`` uses other codes."""
    parts = [b"{"]
    for text in (text for pair in environ.items() for text in pair):
        encoded = text.encode("ascii")
        short = len(encoded) < 256
        parts.append(b"z" + bytes((len(encoded),)) if short else b"a" + _u32.pack(len(encoded)))
        parts.append(encoded)
    return b"".join((*parts, b"0"))


def request_frame(plan: Plan) -> bytes:
    """A REQUEST frame for stream 0; its number is set later."""
    environ = marshal_environ(make_environ(plan))
    payload = _u32.pack(len(environ)) + environ + plan.body
    return _header.pack(len(payload), REQUEST, 0, 0, 0) + payload


class Worker:
    """A worker process and the acceptor's end of its channels."""

    def __init__(self, interpreter: str, folder: str, plan: Plan) -> None:
        self.data, data = socket.socketpair()
        self.control, control = socket.socketpair()
        self._poll = select.poll()
        self._poll.register(self.data.fileno(), select.POLLIN)
        self._frame = request_frame(plan)
        self._next = 1
        self._rest = b""
        with tempfile.TemporaryFile() as ledger:
            ledger.truncate(4)
            # Out of the way of 3, 4 and 5, where the worker expects them.
            given = [
                fcntl.fcntl(end.fileno(), fcntl.F_DUPFD, 20) for end in (data, control, ledger)
            ]

        def place() -> None:
            for number, source in enumerate(given, 3):
                os.dup2(source, number)

        self._process = subprocess.Popen(
            [interpreter, os.path.join(folder, "monoceros-worker"), plan.application],
            stdin=subprocess.DEVNULL,
            preexec_fn=place,
            pass_fds=(3, 4, 5),
        )
        for number in given:
            os.close(number)
        data.close()
        control.close()
        start = {
            "application": plan.application,
            "chdir": plan.chdir,
            "pythonpath": [],
            "threads": plan.threads,
            "window": _CREDIT,
            "graceful_timeout": 5,
            "environ": {"SERVER_SOFTWARE": "monoceros/bench"},
            "multiprocess": True,
        }
        payload = json.dumps(start).encode()
        self.control.sendall(_header.pack(len(payload), START, 0, 0, 0) + payload)
        self.python = ""
        while not self.python:
            self._receive()

    def close(self) -> None:
        """Ends the process, as an acceptor would."""
        try:
            self.control.sendall(_header.pack(0, STOP, 0, 0, 0))
            self._process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self.data.close()
        self.control.close()

    def drive(self, requests: int, batch: int) -> Cost:
        """Sends that many requests, ``batch`` at once, and waits for the answers."""
        size = len(self._frame)
        frames = bytearray(self._frame * batch)
        rounds = max(1, requests // batch)
        before, user_before, ticks_before = self._used()
        for _ in range(rounds):
            for index in range(batch):
                _u32.pack_into(frames, index * size + 8, self._next)
                self._next += 1
            self.data.sendall(frames)
            open_streams = batch
            while open_streams:
                open_streams -= self._receive()
        after, user_after, ticks_after = self._used()
        total = (after - before) / (rounds * batch) * 1e6
        # The clock is exact; only the kernel's ticks divide it into user and kernel time.
        return Cost(total, total * (user_after - user_before) / max(1, ticks_after - ticks_before))

    def _receive(self) -> int:
        """Reads once, and grants credit for the bodies of exchanges that continue. Returns how many
        exchanges ended.
        """
        if not self._poll.poll(_PATIENCE * 1000):
            raise SystemExit("the worker has stopped answering")
        data = self.data.recv(_READ_SIZE)
        if not data:
            raise SystemExit("the worker has ended; its last output is above")
        data = self._rest + data
        ended = at = 0
        credit: Dict[int, int] = {}
        while len(data) - at >= 12:
            length, kind, flags, _, stream = _header.unpack_from(data, at)
            if at + 12 + length > len(data):
                break
            if kind == READY:
                self.python = json.loads(data[at + 12 : at + 12 + length])["python"]
            elif kind == FAIL:
                raise SystemExit(data[at + 12 : at + 12 + length].decode())
            elif kind in (FILE, END) or (kind in (HEAD, DATA) and flags):
                ended += 1
                credit.pop(stream, None)
            elif kind == DATA:
                credit[stream] = credit.get(stream, 0) + length
            elif kind == HEAD:
                credit[stream] = length - 4 - _u32.unpack_from(data, at + 12)[0]
            at += 12 + length
        self._rest = data[at:]
        if credit:
            answers = (
                _header.pack(4, WINDOW, 0, 0, stream) + _u32.pack(size)
                for stream, size in credit.items()
            )
            self.data.sendall(b"".join(answers))
        return ended

    def _used(self) -> Any:
        """Processor time so far: seconds, and the kernel's ticks of user time and of both."""
        pid = self._process.pid
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            user, kernel = file.read().rpartition(")")[2].split()[11:13]
        # The clock of the process, as clock_getcpuclockid(3) makes it from a pid; 2 is the
        # scheduler's clock.
        return time.clock_gettime((~pid << 3) | 2), int(user), int(user) + int(kernel)


def measure(
    plan: Plan, folders: List[str], interpreter: str, batches: List[int], requests: int, rounds: int
) -> None:
    """Drives a worker of each folder in turns and prints a line per size of batch."""
    workers: List[Worker] = []
    try:
        for folder in folders:
            workers.append(Worker(interpreter, folder, plan))
        print(
            f"\nPython {workers[0].python}, {plan.application} {plan.target}, "
            f"{plan.client} request, ",
            end="",
        )
        print(
            f"{len(make_environ(plan))} keys, {len(plan.body)} bytes of body, "
            f"{plan.threads} thread(s)"
        )
        print(
            " batch  µs (user + kernel)"
            + "  against  (user + kernel)   ratio" * (len(folders) - 1)
        )
        each = max(1, requests // rounds)
        for batch in batches:
            for worker in workers:
                worker.drive(min(each, 2000), batch)
            costs: List[List[Cost]] = [[] for _ in workers]
            for turn in range(rounds):
                order = list(zip(workers, costs))
                for worker, known in order if turn % 2 == 0 else reversed(order):
                    known.append(worker.drive(each, batch))
            line = f"{batch:6}  " + "  ".join(_show(known) for known in costs)
            if len(costs) > 1:
                line += f"   {median(new.total / old.total for new, old in zip(*costs)):.3f}"
            print(line, flush=True)
    finally:
        for worker in workers:
            worker.close()


def _show(costs: List[Cost]) -> str:
    total = median(cost.total for cost in costs)
    user = total * sum(cost.user for cost in costs) / sum(cost.total for cost in costs)
    return f"{total:8.2f} ({user:.1f} + {total - user:.1f})"


def _worker_folder(path: str) -> str:
    for folder in (path, os.path.join(path, "python")):
        if os.path.exists(os.path.join(folder, "monoceros-worker")):
            return os.path.abspath(folder)
    raise argparse.ArgumentTypeError(
        f"there is no monoceros-worker in {path}, nor in its folder python"
    )


def main(arguments: Optional[List[str]] = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Measure a worker's processor time per request.")
    parser.add_argument(
        "--python", action="append", help="the worker's interpreter; may be given several times"
    )
    parser.add_argument(
        "--app", default="plain:application", help="MODULE:NAME (default: plain:application)"
    )
    parser.add_argument(
        "--chdir", default=os.path.join(HERE, "apps"), help="its folder (default: bench/apps)"
    )
    parser.add_argument("--path", default="/hello", help="the request's target (default: /hello)")
    parser.add_argument(
        "--body", type=int, default=0, metavar="BYTES", help="send so large a body with POST"
    )
    parser.add_argument(
        "--client",
        choices=sorted(_FIELDS),
        default="wrk",
        help="whose header fields (default: wrk)",
    )
    parser.add_argument("--threads", type=int, default=1, help="the worker's threads (default: 1)")
    parser.add_argument("--batch", default="1,8,32", help="requests sent at once (default: 1,8,32)")
    parser.add_argument(
        "--requests", type=int, default=100_000, help="per batch size (default: 100000)"
    )
    parser.add_argument("--rounds", type=int, default=10, help="in how many turns (default: 10)")
    parser.add_argument(
        "--against", type=_worker_folder, metavar="DIR", help="another checkout to compare with"
    )
    options = parser.parse_args(arguments)
    plan = Plan(
        options.app,
        options.chdir,
        options.path,
        options.client,
        b"x" * options.body,
        options.threads,
    )
    folders = [_worker_folder(os.path.dirname(HERE))]
    if options.against is not None:
        folders.append(options.against)
    batches = [int(number) for number in options.batch.split(",")]
    for interpreter in options.python or [sys.executable]:
        measure(plan, folders, interpreter, batches, options.requests, options.rounds)


if __name__ == "__main__":
    main()
