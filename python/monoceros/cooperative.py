"""A worker of one thread whose application runs greenlets, which run while it waits for
requests."""

from __future__ import annotations

import socket
import time
from typing import Any, List

from .channel import Service
from .exchange import Exchange
from .frames import Frame
from .solo import SoloWorker


class CooperativeWorker(SoloWorker):
    """Like SoloWorker, for an application that has replaced ``select``; ``wait`` is from
    ``native.cooperative_wait``.
    """

    def __init__(
        self, service: Service, data: socket.socket, control: socket.socket, wait: Any
    ) -> None:
        super().__init__(service, data, control)
        self._let_run = wait

    def _receive(self, waiting: Exchange | None = None) -> bool:
        if self._reading:
            # Another greenlet of this thread is reading for all of them, and has the lock.
            time.sleep(0.001)
            return True
        return super()._receive(waiting)

    def _take(self, patient: bool) -> List[Frame]:
        # The control thread uses this method too, but never patiently.
        if patient:
            self._let_run((self._data,), None)
        return super()._take(patient)
