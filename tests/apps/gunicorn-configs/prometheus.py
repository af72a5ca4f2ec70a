"""Metrics in files of the workers, which are removed with their worker."""

import os

from events import note

bind = "127.0.0.1:0"
workers = int(os.environ.get("GUNICORN_PROCESSES", "2"))
threads = int(os.environ.get("GUNICORN_THREADS", "4"))
reload = os.environ.get("ENVIRONMENT") == "development"
accesslog = "-"
secure_scheme_headers = {"X-FORWARDED-PROTO": "https"}
forwarded_allow_ips = "127.0.0.1,10.0.0.0/8"


def child_exit(server, worker):
    note("child_exit", worker.pid > 0)
    path = os.path.join(os.environ.get("PROMETHEUS_MULTIPROC_DIR", "/nonexistent"), "worker.db")
    if os.path.exists(path):
        os.remove(path)
