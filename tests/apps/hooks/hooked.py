"""The application of the comparison of hooks."""

import os
import time


def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/raise":
        raise ValueError("by the application")
    if path == "/hang":
        time.sleep(60)
    body = f"{environ.get('HTTP_X_BY_HOOK')} {os.environ.get('FROM_RAW_ENV')}".encode()
    length = [("Content-Length", str(len(body)))] if path == "/sized" else []
    start_response("201 Created", [("Content-Type", "text/plain"), *length])
    return [body]
