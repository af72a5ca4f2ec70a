"""Runs a command in a terminal of its own, and types when something is to be seen there.

Arguments: JSON list of [regular expression, what to type] pairs, then the command. Prints JSON:
what the terminal showed, and the status (negative: the signal)."""

import json
import os
import pty
import re
import select
import sys
import time

PATIENCE = 30.0


def run(steps, command):
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    seen = b""
    looked = 0
    try:
        for pattern, typed in steps:
            found = None
            while found is None:
                found = re.search(pattern.encode(), seen[looked:])
                if found is None:
                    seen += receive(terminal, f"waited in vain for {pattern!r}; seen {seen!r}")
            looked += found.end()
            os.write(terminal, typed.encode())
        while True:
            seen += receive(terminal, f"it does not end; seen {seen!r}")
    except EOFError:
        return seen.decode("utf-8", "replace"), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except TimeoutError as error:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        return str(error), None


def receive(terminal, complaint):
    end = time.monotonic() + PATIENCE
    while not select.select([terminal], [], [], 0.1)[0]:
        if time.monotonic() > end:
            raise TimeoutError(complaint)
    try:
        data = os.read(terminal, 65536)
    except OSError:  # Linux: nobody has it open any more
        data = b""
    if not data:
        raise EOFError
    return data


shown, status = run(json.loads(sys.argv[1]), sys.argv[2:])
print(json.dumps({"shown": shown.replace("\r\n", "\n"), "status": status}))
