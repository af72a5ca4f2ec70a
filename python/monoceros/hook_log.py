"""``log`` of the objects that hooks get: entries of the server's error log."""

from __future__ import annotations

import logging
from typing import Any, Callable

#: Takes an entry of the error log: a level of Python's logging, and the text.
WriteEntry = Callable[[int, str], None]

#: Also what applications call that want to write where the server writes.
LOGGER = "gunicorn.error"


class EntryHandler(logging.Handler):
    """Passes what is logged to the server, which adds time, process and level."""

    def __init__(self, write: WriteEntry) -> None:
        super().__init__()
        self.write = write

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.write(record.levelno, self.format(record))
        except Exception:
            self.handleError(record)


class HookLog:
    """Gunicorn's logger object: ``worker.log.info("%s left", worker.pid)``.

    Its entries go through the logger ``gunicorn.error``, which an application may use as well.
    """

    def __init__(self, write: WriteEntry, level: str) -> None:
        self.error_log = logging.getLogger(LOGGER)
        self.error_log.propagate = False
        self.error_log.setLevel(_level_number(level))
        self.loglevel = self.error_log.level
        for handler in list(self.error_log.handlers):
            if isinstance(handler, EntryHandler):
                self.error_log.removeHandler(handler)
        self._handler = EntryHandler(write)
        self.error_log.addHandler(self._handler)

    def write_with(self, write: WriteEntry) -> None:
        """From now on, entries are written in that way."""
        self._handler.write = write

    def critical(self, message: object, *arguments: Any, **options: Any) -> None:
        self.error_log.critical(message, *arguments, **options)

    def error(self, message: object, *arguments: Any, **options: Any) -> None:
        self.error_log.error(message, *arguments, **options)

    def warning(self, message: object, *arguments: Any, **options: Any) -> None:
        self.error_log.warning(message, *arguments, **options)

    warn = warning

    def info(self, message: object, *arguments: Any, **options: Any) -> None:
        self.error_log.info(message, *arguments, **options)

    def debug(self, message: object, *arguments: Any, **options: Any) -> None:
        self.error_log.debug(message, *arguments, **options)

    def exception(self, message: object, *arguments: Any, **options: Any) -> None:
        self.error_log.exception(message, *arguments, **options)

    def log(self, level: Any, message: object, *arguments: Any, **options: Any) -> None:
        """``level`` is a number of Python's logging, or a name such as ``"info"``."""
        number = _level_number(level) if isinstance(level, str) else level
        self.error_log.log(number, message, *arguments, **options)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"the log of hooks has no {name!r}; it has debug, info, warning, error, critical, "
            "exception, log and error_log"
        )


def _level_number(name: str) -> int:
    number = logging.getLevelName(name.upper())
    return number if isinstance(number, int) else logging.INFO
