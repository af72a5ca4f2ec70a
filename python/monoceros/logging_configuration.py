"""The user's configuration of Python's logging, as a worker applies it.

Most workers have none, so this is imported only where there is one: ``logging.config`` needs more
of the standard library than the rest of a worker."""

from __future__ import annotations

import json
import logging
import logging.config
import os
import signal
from typing import Any, Dict, Mapping, Optional, Union

from .codes import coded
from .loader import LoadError
from .server_log import ACCESS_LOGGER, ERROR_LOGGER, EntryHandler
from .stranger import describe
from .trace import format_error

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


def configure_logging(options: Mapping[str, Any], own: Optional[Dict[str, Any]] = None) -> None:
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
            raise LoadError(
                "MONO1112", f"logconfig_json: cannot read {path}: {_reason(error)}"
            ) from error
        if not isinstance(dictionary, dict):
            raise LoadError(
                "MONO1112", f"logconfig_json: {path} has {describe(dictionary)}, not an object"
            )
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
        raise LoadError("MONO1112", f"{name} is not valid: {_chain(error)}") from None


def _apply_file(path: str) -> None:
    if not os.path.exists(path):
        raise LoadError("MONO1112", f"logconfig: {path} does not exist")
    defaults = {"__file__": path, "here": os.path.dirname(path)}
    try:
        logging.config.fileConfig(path, defaults=defaults, disable_existing_loggers=False)
    except Exception as error:
        raise LoadError("MONO1112", f"logconfig: {path} is not valid: {_chain(error)}") from None


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
            text = f"Cannot reopen a log: {format_error(error)}"
            logging.getLogger(ERROR_LOGGER).error("%s", coded("MONO8001", text))
        finally:
            handler.release()
