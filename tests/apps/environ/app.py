"""Answers with the strings of the environ, as JSON."""

import json


def app(environ, start_response):
    seen = {key: value for key, value in environ.items() if isinstance(value, str)}
    body = json.dumps(seen).encode()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body]
