"""Makes things that an embedded interpreter does not have fail with a clear message.

Emscripten would pretend to have them, or wait forever."""

from __future__ import annotations

import errno
import os
from typing import Any, NoReturn

from . import no_network


def install() -> None:
    """Makes connections, name resolution and shell commands raise OSError everywhere."""
    no_network.install()
    os.system = _refuse_command


def _refuse_command(command: Any) -> NoReturn:
    raise OSError(errno.ENOSYS, no_network.NO_PROGRAMS)
