"""Codes of errors and warnings, such as ``MONO2001``, as in the table of ``src/messages``.

Each stands at the end of the first line of its text, in brackets. Tests look for texts without a
code, and for codes that the table does not have."""

from __future__ import annotations


def coded(code: str, text: str) -> str:
    """Adds its code to a text. A text that has one keeps it: whoever has written it knows better
    what is wrong."""
    line, newline, rest = text.partition("\n")
    if line.endswith("]") and " [MONO" in line[-12:]:
        return text
    return f"{line} [{code}]{newline}{rest}"
