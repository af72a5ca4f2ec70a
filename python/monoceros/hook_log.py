"""``log`` of the objects that hooks get: entries of the server's error log."""

from __future__ import annotations

import logging
from typing import Any

from .server_log import ERROR_LOGGER, EntryHandler, WriteEntry, give_handlers, level_number


class HookLog:
    """Gunicorn's logger object: ``worker.log.info("%s left", worker.pid)``.

    Its entries go through the logger ``gunicorn.error``, which an application may use as well.
    """

    def __init__(self, write: WriteEntry, level: str) -> None:
        self.error_log = logging.getLogger(ERROR_LOGGER)
        EntryHandler.write_with(write)
        # A logging configuration may have given it other handlers: then entries go there.
        if not self.error_log.handlers:
            give_handlers(level)
        self.loglevel = self.error_log.level

    def write_with(self, write: WriteEntry) -> None:
        """From now on, entries are written in that way."""
        EntryHandler.write_with(write)

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
        number = level_number(level) if isinstance(level, str) else level
        self.error_log.log(number, message, *arguments, **options)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"the log of hooks has no {name!r}; it has debug, info, warning, error, critical, "
            "exception, log and error_log"
        )
