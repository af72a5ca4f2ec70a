"""The server hooks of a Gunicorn configuration that run in a worker."""

from __future__ import annotations

import faulthandler
import os
import signal
from typing import Any, Callable, Dict, MutableSequence, Optional

from . import frames
from .channel import Service
from .codes import coded
from .configuration import Configuration
from .entries import Entries
from .hook_config import HookConfig
from .hook_log import HookLog
from .hook_objects import HookApp, HookServer, HookWorker
from .hooked_exchange import prepared, with_hooks
from .loader import LoadError, load
from .native import LockType, allocate_lock, start_thread
from .trace import format_error

#: After how many seconds a hook that has not returned is named, at most.
_SUSPICIOUS = 10.0

#: Hooks that run in each worker. All others run beside the arbiter.
WORKER_HOOKS = (
    "post_fork",
    "post_worker_init",
    "worker_int",
    "worker_abort",
    "pre_request",
    "post_request",
    "worker_exit",
)


class WorkerHooks:
    """The hooks of this worker, and the objects that they are called with.

    The methods are in the order in which a worker calls them."""

    def __init__(
        self,
        configuration: Configuration,
        config: Dict[str, Any],
        application: str,
        entries: Entries,
    ) -> None:
        """``config`` is from START, see docs/reference/frames.md."""
        hooks = configuration.hooks
        self._entries = entries
        self._hooks = {name: hooks[name] for name in WORKER_HOOKS if name in hooks}
        cfg = HookConfig(config["settings"], hooks)
        log = HookLog(entries.write, str(config["settings"].get("loglevel", "info")))
        self._app = HookApp(cfg, lambda: load(application))
        self._server = HookServer(cfg, log, self._app, config["server_pid"])
        self.worker = HookWorker(config["age"], config["server_pid"], cfg, log, self._app)
        self.worker.pid = os.getpid()
        self.pre_request: Optional[Callable[..., Any]] = self._hooks.get("pre_request")
        self.post_request: Optional[Callable[..., Any]] = self._hooks.get("post_request")
        self._requests = 0
        self._interrupted = False
        self._left = False

    def forked(self) -> None:
        """Before the application is loaded: ``post_fork``. Raises LoadError."""
        self._settle_signals()
        self._call_or_fail("post_fork", self._server, self.worker)

    def loaded(self, application: Callable[..., Any]) -> None:
        """The application is loaded: ``post_worker_init``. Raises LoadError."""
        self._app.callable = application
        self.worker.__dict__["wsgi"] = application
        self._call_or_fail("post_worker_init", self.worker)
        self.worker.booted = True

    def service(self, service: Service, ledger: MutableSequence[int]) -> Service:
        """The service, with the hooks of requests if there are any."""
        self.worker.count_with(lambda: int(ledger[0]))
        if self.pre_request is None and self.post_request is None:
            return service
        self.worker.count_with(lambda: self._requests)
        return service._replace(
            application=prepared(service.application), exchange=with_hooks(self)
        )

    def count_request(self) -> None:
        """A request begins."""
        self._requests += 1

    def served(self) -> None:
        """The worker has nothing left to do: ``worker_exit``."""
        self.exit()

    def exit(self) -> None:
        """The worker is about to end: ``worker_exit``, once."""
        if self._left:
            return
        self._left = True
        self.worker.alive = False
        self._call("worker_exit", self._server, self.worker)

    # Signals. Their handlers run in the main thread, above the stack that they have interrupted.

    def _settle_signals(self) -> None:
        if "worker_int" in self._hooks:
            for number in (signal.SIGINT, signal.SIGQUIT):
                signal.signal(number, self._interrupt)
        if "worker_abort" in self._hooks:
            # faulthandler prints the stacks, and then passes the signal on to the handler that was
            # there before it.
            faulthandler.disable()
            signal.signal(signal.SIGABRT, self._abort)
            faulthandler.enable(file=2, all_threads=True)

    def _interrupt(self, number: int, frame: object) -> None:
        # A Ctrl-C reaches the process group, and the arbiter sends a signal too.
        if self._interrupted:
            return
        self._interrupted = True
        self.worker.alive = False
        self._call("worker_int", self.worker)

    def _abort(self, number: int, frame: object) -> None:
        self.worker.alive = False
        self.worker.aborted = True
        self._call("worker_abort", self.worker)
        self.exit()
        signal.signal(signal.SIGABRT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGABRT)

    def _call_or_fail(self, name: str, *arguments: Any) -> None:
        hook = self._hooks.get(name)
        if hook is None:
            return
        try:
            hook(*arguments)
        except BaseException as error:
            raise LoadError("MONO5501", f"The hook {name} raised\n{format_error(error)}") from None

    def _call(self, name: str, *arguments: Any) -> None:
        hook = self._hooks.get(name)
        if hook is None:
            return
        returned = self._watched(name)
        try:
            hook(*arguments)
        # A hook may raise anything, also SystemExit: the worker decides when it ends.
        except BaseException as error:
            text = f"The hook {name} raised\n{format_error(error)}"
            self._entries.write(frames.ERROR, coded("MONO5501", text))
        finally:
            returned()

    def _watched(self, name: str) -> Callable[[], object]:
        """Begins to watch a hook. Returns what to call when it has returned."""
        returned = allocate_lock()
        returned.acquire()
        start_thread(self._watch, (name, returned), "monoceros-hook")
        return returned.release

    def _watch(self, name: str, returned: LockType) -> None:
        """Names a hook that does not return; the acceptor will end this process."""
        patience = min(_SUSPICIOUS, float(self.worker.cfg.graceful_timeout) / 2)
        if not returned.acquire(timeout=patience):
            self._entries.write(
                frames.WARNING,
                coded("MONO5502", f"The hook {name} has not returned for {patience:g} s"),
            )
