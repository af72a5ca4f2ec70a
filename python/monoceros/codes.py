"""Codes of errors and warnings, such as ``MONO2001``, as in the table of ``src/messages``.

Each stands at the end of the first line of its text, in brackets, or before the sentence that
introduces the next lines, as ``src/messages/coded.ts`` says. Tests look for texts without a code,
and for codes that the table does not have."""

from __future__ import annotations

import re

_WITH_CODE = re.compile(r"[^\n]* \[MONO[0-9]{4}\](?:\Z|\n|:\n|\. [^\n]*:\n)")


def coded(code: str, text: str) -> str:
    """Adds its code to a text. A text that has one keeps it: whoever has written it knows better
    what is wrong."""
    if _WITH_CODE.match(text):
        return text
    line, newline, rest = text.partition("\n")
    end = ""
    if newline and line.endswith(":"):
        introduction = line.rfind(". ")
        place = len(line) - 1 if introduction == -1 else introduction
        line, end = line[:place], line[place:]
    return f"{line} [{code}]{end}{newline}{rest}"
