"""Exit statuses of a worker, as in the table ``src/process/exit-status.ts``."""

from __future__ import annotations

#: The worker was told to leave.
STOPPED = 0
#: The acceptor is gone.
ACCEPTOR_GONE = 1
#: The application could not be loaded.
NOT_LOADED = 3
#: The acceptor sent a frame that the worker cannot read.
PROTOCOL_ERROR = 4
