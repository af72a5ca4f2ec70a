"""One file for production and for debugging."""

import os


def _flag(name, default=False):
    return os.environ.get(name, str(default)).lower() in ("1", "true", "yes")


DEBUG = _flag("DEBUG")

bind = "127.0.0.1:0"
worker_class = "gthread"
workers = 1 if DEBUG else 2
threads = 8
reload = DEBUG
preload_app = not DEBUG
loglevel = "debug" if DEBUG else "info"
spew = False
check_config = False
capture_output = DEBUG
max_requests = 0 if DEBUG else 5000
limit_request_field_size = 16380
