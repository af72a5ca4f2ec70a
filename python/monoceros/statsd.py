"""Metrics that an application or a hook sends with its log records, as in Gunicorn:
``log.info("", extra={"metric": "cart.items", "value": 3, "mtype": "gauge"})``."""

from __future__ import annotations

import logging
import socket
from typing import Any, Mapping

_FORMS = {"gauge": "{}|g", "counter": "{}|c|@1.0", "histogram": "{}|h", "timer": "{}|ms"}


class StatsdClient:
    """Sends metrics to a daemon, one a datagram. One that cannot be sent is lost."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """``options`` are from START: ``host`` and ``port``, or ``path``; ``prefix``, ``tags``."""
        prefix = options["prefix"].rstrip(".")
        self._prefix = f"{prefix}." if prefix else ""
        self._tags = f"|#{options['tags']}" if options["tags"] else ""
        path = options.get("path")
        if path is not None:
            family, address = socket.AF_UNIX, "\0" + path[1:] if path.startswith("@") else path
        else:
            found = socket.getaddrinfo(options["host"], options["port"], type=socket.SOCK_DGRAM)
            family, address = found[0][0], found[0][4]
        self._address: Any = address
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def send_of(self, record: logging.LogRecord) -> None:
        """Sends the metric of a record, if it has one."""
        facts = record.__dict__
        name, value, form = facts.get("metric"), facts.get("value"), facts.get("mtype")
        if not name or value is None or form not in _FORMS:
            return
        text = f"{self._prefix}{name}:{_FORMS[form].format(value)}{self._tags}"
        try:
            self._socket.sendto(text.encode("utf-8"), self._address)
        except OSError:
            pass
