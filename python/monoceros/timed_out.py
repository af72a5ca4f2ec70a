"""What is raised in an application whose request has run out of time."""

from __future__ import annotations


class RequestTimedOut(BaseException):
    """Raised in an application whose request has run out of time.

    Not an Exception, so that ``except Exception`` in the application does not catch it.
    """

    code = "request-timed-out"


TIMED_OUT = "the request ran longer than the timeout"
