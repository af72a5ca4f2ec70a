"""A container: everything comes from the environment."""

import json
import multiprocessing
import os

cores = multiprocessing.cpu_count()
workers_per_core = float(os.getenv("WORKERS_PER_CORE", "0.5"))
web_concurrency = os.getenv("WEB_CONCURRENCY")
if web_concurrency is not None:
    concurrency = int(web_concurrency)
    assert concurrency > 0
else:
    concurrency = max(int(workers_per_core * cores), 2)
log_level = os.getenv("LOG_LEVEL", "info")
host = os.getenv("HOST", "127.0.0.1")
port = os.getenv("PORT", "0")

bind = f"{host}:{port}"
workers = concurrency
threads = int(os.getenv("THREADS", 2))
loglevel = log_level
accesslog = os.getenv("ACCESS_LOG", "-") or None
errorlog = os.getenv("ERROR_LOG", "-") or None
worker_tmp_dir = "/dev/shm"
graceful_timeout = int(os.getenv("GRACEFUL_TIMEOUT", "120"))
timeout = int(os.getenv("TIMEOUT", "120"))
keepalive = int(os.getenv("KEEP_ALIVE", "5"))
forwarded_allow_ips = "*"

print(json.dumps({"workers": workers, "bind": bind, "loglevel": loglevel}))
