"""A developer's machine: everything is reloaded, and nothing times out."""

import os

_here = os.path.dirname(os.path.abspath(__file__))

bind = "localhost:0"
workers = 1
reload = True
reload_engine = "poll"
reload_extra_files = [os.path.join(_here, "templates", "index.html")]
loglevel = "debug"
accesslog = errorlog = "-"
capture_output = True
enable_stdio_inheritance = True
timeout = 0
