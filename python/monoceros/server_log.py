"""The loggers of Gunicorn in a worker, and the logging configuration of the user.

Applications use the loggers ``gunicorn.error`` and ``gunicorn.access``, or give their handlers to
their own logger, to write where the server writes."""

from __future__ import annotations

import json
import logging
import logging.config
import os
import signal
from typing import Any, Callable, Dict, Mapping, Optional, Union

from .loader import LoadError
from .statsd import StatsdClient
from .stranger import describe
from .trace import format_error

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


#: What Gunicorn assumes, except that its handlers write to the server's log.
_DEFAULTS: Dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "root": {"level": "INFO", "handlers": ["console"]},
    "loggers": {
        ERROR_LOGGER: {"level": "INFO", "handlers": ["error_console"], "propagate": True},
        ACCESS_LOGGER: {"level": "INFO", "handlers": ["console"], "propagate": True},
    },
    "handlers": {"console": {"()": EntryHandler}, "error_console": {"()": EntryHandler}},
    "formatters": {
        "generic": {
            "format": "%(asctime)s [%(process)d] [%(levelname)s] %(message)s",
            "datefmt": "[%Y-%m-%d %H:%M:%S %z]",
            "class": "logging.Formatter",
        }
    },
}


def level_number(name: str) -> int:
    """The number of a level such as ``info``; that of INFO if there is no such level."""
    number = logging.getLevelName(name.upper())
    return number if isinstance(number, int) else logging.INFO


def send_metrics(options: Mapping[str, Any]) -> None:
    """Sends the metrics of records to a StatsD daemon; ``options`` are from START."""
    try:
        EntryHandler.statsd = StatsdClient(options)
    except OSError as error:
        logging.getLogger(ERROR_LOGGER).warning(
            "Metrics of log records are not sent: %s", error.strerror or error
        )


def give_handlers(level: str) -> None:
    """Gives both loggers a handler that writes to the server's error log, once."""
    for name, least in ((ERROR_LOGGER, level_number(level)), (ACCESS_LOGGER, logging.INFO)):
        logger = logging.getLogger(name)
        if any(isinstance(handler, EntryHandler) for handler in logger.handlers):
            continue
        logger.propagate = False
        logger.setLevel(least)
        logger.addHandler(EntryHandler())


def configure(options: Mapping[str, Any], own: Optional[Dict[str, Any]] = None) -> None:
    """Applies the user's logging configuration: the first of a dictionary, a JSON file and an INI
    file, as Gunicorn does. Raises LoadError.

    :param options: from START: ``dict``, ``json``, ``file``
    :param own: the dictionary, if the Gunicorn configuration has objects in it
    """
    dictionary = own or options.get("dict")
    if dictionary:
        _apply("logconfig_dict", dictionary)
    elif options.get("json"):
        path = options["json"]
        try:
            with open(path, encoding="utf-8") as file:
                dictionary = json.load(file)
        except (OSError, ValueError) as error:
            raise LoadError(f"logconfig_json: cannot read {path}: {_reason(error)}") from error
        if not isinstance(dictionary, dict):
            raise LoadError(f"logconfig_json: {path} has {describe(dictionary)}, not an object")
        _apply("logconfig_json", dictionary)
    elif options.get("file"):
        _apply_file(options["file"])
    else:
        return
    _reopen_on_signal()


def _apply(name: str, dictionary: Mapping[str, Any]) -> None:
    # Like Gunicorn, the user's keys replace the defaults as a whole.
    try:
        logging.config.dictConfig({**_DEFAULTS, **dictionary})
    except Exception as error:
        raise LoadError(f"{name} is not valid: {_chain(error)}") from None


def _apply_file(path: str) -> None:
    if not os.path.exists(path):
        raise LoadError(f"logconfig: {path} does not exist")
    defaults = {"__file__": path, "here": os.path.dirname(path)}
    try:
        logging.config.fileConfig(path, defaults=defaults, disable_existing_loggers=False)
    except Exception as error:
        raise LoadError(f"logconfig: {path} is not valid: {_chain(error)}") from None


def _chain(error: BaseException) -> str:
    """The error and its causes in one line; logging.config wraps the real one."""
    texts = []
    seen: Optional[BaseException] = error
    while seen is not None and len(texts) < 5:
        texts.append(str(seen) or type(seen).__name__)
        seen = seen.__cause__
    return ": ".join(texts)


def _reason(error: Union[OSError, ValueError]) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _reopen_on_signal() -> None:
    """The acceptor sends SIGUSR1 after log rotation: files that handlers have open are opened
    again."""
    signal.signal(signal.SIGUSR1, lambda number, frame: reopen_files())


def reopen_files() -> None:
    """Opens the files of all handlers again."""
    loggers = [logging.root, *(logging.getLogger(name) for name in logging.root.manager.loggerDict)]
    for handler in {handler for logger in loggers for handler in logger.handlers}:
        if not isinstance(handler, logging.FileHandler):
            continue
        handler.acquire()
        try:
            if handler.stream:
                handler.close()
                handler.stream = handler._open()
        except OSError as error:
            logging.getLogger(ERROR_LOGGER).error("Cannot reopen a log: %s", format_error(error))
        finally:
            handler.release()
