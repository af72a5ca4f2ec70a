"""PEP 3333, "environ Variables": what the application finds in its environ."""

from __future__ import annotations

import json
import os
import re
from typing import List
from urllib.parse import quote

from .registry import TEXT, Environ, StartResponse, case, note, token_of


def json_answer(start_response: StartResponse, value: object) -> List[bytes]:
    """A 200 with the value as ASCII-only JSON."""
    body = json.dumps(value, sort_keys=True).encode("ascii")
    start_response(
        "200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    )
    return [body]


@case
def environ_strings(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """Every entry of the environ that is a str."""
    return json_answer(start_response, {k: v for k, v in environ.items() if isinstance(v, str)})


@case
def environ_facts(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """What can be said of the environ as a whole."""
    cgi = {
        key: value for key, value in environ.items() if re.fullmatch("[A-Z][A-Z0-9_]*", str(key))
    }
    rest = sorted(set(environ) - set(cgi))
    return json_answer(
        start_response,
        {
            "type": "builtin dict" if type(environ) is dict else repr(type(environ)),
            "not str": sorted(key for key, value in cgi.items() if type(value) is not str),
            "not latin-1": sorted(
                key
                for key, value in environ.items()
                if isinstance(value, str) and any(ord(char) > 255 for char in value)
            ),
            "odd keys": [
                key for key in rest if not re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)+", str(key))
            ],
        },
    )


@case
def wsgi_facts(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """The WSGI-defined variables; what is no plain value is described by what it can do."""
    wanted = {
        "wsgi.input": ("read", "readline", "readlines", "__iter__"),
        "wsgi.errors": ("flush", "write", "writelines"),
    }
    facts = {}
    for key, value in environ.items():
        if key in wanted:
            missing = [name for name in wanted[key] if not callable(getattr(value, name, None))]
            facts[key] = "lacks " + ", ".join(missing) if missing else "has every method"
        elif key.startswith("wsgi."):
            facts[key] = repr(value) if isinstance(value, (str, bool, int, tuple)) else "object"
    facts["multithread"] = "true" if environ["wsgi.multithread"] else "false"
    facts["multiprocess"] = "true" if environ["wsgi.multiprocess"] else "false"
    facts["run_once"] = "true" if environ["wsgi.run_once"] else "false"
    return json_answer(start_response, facts)


@case
def environ_cleared(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """Uses the right to modify the environ in any way: empties it and puts other things in."""
    environ.clear()
    environ["PATH_INFO"] = None
    environ["the_case.left_over"] = "from an earlier request"
    start_response("200 OK", TEXT)
    return [b"cleared"]


@case
def environ_changed(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """Changes its environ: replaces, removes and adds."""
    environ["PATH_INFO"] = None
    del environ["REQUEST_METHOD"]
    environ["wsgi.version"] = "changed"
    environ["the_case.left_over"] = "from an earlier request"
    start_response("200 OK", TEXT)
    return [b"changed"]


@case
def url_reconstruction(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """The algorithm of PEP 3333, "URL Reconstruction"; the str values are views of bytes, so bytes
    are quoted.
    """
    url = environ["wsgi.url_scheme"] + "://"
    if environ.get("HTTP_HOST"):
        url += environ["HTTP_HOST"]
    else:
        url += environ["SERVER_NAME"]
        if environ["SERVER_PORT"] != {"https": "443", "http": "80"}[environ["wsgi.url_scheme"]]:
            url += ":" + environ["SERVER_PORT"]
    url += quote(environ.get("SCRIPT_NAME", "").encode("latin-1"))
    url += quote(environ.get("PATH_INFO", "").encode("latin-1"))
    if environ.get("QUERY_STRING"):
        url += "?" + environ["QUERY_STRING"]
    return json_answer(start_response, url)


@case
def deployer_variable(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """Where a name and value that the deployer gave to the server can be found."""
    name = "PEP3333_DEPLOYER"
    places = [
        place for place, held in (("environ", environ), ("os.environ", os.environ)) if name in held
    ]
    return json_answer(start_response, places)


@case
def counted(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """Notes every call."""
    note(token_of(environ), "called")
    start_response("200 OK", TEXT)
    return [b"counted"]
