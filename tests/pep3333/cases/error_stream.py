"""PEP 3333, "Input and Error Streams": ``wsgi.errors``."""

from __future__ import annotations

import traceback
from typing import List

from .registry import TEXT, Environ, StartResponse, case, token_of


@case
def errors_written(environ: Environ, start_response: StartResponse) -> List[bytes]:
    """Uses ``wsgi.errors`` as ``X-How`` says; everything carries the token so that the log can be
    searched.
    """
    errors = environ["wsgi.errors"]
    token = token_of(environ)
    how = environ["HTTP_X_HOW"]
    if how == "write":
        errors.write("first %s\n" % token)
    elif how == "writelines":
        errors.writelines(["one %s\n" % token, "two %s\n" % token])
    elif how == "flush":
        errors.write("partial %s" % token)
        errors.flush()
    elif how == "print":
        print("printed", token, file=errors)
    elif how == "unicode":
        errors.write("snowman \u2603 %s\n" % token)
    elif how == "surrogate":
        errors.write("surrogate \udc80 %s\n" % token)
    elif how == "traceback":
        try:
            raise LookupError("trapped " + token)
        except LookupError:
            traceback.print_exc(file=errors)
    start_response("200 OK", TEXT)
    return [b"written"]
