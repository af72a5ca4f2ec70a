"""The name of a worker in ps(1) and top(1)."""

from __future__ import annotations

import importlib
from typing import Any

_COMM = "/proc/self/comm"
"""What top(1) and ``ps -e`` show of a process; at most 15 bytes."""


def set_process_title(role: str, name: str) -> None:
    """Shows ``monoceros: ROLE [NAME]`` in ps(1), if setproctitle is installed for the application,
    as Gunicorn does. Otherwise the command line stays, and on Linux the short name changes."""
    try:
        setproctitle: Any = importlib.import_module("setproctitle")
        setproctitle.setproctitle(f"monoceros: {role} [{name}]")
    except Exception:  # it is missing, broken, or another module of that name
        _set_short_name(f"{role} [{name}]")


def _set_short_name(name: str) -> None:
    try:
        with open(_COMM, "wb", buffering=0) as file:
            file.write(name.encode("utf-8", "replace")[:15])
    except OSError:  # there is no /proc
        pass
