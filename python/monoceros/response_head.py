"""The head of a response: what an application passes to start_response, checked and put in order.

PEP 3333 "The start_response() Callable"; RFC 9110 §5 for the syntax of fields.
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, Optional, Protocol, Tuple

from .stranger import has_type, kind_of, quote

#: (the head in latin-1, declared Content-Length or None, True when the status allows no body)
ResponseHead = Tuple[bytes, Optional[int], bool]

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # a tab is allowed in a value, RFC 9110 §5.5
_STATUS = re.compile(r"[2-9][0-9][0-9] ")
_STATUS_FORM = "it must be three digits (200 to 999), a space and a reason, as in '200 OK'"
_BARE_STATUS = re.compile(r"[2-9][0-9][0-9]")

#: "Applications are forbidden to use hop-by-hop features or headers" (PEP 3333 "Other HTTP
#: Features"). src/semantics/hop-by-hop.ts has the same; a test compares them.
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

#: Fields whose values differ for each response: a head with one of these is not remembered.
_PASSING = frozenset(("date", "etag", "expires", "last-modified", "location", "set-cookie"))

_ORDINARY = 0
_PASSING_FIELD = 1
_CONTENT_LENGTH = 2
_HOP_BY_HOP_FIELD = 3
_UNKNOWN = -1

# What has been checked once: applications use few statuses and names. Bounded, because both may
# come from outside.
_CACHE_LIMIT = 512
_CACHED_LENGTH = 128
_statuses: Dict[str, Tuple[str, bool]] = {}
_names: Dict[str, int] = {}

# Whole heads too: most responses have the same head as an earlier one, and finding it costs a third
# of making it again. Bounded in number and size; if there are too many, those in use are soon added
# again.
_HEADS_LIMIT = 256
_HEAD_SIZE_LIMIT = 1024
_HEAD_FIELDS_LIMIT = 32
_heads: Dict[Tuple[Any, ...], ResponseHead] = {}


class BadResponseHead(ValueError):
    """The application passed a status or a header to start_response that cannot be sent."""

    code = "bad-response-head"


class BadResponseType(TypeError):
    """The application passed an object of a type that PEP 3333 does not allow."""

    code = "bad-response-type"


class Judge(Protocol):
    """Decides about harmless violations of PEP 3333."""

    def forgive(self, rule: str, error: Exception, instead: str) -> None:
        """Raises ``error``; or returns, and then ``instead`` is done. ``rule`` is a name for the
        log.
        """


class _Strict:
    def forgive(self, rule: str, error: Exception, instead: str) -> None:
        raise error


#: Tolerates nothing.
STRICT: Judge = _Strict()


def compose_head(status: str, headers: Any, judge: Judge = STRICT) -> ResponseHead:
    """Checks a status and a list of headers and writes them as a head (``200 OK\\r\\nName:
    value\\r\\n``).

    ``judge`` decides about violations with a clear meaning, and about fields that other servers
    drop. Whatever could split or forge a response is refused in any case. A Content-Length with
    status 204 is left out (RFC 9110 §8.6). Raises BadResponseHead or BadResponseType with a message
    that names the header and the rule.

    >>> compose_head("200 OK", [("Content-Length", "5")])
    (b'200 OK\\r\\nContent-Length: 5\\r\\n', 5, False)
    """
    if headers.__class__ is list and status.__class__ is str:
        try:
            known = _heads.get((status, *headers))
        # something in it has no hash, so that it is not a str
        except Exception:
            known = None
        if known is not None:
            for field in headers:
                # Other objects may be equal to a str. Whether they are refused must not depend on
                # earlier responses.
                if field.__class__ is not tuple:
                    break
                name, value = field
                if name.__class__ is not str or value.__class__ is not str:
                    break
            else:
                return known
    return _compose(status, headers, judge)


def compose_hints(headers: Any, judge: Judge = STRICT) -> bytes:
    """Checks the headers of an interim response (103, RFC 8297) and writes them as lines.

    Names and values may be bytes, as in Gunicorn. Raises BadResponseHead or BadResponseType.

    >>> compose_hints([("Link", "</style.css>; rel=preload")])
    b'Link: </style.css>; rel=preload\\r\\n'
    """
    try:
        fields = []
        for field in _admit_list(headers, judge):
            name, value = _admit_field(field, judge)
            if type(name) is bytes:
                name = name.decode("latin-1")
            if type(value) is bytes:
                value = value.decode("latin-1")
            fields.append((name, value))
        head, length, _ = _compose("200 OK", fields, judge)
        if length is not None:
            raise BadResponseHead(
                "start_response: an interim response has no Content-Length (RFC 9110 §8.6)"
            )
    except (BadResponseHead, BadResponseType) as error:
        text = str(error).replace("start_response", "wsgi.early_hints", 1)
        raise type(error)(text) from None
    return head[head.index(b"\n") + 1 :]


def _compose(status: str, headers: Any, judge: Judge) -> ResponseHead:
    # type() instead of __class__, which may be anything: the real objects are sent.
    entry = _statuses.get(status) if type(status) is str else None
    exact = entry is not None
    if entry is None:
        entry, exact = _admit_status(status, judge)
    text, bodiless = entry
    if type(headers) is not list:
        headers = _admit_list(headers, judge)
        exact = False
    length: Optional[int] = None
    for field in headers:
        if type(field) is not tuple or len(field) != 2:
            field = _admit_field(field, judge)
            exact = False
        name, value = field
        if type(name) is not str:
            name = _plain_name(name)
            exact = False
        special = _names.get(name, _UNKNOWN)
        if special == _UNKNOWN:
            special = _admit_name(name)
        # Nearly every value is printable, which is checked in C. Others may have a tab or obs-text.
        if type(value) is not str or not value.isprintable():
            value = _admit_value(name, value)
            exact = False
        if special:
            if special == _CONTENT_LENGTH:
                if not (value.isascii() and value.isdigit()):
                    value = _trim_length(value, judge)
                    exact = False
                declared = _admit_length(value)
                if length is not None:
                    _admit_repeated(length, declared, judge)
                    exact = False
                    continue
                length = declared
                if text.startswith("204"):
                    continue
            elif special == _HOP_BY_HOP_FIELD:
                _leave_out(name, judge)
                exact = False
                continue
            else:
                exact = False
        text = f"{text}{name}: {value}\r\n"
    if not text.isascii():
        _check_latin1(text)
    head = (text.encode("latin-1"), length, bodiless)
    if exact and len(text) <= _HEAD_SIZE_LIMIT and len(headers) <= _HEAD_FIELDS_LIMIT:
        if len(_heads) >= _HEADS_LIMIT:
            _heads.clear()
        _heads[(status, *headers)] = head
    return head


def _admit_status(status: Any, judge: Judge) -> Tuple[Tuple[str, bool], bool]:
    """The status line and whether it forbids a body; and whether it is sent unchanged."""
    if not has_type(status, str):
        raise BadResponseType(
            f"start_response: status must be a str such as '200 OK', not {kind_of(status)}"
        )
    exact = type(status) is str
    status = str.__str__(status)
    if _BARE_STATUS.fullmatch(status):
        error = BadResponseHead(f"start_response: bad status {quote(status)}: {_STATUS_FORM}")
        judge.forgive("status-without-reason", error, "it is sent with an empty reason")
        status = f"{status} "
        exact = False
    if not _STATUS.match(status):
        rule = (
            "1xx is not a final answer" if re.match(r"1[0-9][0-9]( |$)", status) else _STATUS_FORM
        )
        raise BadResponseHead(f"start_response: bad status {quote(status)}: {rule}")
    if _CONTROL.search(status) or "\t" in status:
        raise BadResponseHead(
            f"start_response: bad status {quote(status)}: control characters are not allowed"
        )
    _encode("status", status)
    reason = status[4:].strip(" ")
    if status[4:] != reason:
        error = BadResponseHead(
            f"start_response: bad status {quote(status)}: "
            "no white space may surround the reason (PEP 3333)"
        )
        judge.forgive("status-white-space", error, "the white space is removed")
        status = f"{status[:4]}{reason}"
        exact = False
    entry = (f"{status}\r\n", status[:3] in ("204", "304"))
    if exact and len(_statuses) < _CACHE_LIMIT and len(status) <= _CACHED_LENGTH:
        _statuses[status] = entry
    return entry, exact


def _admit_list(headers: Any, judge: Judge) -> List[Any]:
    if has_type(headers, list):
        return list(headers)
    error = BadResponseType(
        f"start_response: headers must be a list of (name, value) tuples, not {kind_of(headers)}"
        f"{'; list(headers.items()) is one' if has_type(headers, dict) else ''} (PEP 3333)"
    )
    # Iterating over a dict or a str does not give pairs.
    if has_type(headers, (dict, str, bytes, bytearray)):
        raise error
    try:
        items = iter(headers)
    except TypeError:
        raise error from None
    judge.forgive("headers-not-a-list", error, "its items are used")
    return list(items)


def _admit_field(field: Any, judge: Judge) -> Tuple[Any, Any]:
    if has_type(field, tuple):
        field = tuple(field)
    elif has_type(field, list):
        error = BadResponseType(
            "start_response: a header must be a (name, value) tuple, not a list"
        )
        judge.forgive("header-not-a-tuple", error, "it is treated as a tuple")
        field = tuple(field)
    else:
        raise BadResponseType(
            f"start_response: a header must be a (name, value) tuple, not {kind_of(field)}"
        )
    if len(field) != 2:
        raise BadResponseType(
            f"start_response: a header must be a (name, value) tuple, not one of {len(field)} items"
        )
    return field  # type: ignore[no-any-return]


def _plain_name(name: Any) -> str:
    if not has_type(name, str):
        raise BadResponseType(
            f"start_response: header name {quote(name)} must be a str, not {kind_of(name)}"
        )
    return str.__str__(name)


def _admit_name(name: str) -> int:
    if not _TOKEN.fullmatch(name):
        raise BadResponseHead(
            f"start_response: header name {quote(name)} is not a token (RFC 9110 §5.6.2)"
        )
    lower = name.lower()
    special = (
        _CONTENT_LENGTH
        if lower == "content-length"
        else _HOP_BY_HOP_FIELD
        if lower in _HOP_BY_HOP
        else _PASSING_FIELD
        if lower in _PASSING
        else _ORDINARY
    )
    if len(_names) < _CACHE_LIMIT and len(name) <= _CACHED_LENGTH:
        _names[name] = special
    return special


def _leave_out(name: str, judge: Judge) -> None:
    error = BadResponseHead(
        f"start_response: header {name} is a hop-by-hop header, which only the server may send "
        '(PEP 3333 "Other HTTP Features")'
    )
    judge.forgive(f"hop-by-hop {name.lower()}", error, "the header is omitted")


def _admit_value(name: str, value: Any) -> str:
    if not has_type(value, str):
        raise BadResponseType(
            f"start_response: the value of header {name} must be a str, "
            f"not {kind_of(value)}: {quote(value)}"
        )
    value = str.__str__(value)
    if _CONTROL.search(value):
        raise BadResponseHead(
            f"start_response: the value of header {name} has a control character: {quote(value)}"
        )
    return value  # type: ignore[no-any-return]


def _trim_length(value: str, judge: Judge) -> str:
    trimmed = value.strip(" \t")
    if trimmed != value and trimmed.isascii() and trimmed.isdigit():
        judge.forgive(
            "content-length-white-space", _bad_length(value), "the white space is removed"
        )
    return trimmed


def _admit_length(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= 16):
        raise _bad_length(value)
    return int(value)


def _bad_length(value: str) -> BadResponseHead:
    return BadResponseHead(
        f"start_response: Content-Length must be decimal digits, not {quote(value)}"
    )


def _admit_repeated(length: int, declared: int, judge: Judge) -> None:
    if declared != length:
        raise BadResponseHead(
            f"start_response: Content-Length is given more than once, as {length} and as {declared}"
        )
    error = BadResponseHead("start_response: Content-Length is given more than once")
    judge.forgive("content-length-repeated", error, "it is sent once, because all values are equal")


def _check_latin1(text: str) -> None:
    for line in text.split("\r\n")[1:]:
        name, _, value = line.partition(": ")
        _encode(f"the value of header {name}", value)


def _encode(what: str, text: str) -> None:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        raise BadResponseHead(
            f"start_response: {what} has a character that latin-1 cannot hold: {quote(text)} "
            "(PEP 3333: encode other text as bytes and decode these as latin-1)"
        ) from None
