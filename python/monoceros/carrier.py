"""What an exchange needs of the worker that runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from .outbox import Outbox

if TYPE_CHECKING:
    from .channel import Service
    from .exchange import Exchange


class Carrier:
    """A worker: of one thread, of several, or embedded in the acceptor."""

    outbox: Outbox

    def __init__(self, service: Service) -> None:
        self.application = service.application
        self.template = service.template
        self.context = service.context
        self.leniency = service.leniency
        self.window = service.window
        #: True if the last close() was slow, see ``exchange._SLOW_TAIL``.
        self.slow_tail = False
        if service.reload:
            from .development import ReportingApplication

            self.application = ReportingApplication(service.application, self)

    def wait(self, exchange: Exchange, ready: Callable[[], bool]) -> None:
        """Blocks until ``ready()``, or until the exchange is cancelled."""
        raise NotImplementedError

    def track(self, exchange: Exchange) -> None:
        """From now on, WINDOW and CANCEL frames about this exchange are handled."""
        raise NotImplementedError
