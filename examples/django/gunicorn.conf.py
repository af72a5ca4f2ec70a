"""Settings of the server: the command `monoceros` reads this file in its folder."""

import os

wsgi_app = "library.wsgi"
workers = 2
threads = 4
accesslog = "-"

# What Gunicorn does not have.
monoceros = {"security_headers": True, "limit_request_body": "5M"}

# While it is developed (--reload), the server takes them from the applications.
if os.environ.get("DJANGO_DEBUG") != "1":
    monoceros["static"] = {"/static": "./static_files"}
