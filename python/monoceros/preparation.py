"""Runs a worker's configuration, and sets up its logging, before it loads the application."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .entries import Entries
from .loader import LoadError
from .startup import Startup, enter

if TYPE_CHECKING:
    from .configuration import Configuration

#: Where START has a configuration of Python's logging.
CONFIGURATIONS = {"dict", "json", "file"}


def prepare(
    startup: Startup,
    entries: Entries,
    configuration: Configuration | None = None,
    configure: bool = True,
) -> Configuration | None:
    """Runs the configuration, unless it has run, and sets up logging. Raises LoadError.

    :param configure: whether logging is to be configured, which a preload parent has done
    """
    logging = startup.logging or {}
    place = startup.config or logging
    has_configuration = configure and not CONFIGURATIONS.isdisjoint(logging)
    # What is needed is imported here, before a folder with modules of the user is searched too.
    if logging:
        from . import server_log

        server_log.EntryHandler.write_with(entries.write)
        if configure:
            server_log.give_handlers(logging["level"])
        if "statsd" in logging:
            server_log.send_metrics(logging["statsd"])
    if has_configuration:
        from .logging_configuration import configure_logging
    if configuration is None and "location" in place:
        configuration = _run(place["location"], place["directory"])
    if has_configuration:
        # Relative paths start there, and classes may be in the application's packages.
        enter(startup)
        own = None if configuration is None else configuration.namespace.get("logconfig_dict")
        configure_logging(logging, own)
    return configuration


def _run(location: str, directory: str) -> Configuration:
    """Runs a configuration in a working directory. Raises LoadError."""
    from .configuration import ConfigurationError, read_configuration

    try:
        os.chdir(directory)
        return read_configuration(location)
    except ConfigurationError as error:
        raise LoadError("MONO1106", str(error)) from error
    except OSError as error:
        raise LoadError("MONO2007", f"chdir {directory!r}: {error.strerror}") from error
