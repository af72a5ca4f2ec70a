"""The application of all configurations here."""

import json
import logging
import os
import random
import threading
import time

GREETING = "hello"
IMPORTED_BY = os.getpid()
SHARED = object()
RANDOM = random.random()
inside = 0
lock = threading.Lock()


def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/raise":
        raise ValueError("wrong")
    if path.startswith("/slow"):
        time.sleep(float(environ["QUERY_STRING"]))
    if path == "/print":
        print("printed by the application", flush=True)
    if path == "/log":
        logging.getLogger("shop").info("logged by the application")
    body = json.dumps(facts(environ)) if path.endswith("facts") else f"{os.getpid()} {path}"
    if path == "/meet":
        body = "together" if meet(int(environ["QUERY_STRING"])) else "alone"
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Mine", "yes")])
    return [f"{body}\n".encode()]


def meet(wanted):
    """Waits until so many requests are in this process at once, and tells whether they came."""
    global inside
    with lock:
        inside += 1
    end = time.monotonic() + 6
    while inside < wanted:
        if time.monotonic() > end:
            with lock:
                inside -= 1
            return False
        time.sleep(0.01)
    return True


def facts(environ):
    """What a deployment can see of its server."""
    umask = os.umask(0o22)
    os.umask(umask)
    return {
        "pid": os.getpid(),
        "imported by": IMPORTED_BY,
        "shared": id(SHARED),
        "random at import": RANDOM,
        "random": random.random(),
        "greeting": GREETING,
        "user": f"{os.geteuid()}:{os.getegid()}",
        "groups": sorted(os.getgroups()),
        "umask": f"{umask:o}",
        "folder": os.path.basename(os.getcwd()),
        "environ": {key: value for key, value in environ.items() if isinstance(value, str)},
        "flags": {
            key: environ[key] for key in ("wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once")
        },
        "env": dict(os.environ),
    }
