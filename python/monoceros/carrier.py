"""What an exchange needs of the worker that runs it."""

from __future__ import annotations

from contextvars import Context
from typing import TYPE_CHECKING, Any, Callable, Protocol

from .environ import Environ
from .leniency import Leniency
from .outbox import Outbox

if TYPE_CHECKING:
    from .exchange import Exchange


class Carrier(Protocol):
    """A worker: of one thread, of several, or embedded in the acceptor."""

    application: Callable[..., Any]
    template: Environ
    context: Context
    outbox: Outbox
    leniency: Leniency
    window: int
    #: True if the last close() was slow, see ``exchange._SLOW_TAIL``.
    slow_tail: bool

    def wait(self, exchange: Exchange, ready: Callable[[], bool]) -> None:
        """Blocks until ``ready()``, or until the exchange is cancelled."""

    def track(self, exchange: Exchange) -> None:
        """From now on, WINDOW and CANCEL frames about this exchange are handled."""
