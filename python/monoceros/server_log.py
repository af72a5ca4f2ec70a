"""The loggers of Gunicorn in a worker.

Applications use the loggers ``gunicorn.error`` and ``gunicorn.access``, or give their handlers to
their own logger, to write where the server writes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Callable, Mapping, Optional

from .codes import coded

if TYPE_CHECKING:
    from .statsd import StatsdClient

#: Takes an entry of the error log: a level of Python's logging, and the text.
WriteEntry = Callable[[int, str], None]

ERROR_LOGGER = "gunicorn.error"
ACCESS_LOGGER = "gunicorn.access"


class EntryHandler(logging.Handler):
    """Passes what is logged to the server, which adds time, process and level.

    An application may give it to other loggers, and a forked worker inherits it, so all of them
    write in the same way: see ``write_with``."""

    _write: Optional[WriteEntry] = None
    #: Sends the metrics of records, if there is a StatsD daemon.
    statsd: Optional[StatsdClient] = None

    @classmethod
    def write_with(cls, write: WriteEntry) -> None:
        """From now on, entries are written in that way."""
        cls._write = staticmethod(write)  # type: ignore[assignment]

    def emit(self, record: logging.LogRecord) -> None:
        write = self._write
        try:
            if self.statsd is not None:
                self.statsd.send_of(record)
                if not record.msg:  # as in Gunicorn, it is only a metric then
                    return
            if write is not None:
                write(record.levelno, self.format(record))
        except Exception:
            self.handleError(record)


def level_number(name: str) -> int:
    """The number of a level such as ``info``; that of INFO if there is no such level."""
    number = logging.getLevelName(name.upper())
    return number if isinstance(number, int) else logging.INFO


def send_metrics(options: Mapping[str, Any]) -> None:
    """Sends the metrics of records to a StatsD daemon; ``options`` are from START."""
    from .statsd import StatsdClient

    try:
        EntryHandler.statsd = StatsdClient(options)
    except OSError as error:
        text = f"Metrics of log records are not sent: {error.strerror or error}"
        logging.getLogger(ERROR_LOGGER).warning("%s", coded("MONO8101", text))


def give_handlers(level: str) -> None:
    """Gives both loggers a handler that writes to the server's error log, once."""
    for name, least in ((ERROR_LOGGER, level_number(level)), (ACCESS_LOGGER, logging.INFO)):
        logger = logging.getLogger(name)
        if any(isinstance(handler, EntryHandler) for handler in logger.handlers):
            continue
        logger.propagate = False
        logger.setLevel(least)
        logger.addHandler(EntryHandler())
