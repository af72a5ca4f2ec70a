"""Runs a worker's configuration, and sets up its logging, before it loads the application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .entries import Entries
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
    place = startup.config or startup.logging or {}
    if startup.logging is not None:
        from . import server_log

        server_log.EntryHandler.write_with(entries.write)
        server_log.give_handlers(startup.logging["level"])
        if "statsd" in startup.logging:
            server_log.send_metrics(startup.logging["statsd"])
    if configuration is None and "location" in place:
        from .worker_hooks import read_in

        configuration = read_in(place["directory"], place["location"])
    if configure and startup.logging is not None and startup.logging.keys() & CONFIGURATIONS:
        # Relative paths start there, and classes may be in the application's packages.
        enter(startup)
        own = None if configuration is None else configuration.namespace.get("logconfig_dict")
        server_log.configure(startup.logging, own)
    return configuration
