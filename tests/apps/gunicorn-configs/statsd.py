"""Metrics by UDP."""

import os

bind = "127.0.0.1:0"
workers = 2
worker_class = "sync"
statsd_host = os.environ.get("STATSD_HOST", "localhost:8125")
statsd_prefix = "shop.web"
dogstatsd_tags = "env:test,service:shop"
enable_backlog_metric = False
