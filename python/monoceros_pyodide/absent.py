"""Says clearly what an embedded interpreter does not have, where Emscripten would pretend, wait for
ever or do worse.
"""

from __future__ import annotations

import errno
import os
from typing import Any, NoReturn

from . import no_network


def install() -> None:
    """Makes connections, the resolving of names and commands of a shell raise OSError. For the
    whole interpreter.
    """
    no_network.install()
    os.system = _refuse_command


def _refuse_command(command: Any) -> NoReturn:
    raise OSError(errno.ENOSYS, no_network.NO_PROGRAMS)
