"""The one JSON reader: bytes of a stranger become values that nothing behind it can choke on.

It takes what .NET writes and what Python's own reader takes: a byte order mark, UTF-16 and UTF-32, control characters
and halves of surrogate pairs in texts, ``NaN`` and ``Infinity`` (which become null: a number that is none is missing).
Of equal keys in an object the last one counts, as it does for both. Everything else that is not JSON is refused with a
``ValueError``, and so is what no API of ours means: more than ``MAX_DEPTH`` levels, more than ``MAX_VALUES`` values.

Texts come out clean (``customer_import.text``), numbers fit into 64 bits.

Beyond ``_LENIENT`` bytes a body has to be JSON to the letter, but for halves of surrogate pairs.

No call here holds the interpreter for long: a large body is read piece by piece, and whoever reads one does so in a
thread (``http.body``).
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NoReturn

import ijson
import orjson
import re2

from customer_import.text import MAX_TEXT, clean

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH = 64
MAX_VALUES = 500_000
SMALL = 128 * 1024
"""Bytes that can be read in any way at once, whatever they hold."""
_LENIENT = 1024 * 1024
_STRETCH = 256 * 1024
_CHUNK = 1024 * 1024
_QUOTE, _BACKSLASH = b'"\\'
_AT_ONCE = 4 * 1024 * 1024
_AT_ONCE_VALUES = 100_000

_BOM = b"\xef\xbb\xbf"
_BYTES = re2.Options()
_BYTES.encoding = re2.Options.Encoding.LATIN1
_TO_BE_CLEANED = re2.compile(
    rb"\\(?:[bfnrt]|u(?:00[0189]|007[fF]|202[89]|[dD][89a-fA-F]))"
    rb"|\x7f|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]",
    _BYTES,
)
_MAX_ID = 2**63
_MOST_DIGITS = 310
_Json = Any  # JSON of any shape


def read_json(body: bytes) -> _Json:
    """Read a JSON body.

    Raises:
        ValueError: It is not JSON, or beyond the bounds; names no value.
    """
    return read_document(body)[0]


def read_document(body: bytes) -> tuple[_Json, bool]:
    """Read a JSON body, and tell whether the value is what the bytes say, byte order mark aside.

    Raises:
        ValueError: As for ``read_json``.
    """
    body = body.removeprefix(_BOM)
    if len(body) > SMALL and not _is_read_at_once(body):
        return _read_large(body), False
    try:
        value = orjson.loads(body)
    except ValueError:
        if len(body) > _LENIENT:
            return _read_large(body), False
        return _cleaned(_read_lenient(body), MAX_DEPTH), False
    if _is_clean(body):
        return value, True
    cleaned = _cleaned(value, MAX_DEPTH)
    return cleaned, cleaned == value


def positive_id(value: object) -> int:
    """Return the id that a value is: a whole number that a database can hold.

    Raises:
        ValueError: It is none; ``true``, ``17.0`` and ``"17"`` are none either.
    """
    if type(value) is not int or not 0 < value < _MAX_ID:
        message = "not an id: a positive 64-bit integer is due"
        raise ValueError(message)
    return value


def _is_read_at_once(body: bytes) -> bool:
    """Whether the quick reader, which nothing can interrupt, is done with a body in a moment."""
    return len(body) <= _AT_ONCE and body.count(b",") + _count_opened(body) <= _AT_ONCE_VALUES


def _count_opened(body: bytes) -> int:
    return body.count(b"{") + body.count(b"[")


def _is_clean(body: bytes) -> bool:
    """Whether a body certainly holds nothing that ``_cleaned`` would change; quick, because most are."""
    if len(body) > MAX_TEXT or _count_opened(body) > MAX_DEPTH:
        return False
    has_mark = b"\\" in body or b"\x7f" in body
    if not has_mark and (body.isascii() or (b"\xc2" not in body and b"\xe2" not in body)):
        return True
    return _TO_BE_CLEANED.search(body) is None


def _read_lenient(body: bytes) -> _Json:
    try:
        text = body.decode(json.detect_encoding(body), "surrogatepass")
        return json.loads(text, strict=False, parse_int=_integer, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        _refuse("not JSON")


def _integer(digits: str) -> float:
    """Read a whole number; one that no float can hold is not worth its time, which grows with the square."""
    return int(digits) if len(digits) <= _MOST_DIGITS else math.inf


def _cleaned(value: _Json, levels: int) -> _Json:
    kind = type(value)
    if kind is str:
        return clean(value)
    if kind is dict or kind is list:
        if levels == 0:
            _refuse("nested too deeply")
        if kind is list:
            return [_cleaned(item, levels - 1) for item in value]
        return {clean(key): _cleaned(item, levels - 1) for key, item in value.items()}
    return _number(value) if kind is int or kind is float else value


def _number(value: float) -> float | None:
    """Return a number as the quick reader gives it: larger integers as floats, infinite ones not at all."""
    if type(value) is int and -_MAX_ID <= value < 2 * _MAX_ID:
        return value
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _read_large(body: bytes) -> _Json:
    """Read a body piece by piece, so that threads can take turns."""
    if _has_long_stretch(body):
        _refuse("a text or a number is too long")
    try:
        return _build(ijson.basic_parse(body, use_float=True))
    except ijson.JSONError:
        _refuse("not JSON")


def _has_long_stretch(body: bytes) -> bool:
    """Whether much of a body has no quotation mark: a text or number that long takes its reader quadratic time."""
    import numpy as np  # noqa: PLC0415 - few processes read a large body

    last = 0
    for start in range(0, len(body), _CHUNK):
        chunk = np.frombuffer(body, np.uint8, min(_CHUNK, len(body) - start), start)
        is_mark = chunk == _QUOTE
        is_mark[1:] &= chunk[:-1] != _BACKSLASH
        marks = np.flatnonzero(is_mark)
        if not len(marks):
            continue
        if start + int(marks[0]) - last > _STRETCH or np.any(np.diff(marks) > _STRETCH):
            return True
        last = start + int(marks[-1])
    return len(body) - last > _STRETCH


def _build(events: Iterator[tuple[str, _Json]]) -> _Json:
    root: list[_Json] = []
    stack: list[_Json] = [root]
    keys: list[str] = [""]
    for number, (event, value) in enumerate(events):
        if number > MAX_VALUES * 2:  # a value has at most a key or an end of its own
            _refuse("too many values")
        if event == "map_key":
            keys[-1] = clean(value)
            continue
        if event in {"end_map", "end_array"}:
            stack.pop()
            keys.pop()
            continue
        item: _Json = value
        if event == "string":
            item = clean(value)
        elif event == "number":
            item = _number(value)
        elif event == "start_map":
            item = {}
        elif event == "start_array":
            item = []
        holder = stack[-1]
        if type(holder) is dict:
            holder[keys[-1]] = item
        else:
            holder.append(item)
        if event in {"start_map", "start_array"}:
            if len(stack) > MAX_DEPTH:
                _refuse("nested too deeply")
            stack.append(item)
            keys.append("")
    return root[0]


def _refuse(reason: str) -> NoReturn:
    message = f"the body: {reason}"
    raise ValueError(message) from None
