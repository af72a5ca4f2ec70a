"""``cfg`` of the objects that hooks get: the settings of the server, by Gunicorn's names."""

from __future__ import annotations

import difflib
import os
from typing import Any, Dict, List, Mapping, Tuple, Union

Address = Union[Tuple[str, int], str]


class HookSetting:
    """One entry of ``cfg.settings``."""

    def __init__(self, name: str, value: Any) -> None:
        self.name = name
        self.value = value

    def get(self) -> Any:
        return self.value

    def __repr__(self) -> str:
        return f"<HookSetting {self.name}={self.value!r}>"


class HookConfig:
    """The settings that are in force, as ``server.cfg`` and ``worker.cfg``.

    ``values`` are from the server, which has combined all sources. ``own`` are those of the
    configuration file that are no data, such as its hooks.
    """

    def __init__(self, values: Mapping[str, Any], own: Mapping[str, Any]) -> None:
        self.__dict__["_values"] = {**values, **own}

    def __getattr__(self, name: str) -> Any:
        if name == "_values":  # of a copy that is not complete yet
            raise AttributeError(name)
        values: Dict[str, Any] = self.__dict__["_values"]
        if name in values:
            return values[name]
        near = difflib.get_close_matches(name, values, 2)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise AttributeError(f"no configuration setting {name!r}{hint}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._values:
            raise AttributeError(f"the setting {name!r} cannot be changed while the server runs")
        self.__dict__[name] = value

    @property
    def settings(self) -> Dict[str, HookSetting]:
        """All of them, each with ``name``, ``value`` and ``get()``."""
        return {name: HookSetting(name, value) for name, value in sorted(self._values.items())}

    @property
    def address(self) -> List[Address]:
        """Where the server listens: ``(host, port)``, or the path of a unix socket."""
        return [parse_address(bind) for bind in self._values.get("bind", [])]

    @property
    def env(self) -> Dict[str, str]:
        """The environment variables of ``raw_env``."""
        return dict(entry.partition("=")[::2] for entry in self._values.get("raw_env") or [])

    @property
    def worker_class_str(self) -> str:
        """The kind of the workers: ``sync``, ``gthread``, ``gevent``."""
        name = str(self._values.get("worker_class", "sync"))
        return "gthread" if name == "sync" and self._values.get("threads", 1) > 1 else name

    @property
    def proc_name(self) -> Any:
        """The name of the processes; by default that of the application."""
        values = self._values
        return values.get("proc_name") or values.get("wsgi_app")

    @property
    def uid(self) -> int:
        return os.geteuid()

    @property
    def gid(self) -> int:
        return os.getegid()

    @property
    def is_ssl(self) -> bool:
        return bool(self._values.get("certfile") or self._values.get("keyfile"))

    def __dir__(self) -> List[str]:
        return sorted({*super().__dir__(), *self._values})


def parse_address(bind: str) -> Address:
    """``[::1]:8000`` → ``("::1", 8000)``, ``unix:/run/site.sock`` → ``/run/site.sock``."""
    if bind.startswith("unix:"):
        path = bind[len("unix:") :]
        return path[2:] if path.startswith("//") else path
    host, colon, port = bind.rpartition(":")
    if not colon or not port.isdigit():
        return (bind.strip("[]"), 8000)
    return (host.strip("[]") or "0.0.0.0", int(port))
