"""The loggers of Gunicorn in a worker, and logging configurations: a real worker process."""

from __future__ import annotations

import json
import os
import signal
import socket
import textwrap
import unittest
from typing import Any, Callable, List, Tuple

from monoceros import exit_status, frames

from .acceptor import Acceptor, Received, ends, wait_until

APPLICATION = """
    import logging
    server = logging.getLogger("gunicorn.error")
    log = logging.getLogger("site")
    log.handlers = server.handlers
    log.setLevel(server.level)
    log.info("loading")

    def app(environ, start_response):
        log.debug("hidden")
        log.warning("caf\\u00e9 %s", 5)
        logging.getLogger("gunicorn.access").info("by hand")
        try:
            raise ValueError("no")
        except ValueError:
            log.exception("failed")
        logging.getLogger("other").info("through the root logger")
        start_response("200 OK", [])
        return [b"x"]
"""


class LoggingAcceptor(Acceptor):
    """An acceptor that tells its worker about logging."""

    def __init__(self, source: str = APPLICATION, **logging: Any) -> None:
        super().__init__(source, start=False)
        self.logging = {"level": "info", **logging}

    def write(self, name: str, text: str) -> str:
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(text))
        return path

    def begin(self) -> None:
        settings = {**self.settings, "logging": self.logging}
        self.command(frames.START, json.dumps(settings).encode())

    def ready(self) -> List[Tuple[int, str]]:
        """Waits for READY. Returns the entries of the log before it."""
        return self._entries_until(lambda frame: frame.kind == frames.READY)

    def entries_of(self, path: str) -> List[Tuple[int, str]]:
        """What a request logs."""
        stream = self.request(path)
        return self._entries_until(lambda frame: frame.stream == stream and ends(frame))

    def _entries_until(self, last: Callable[[Received], bool]) -> List[Tuple[int, str]]:
        entries = []
        while True:
            frame = self.receive()
            if last(frame):
                return entries
            if frame.kind == frames.LOG:
                entries.append((frame.payload[0], frame.payload[1:].decode()))


class Loggers(unittest.TestCase):
    def test_what_is_logged_reaches_the_acceptor_with_its_level(self) -> None:
        with LoggingAcceptor() as acceptor:
            acceptor.begin()
            self.assertEqual(acceptor.ready(), [(20, "loading")])
            entries = acceptor.entries_of("/")
            self.assertEqual(entries[:2], [(30, "caf\u00e9 5"), (20, "by hand")])
            self.assertEqual(entries[2][0], 40)
            self.assertRegex(entries[2][1], r"(?s)^failed\nTraceback .*ValueError: no$")
            self.assertEqual(len(entries), 3)

    def test_the_level_is_that_of_the_server(self) -> None:
        with LoggingAcceptor(level="error") as acceptor:
            acceptor.begin()
            self.assertEqual(acceptor.ready(), [])
            self.assertEqual([level for level, _ in acceptor.entries_of("/")], [20, 40])


class Metrics(unittest.TestCase):
    def test_a_record_may_carry_a_metric(self) -> None:
        source = """
            import logging
            log = logging.getLogger("gunicorn.error")
            def app(environ, start_response):
                for form in ("gauge", "counter", "timer", "histogram", "other"):
                    log.info("", extra={"metric": form, "value": 1.5, "mtype": form})
                log.info("said", extra={"metric": "last", "value": 0, "mtype": "gauge"})
                start_response("200 OK", [])
                return []
        """
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
            daemon.bind(("127.0.0.1", 0))
            daemon.settimeout(30)
            host, port = daemon.getsockname()
            statsd = {"host": host, "port": port, "prefix": "shop.", "tags": "a:b"}
            with LoggingAcceptor(source, statsd=statsd) as acceptor:
                acceptor.begin()
                acceptor.ready()
                self.assertEqual(acceptor.entries_of("/"), [(20, "said")])
                received = [daemon.recv(1000).decode() for _ in range(5)]
        self.assertEqual(
            received,
            [
                "shop.gauge:1.5|g|#a:b",
                "shop.counter:1.5|c|@1.0|#a:b",
                "shop.timer:1.5|ms|#a:b",
                "shop.histogram:1.5|h|#a:b",
                "shop.last:0|g|#a:b",
            ],
        )


CONFIGURATION = {
    "formatters": {"short": {"format": "%(levelname)s/%(name)s/%(message)s"}},
    "handlers": {
        "file": {"class": "logging.FileHandler", "filename": "app.log", "formatter": "short"}
    },
    "root": {"level": "INFO", "handlers": ["file"]},
}


class Configurations(unittest.TestCase):
    def lines(self, acceptor: LoggingAcceptor, name: str = "app.log") -> List[str]:
        with open(os.path.join(acceptor.directory, name), encoding="utf-8") as file:
            return file.read().splitlines()

    def test_a_dictionary_is_applied_before_the_application_is_loaded(self) -> None:
        with LoggingAcceptor(dict={**CONFIGURATION, "loggers": {}}) as acceptor:
            acceptor.begin()
            acceptor.ready()
            acceptor.entries_of("/")
            self.assertIn("INFO/other/through the root logger", self.lines(acceptor))

    def test_a_json_file_comes_before_an_ini_file(self) -> None:
        with LoggingAcceptor() as acceptor:
            path = acceptor.write("logging.json", json.dumps({**CONFIGURATION, "loggers": {}}))
            acceptor.logging.update(json=path, file="/none")
            acceptor.begin()
            acceptor.ready()
            acceptor.entries_of("/")
            self.assertIn("INFO/other/through the root logger", self.lines(acceptor))

    def test_an_ini_file_is_applied(self) -> None:
        with LoggingAcceptor() as acceptor:
            acceptor.logging["file"] = acceptor.write(
                "logging.ini",
                """
                [loggers]
                keys=root
                [handlers]
                keys=file
                [formatters]
                keys=short
                [logger_root]
                level=INFO
                handlers=file
                [handler_file]
                class=FileHandler
                formatter=short
                args=('%(here)s/ini.log',)
                [formatter_short]
                format=%(name)s %(message)s
                """,
            )
            acceptor.begin()
            acceptor.ready()
            acceptor.entries_of("/")
            self.assertIn("other through the root logger", self.lines(acceptor, "ini.log"))

    def test_objects_of_a_configuration_in_python_are_used(self) -> None:
        with LoggingAcceptor() as acceptor:
            acceptor.write(
                "gunicorn.conf.py",
                """
                import logging
                class Loud(logging.Formatter):
                    def format(self, record):
                        return record.getMessage().upper()
                logconfig_dict = {
                    "formatters": {"loud": {"()": Loud}},
                    "handlers": {"file": {
                        "class": "logging.FileHandler", "filename": "app.log", "formatter": "loud",
                    }},
                    "root": {"level": "INFO", "handlers": ["file"]},
                    "loggers": {},
                }
                """,
            )
            acceptor.logging.update(
                dict={"formatters": "of Python"},
                location="gunicorn.conf.py",
                directory=acceptor.directory,
            )
            acceptor.begin()
            acceptor.ready()
            acceptor.entries_of("/")
            self.assertIn("THROUGH THE ROOT LOGGER", self.lines(acceptor))

    def test_handlers_of_gunicorns_defaults_write_to_the_server(self) -> None:
        with LoggingAcceptor(dict={"version": 1}) as acceptor:
            acceptor.begin()
            acceptor.ready()
            self.assertIn((20, "through the root logger"), acceptor.entries_of("/"))

    def test_a_mistake_is_told_in_one_line(self) -> None:
        wrong = [
            ({"dict": {"version": 2}}, "logconfig_dict is not valid: Unsupported version: 2"),
            ({"json": "/none.json"}, "logconfig_json: cannot read /none.json: No such file"),
            ({"file": "/none.ini"}, "logconfig: /none.ini does not exist"),
        ]
        for logging, message in wrong:
            with self.subTest(message), LoggingAcceptor(**logging) as acceptor:
                acceptor.begin()
                kind, _, _, payload = acceptor.receive()
                self.assertEqual(kind, frames.FAIL)
                self.assertTrue(payload.decode().startswith(message), payload)
                self.assertNotIn(b"\n", payload)
                self.assertEqual(acceptor.process.wait(10), exit_status.NOT_LOADED)

    def test_files_are_opened_again_on_a_signal(self) -> None:
        with LoggingAcceptor(dict={**CONFIGURATION, "loggers": {}}) as acceptor:
            acceptor.begin()
            acceptor.ready()
            acceptor.entries_of("/")
            path = os.path.join(acceptor.directory, "app.log")
            os.rename(path, path + ".1")
            acceptor.process.send_signal(signal.SIGUSR1)
            wait_until(lambda: os.path.exists(path), "the new file")
            acceptor.entries_of("/")
            self.assertIn("INFO/other/through the root logger", self.lines(acceptor))


if __name__ == "__main__":
    unittest.main()
