"""The server hooks of a Gunicorn configuration that run beside the arbiter, in the config host."""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, Mapping, Optional

from .configuration import Configuration
from .hook_config import HookConfig
from .hook_log import HookLog, WriteEntry
from .hook_objects import HookApp, HookServer, HookWorker
from .loader import load


class ServerHooks:
    """The hooks, and the objects that they are called with. These live as long as the server, so a
    hook finds what another one has put there."""

    def __init__(self, write: WriteEntry) -> None:
        self._write = write
        self._hooks: Mapping[str, Callable[..., Any]] = {}
        self._workers: Dict[int, HookWorker] = {}
        #: Workers that have no process yet, by age.
        self._booting: Dict[int, HookWorker] = {}
        self._server: Any = None

    def use(self, configuration: Configuration, settings: Mapping[str, Any]) -> None:
        """From now on, these hooks are called. ``settings`` are those in force, by Gunicorn's
        names."""
        self._hooks = configuration.hooks
        self._cfg = HookConfig(settings, configuration.hooks)
        self._log = HookLog(self._write, str(settings.get("loglevel", "info")))
        self._app = HookApp(self._cfg, lambda: load(str(settings.get("wsgi_app"))))
        if self._server is None:
            self._server = HookServer(self._cfg, self._log, self._app, os.getppid())
            self._server.WORKERS = self._workers
            self._server.worker_age = 0
        self._server.cfg = self._cfg
        self._server.log = self._log
        self._server.app = self._app

    def call(self, name: str, args: Dict[str, Any]) -> None:
        """Calls a hook with what the arbiter tells in ``args``; raises what the hook raises.

        ``server`` has ``pid`` and ``num_workers``. ``worker`` has ``age``, ``pid``, and for one
        that has ended its ``exitcode`` and whether it was ``aborted``. ``new_value`` and
        ``old_value`` are numbers of workers."""
        for key, value in args.get("server", {}).items():
            setattr(self._server, key, value)
        hook = self._hooks[name]
        if "worker" in args:
            worker = self._worker(args["worker"])
            try:
                hook(self._server, worker)
            except BaseException:
                # After a pre_fork that raises, this worker is not started.
                self._booting.pop(worker.age, None)
                raise
        elif "new_value" in args:
            hook(self._server, args["new_value"], args["old_value"])
        else:
            hook(self._server)

    def started(self, age: Optional[int], pid: int) -> None:
        """A worker has a process from now on."""
        if pid in self._workers:  # told again after a reload
            return
        worker = self._booting.pop(age or 0, None) or self._new(age or 0)
        worker.pid = pid
        self._workers[pid] = worker

    def _worker(self, facts: Dict[str, Any]) -> HookWorker:
        """The worker that a hook is about. One that has ended is forgotten."""
        if "exitcode" not in facts:
            worker = self._booting[facts["age"]] = self._new(facts["age"])
            self._server.worker_age = facts["age"]
            return worker
        worker = self._workers.pop(facts["pid"], None) or self._new(0)
        worker.pid = facts["pid"]
        worker.alive = False
        worker.aborted = facts.get("aborted", False)
        worker.exitcode = facts["exitcode"]
        return worker

    def ended(self, pid: int) -> None:
        """A worker has ended, and no hook asks for it."""
        self._workers.pop(pid, None)

    def _new(self, age: int) -> HookWorker:
        return HookWorker(age, self._server.pid, self._cfg, self._log, self._app)
