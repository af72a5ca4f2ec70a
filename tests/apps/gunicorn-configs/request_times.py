"""How long requests take, in the log."""

import os
import time

from events import note

bind = "127.0.0.1:0"
workers = 1
reload = bool(os.environ.get("RELOAD"))


def pre_request(worker, req):
    req.started = time.monotonic()
    worker.log.debug("%s %s", req.method, req.path)
    note("pre_request", req.method, req.path, req.query)


def post_request(worker, req, environ, resp):
    took = time.monotonic() - req.started
    worker.log.info("%s %s: %s in %.3f s", req.method, req.path, resp.status, took)
    note("post_request", req.path, environ["REQUEST_METHOD"], resp.status, took >= 0)
