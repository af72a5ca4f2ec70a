"""The head of a response: what an application passes to start_response, checked and put in order.

PEP 3333 "The start_response() Callable"; RFC 9110 §5 for the syntax of fields.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Optional, Tuple

#: (the head in latin-1, declared Content-Length or None, True when the status allows no body)
ResponseHead = Tuple[bytes, Optional[int], bool]

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # a tab is allowed in a value, RFC 9110 §5.5
_STATUS = re.compile(r"[2-9][0-9][0-9] ")

#: "Applications are forbidden to use hop-by-hop features or headers" (PEP 3333 "Other HTTP Features").
_HOP_BY_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
    )
)

#: Fields whose values are made for one response: a head that has one of these is not worth remembering.
_PASSING = frozenset(("date", "etag", "expires", "last-modified", "location", "set-cookie"))

_ORDINARY = 0
_PASSING_FIELD = 1
_CONTENT_LENGTH = 2

# What has been checked once: applications use few statuses and names. Bounded, because both may come from outside.
_CACHE_LIMIT = 512
_CACHED_LENGTH = 128
_statuses: Dict[str, Tuple[str, bool]] = {}
_names: Dict[str, int] = {}

# And the whole heads: most responses begin as one before them did, and to find that out costs a third of making the
# head again. Bounded in number and size; when there are too many, those in use come back soon.
_HEADS_LIMIT = 256
_HEAD_SIZE_LIMIT = 1024
_HEAD_FIELDS_LIMIT = 32
_heads: Dict[Tuple[Any, ...], ResponseHead] = {}


class BadResponseHead(ValueError):
    """An application passed start_response a status or a header that cannot be sent."""

    code = "bad-response-head"


class BadResponseType(TypeError):
    """An application passed the server an object of a type that PEP 3333 does not allow."""

    code = "bad-response-type"


def compose_head(status: str, headers: Any) -> ResponseHead:
    """Checks a status and a list of headers and writes them as a head (``200 OK\\r\\nName: value\\r\\n``).

    A Content-Length with status 204 is left out (RFC 9110 §8.6).
    Raises BadResponseHead or BadResponseType with a message that names the header and the rule.

    >>> compose_head("200 OK", [("Content-Length", "5")])
    (b'200 OK\\r\\nContent-Length: 5\\r\\n', 5, False)
    """
    if headers.__class__ is list and status.__class__ is str:
        try:
            known = _heads.get((status, *headers))
        except TypeError:  # something in it has no hash, so it is no str
            known = None
        if known is not None:
            for field in headers:
                # Other objects may be equal to a str; whether they are refused must not depend on what came before.
                if field.__class__ is not tuple:
                    break
                name, value = field
                if name.__class__ is not str or value.__class__ is not str:
                    break
            else:
                return known
    return _compose(status, headers)


def _compose(status: str, headers: Any) -> ResponseHead:
    known = _statuses.get(status) if status.__class__ is str else None
    text, bodiless = known or _admit_status(status)
    if not isinstance(headers, list):
        raise BadResponseType(
            f"start_response: headers must be a list of (name, value) tuples, not {_kind(headers)} (PEP 3333)"
        )
    length: Optional[int] = None
    exact = status.__class__ is str
    for field in headers:
        if field.__class__ is not tuple or len(field) != 2:
            field = _admit_field(field)
            exact = False
        name, value = field
        if name.__class__ is not str:
            name = _plain_name(name)
            exact = False
        try:
            special = _names[name]
        except KeyError:
            special = _admit_name(name)
        # Nearly every value is printable; this is one pass in C. What is not may be a tab or obs-text.
        if value.__class__ is not str or not value.isprintable():
            value = _admit_value(name, value)
            exact = False
        if special:
            if special == _CONTENT_LENGTH:
                declared = _admit_length(value)
                if length is not None:
                    raise BadResponseHead("start_response: Content-Length is given more than once")
                length = declared
                if text.startswith("204"):
                    continue
            else:
                exact = False
        text = f"{text}{name}: {value}\r\n"
    if not text.isascii():
        _check_latin1(status, headers)
    head = (text.encode("latin-1"), length, bodiless)
    if exact and headers.__class__ is list and len(text) <= _HEAD_SIZE_LIMIT and len(headers) <= _HEAD_FIELDS_LIMIT:
        if len(_heads) >= _HEADS_LIMIT:
            _heads.clear()
        _heads[(status, *headers)] = head
    return head


def _admit_status(status: Any) -> Tuple[str, bool]:
    if not isinstance(status, str):
        raise BadResponseType(f"start_response: status must be a str such as '200 OK', not {_kind(status)}")
    status = str.__str__(status)
    if not _STATUS.match(status):
        rule = "1xx is not a final answer" if re.match(r"1[0-9][0-9] ", status) else (
            "it must be three digits (200 to 999), a space and a reason, as in '200 OK'"
        )
        raise BadResponseHead(f"start_response: bad status {_quote(status)}: {rule}")
    if _CONTROL.search(status) or "\t" in status:
        raise BadResponseHead(f"start_response: bad status {_quote(status)}: control characters are not allowed")
    if status[4:] != status[4:].strip():
        raise BadResponseHead(
            f"start_response: bad status {_quote(status)}: no white space may surround the reason (PEP 3333)"
        )
    _encode("status", status)
    entry = (f"{status}\r\n", status[:3] in ("204", "304"))
    if len(_statuses) < _CACHE_LIMIT and len(status) <= _CACHED_LENGTH:
        _statuses[status] = entry
    return entry


def _admit_field(field: Any) -> Any:
    if not isinstance(field, tuple):
        raise BadResponseType(f"start_response: a header must be a (name, value) tuple, not {_kind(field)}")
    if len(field) != 2:
        raise BadResponseType(
            f"start_response: a header must be a (name, value) tuple, not one of {len(field)} items"
        )
    return field


def _plain_name(name: Any) -> str:
    if not isinstance(name, str):
        raise BadResponseType(f"start_response: header name {_quote(name)} must be a str, not {_kind(name)}")
    return str.__str__(name)


def _admit_name(name: str) -> int:
    if not _TOKEN.fullmatch(name):
        raise BadResponseHead(f"start_response: header name {_quote(name)} is not a token (RFC 9110 §5.6.2)")
    lower = name.lower()
    if lower in _HOP_BY_HOP:
        raise BadResponseHead(
            f"start_response: header {name} is hop-by-hop and the server's business, "
            "an application must not send it (PEP 3333 \"Other HTTP Features\")"
        )
    special = _CONTENT_LENGTH if lower == "content-length" else _PASSING_FIELD if lower in _PASSING else _ORDINARY
    if len(_names) < _CACHE_LIMIT and len(name) <= _CACHED_LENGTH:
        _names[name] = special
    return special


def _admit_value(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise BadResponseType(
            f"start_response: the value of header {name} must be a str, not {_kind(value)}: {_quote(value)}"
        )
    value = str.__str__(value)
    if _CONTROL.search(value):
        raise BadResponseHead(
            f"start_response: the value of header {name} has a control character: {_quote(value)}"
        )
    return value


def _admit_length(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= 16):
        raise BadResponseHead(f"start_response: Content-Length must be decimal digits, not {_quote(value)}")
    return int(value)


def _check_latin1(status: str, headers: Any) -> None:
    _encode("status", status)
    for name, value in headers:
        _encode(f"the value of header {name}", value)


def _encode(what: str, text: str) -> None:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise BadResponseHead(
            f"start_response: {what} has a character that latin-1 cannot hold: {_quote(text)} "
            "(PEP 3333: encode other text as bytes and decode these as latin-1)"
        ) from error


def _kind(value: Any) -> str:
    return "None" if value is None else type(value).__name__


def _quote(value: Any) -> str:
    try:
        text = ascii(value)
    except Exception:  # an object whose __repr__ raises must not hide which rule it broke
        return f"<{type(value).__name__}>"
    return text if len(text) <= 120 else f"{text[:117]}..."
