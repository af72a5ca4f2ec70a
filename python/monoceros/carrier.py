"""What an exchange needs of the worker that runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Optional

from . import frames, greenlets
from .outbox import Outbox

if TYPE_CHECKING:
    from .channel import Service
    from .environ import Bases
    from .exchange import Exchange
    from .lending import Lender


class Carrier:
    """A worker: of one thread, of several, or embedded in the acceptor."""

    outbox: Outbox
    #: Where large responses are offered; None if the acceptor lends no sockets.
    lender: Optional[Lender] = None

    def __init__(self, service: Service) -> None:
        self.application = service.application
        self.template = service.template
        self.bases: Bases = {}
        self.context = service.context
        self.leniency = service.leniency
        self.window = service.window
        #: True if the last close() was slow, see ``exchange._SLOW_TAIL``.
        self.slow_tail = False
        if service.reload:
            from .development import ReportingApplication

            self.application = ReportingApplication(service.application, self)

    def _inspect(self, question: bytes) -> None:
        """Handles an INSPECT, in the thread that reads the control channel."""
        # Imported here, because hardly any worker is ever asked.
        from .inspection import inspect

        inspect(self, question)

    def _print_stacks(self) -> None:
        """Handles a PRINT_STACKS, in the thread that reads the control channel."""
        greenlets.show()
        self.outbox.put(frames.pack(frames.PRINTED, 0, 0))
        self.outbox.flush()

    def wait(self, exchange: Exchange, ready: Callable[[], bool]) -> None:
        """Blocks until ``ready()``, or until the exchange is cancelled."""
        raise NotImplementedError

    def lend_from(self, lender: Lender) -> None:
        """Large responses are offered to ``lender``. Call it before ``serve``."""
        self.lender = lender

    def sent(self, exchange: Exchange) -> None:
        """The lender has ended an exchange, in the thread that polls for it."""
        raise NotImplementedError

    def track(self, exchange: Exchange) -> None:
        """From now on, WINDOW and CANCEL frames about this exchange are handled."""
        raise NotImplementedError
