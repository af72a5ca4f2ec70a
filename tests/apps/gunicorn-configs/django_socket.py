"""A service behind nginx: a unix socket, log files, and a user of its own."""

import os

state = os.environ.get("STATE", "/run/mysite")

wsgi_app = "app:app"
chdir = os.path.dirname(os.path.abspath(__file__))
bind = [f"unix:{state}/gunicorn.sock"]
backlog = 512
workers = 2
pidfile = f"{state}/gunicorn.pid"
accesslog = f"{state}/access.log"
errorlog = f"{state}/error.log"
access_log_format = '%(t)s "%(r)s" %(s)s %(B)s %(D)s "%({x-request-id}i)s"'
loglevel = "warning"
user = os.environ.get("RUN_AS", "www-data")
group = os.environ.get("RUN_AS_GROUP", "www-data")
umask = 0o007
worker_tmp_dir = "/dev/shm"
proc_name = "mysite"
raw_env = ["DJANGO_SETTINGS_MODULE=mysite.settings", "LANG=C.UTF-8"]
pythonpath = os.path.dirname(os.path.abspath(__file__))
limit_request_line = 8190
limit_request_fields = 50
