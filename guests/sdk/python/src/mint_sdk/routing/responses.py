"""Responses, and how the value that a handler returns becomes one."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterable
from datetime import date, datetime
from enum import Enum
from functools import lru_cache
from json.encoder import c_make_encoder, encode_basestring
from typing import Any
from uuid import UUID

from .streams import ByteStream, Chunks

BODILESS = (204, 304)
"""Statuses of responses that have no body by definition."""
FIELD_NAMES_KEPT_MAX = 256
_FIELD_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NOT_IN_A_FIELD = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Response:
    """A whole response. `headers` may also be given as pairs to repeat a name."""

    media_type: str | None = None
    opened: ByteStream | None = None
    """Of a streamed body: the chunks as bytes, once the router has made the first one."""

    def __init__(
        self,
        content: Any = None,
        status_code: int = 200,
        headers: dict[str, str] | Iterable[tuple[str, str]] | None = None,
        media_type: str | None = None,
    ) -> None:
        self.status_code = status_code
        self.body = self.render(content)
        kind = media_type or self.media_type
        if kind is not None and kind.startswith("text/") and ";" not in kind:
            kind += "; charset=utf-8"
        self.headers: list[tuple[str, str]] = [("content-type", kind)] if kind is not None else []
        if headers:
            self._prefer(headers)

    def render(self, content: Any) -> bytes:
        """Bytes of the body."""
        if content is None:
            return b""
        return content.encode() if isinstance(content, str) else bytes(content)

    def _prefer(self, headers: dict[str, str] | Iterable[tuple[str, str]]) -> None:
        given = [(name.lower(), value) for name, value in (headers.items() if isinstance(headers, dict) else headers)]
        names = {name for name, _ in given}
        self.headers = [*given, *(field for field in self.headers if field[0] not in names)]

    def fields(self) -> list[tuple[str, str]]:
        """`headers`, and after them the length of the body if it is known and not among them."""
        if self.status_code in BODILESS or self._has("content-length"):
            return self.headers
        return [*self.headers, ("content-length", str(len(self.body)))]

    def encoded_fields(self) -> list[tuple[str, bytes]]:
        """`fields` in Latin-1. `ValueError` names one that cannot be sent."""
        return [(name, _encoded_field(name, value)) for name, value in self.fields()]

    def _has(self, wanted: str) -> bool:
        return any(name == wanted for name, _ in self.headers)


class JSONResponse(Response):
    """A JSON document; dataclasses, enums and dates are converted, NaN is an error."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return to_json(content).encode()


class HTMLResponse(Response):
    """A page."""

    media_type = "text/html"


class PlainTextResponse(Response):
    """Plain text."""

    media_type = "text/plain"


class StreamingResponse(Response):
    """A body that is made while it is sent: an iterable or async iterable of bytes or text."""

    def __init__(
        self,
        content: Chunks,
        status_code: int = 200,
        headers: dict[str, str] | Iterable[tuple[str, str]] | None = None,
        media_type: str | None = None,
    ) -> None:
        super().__init__(None, status_code, headers, media_type)
        self.chunks = content

    def fields(self) -> list[tuple[str, str]]:
        """`headers`: how long the body becomes is only known to whoever makes it."""
        return self.headers

    @property
    def stream(self) -> ByteStream:
        """The chunks as bytes, once the router has made the first one; to be closed by whoever sends them."""
        if self.opened is None:
            raise RuntimeError("A streaming response can only be sent by the router that it was returned to.")
        return self.opened


@lru_cache(maxsize=FIELD_NAMES_KEPT_MAX)
def is_field_name(name: str) -> bool:
    """Whether a header can be called so. Plugins use few names, again and again."""
    return _FIELD_NAME.fullmatch(name) is not None


def _encoded_field(name: Any, value: Any) -> bytes:
    """What the value is goes into no message: it may be a cookie."""
    if not (isinstance(name, str) and is_field_name(name)):
        raise ValueError(f"{name!r} is no name of a header field.")
    if not isinstance(value, str):
        raise ValueError(f"The header field '{name}' is of type {type(value).__name__}: give text.")
    try:
        encoded = value.encode("latin-1")
    except UnicodeError:
        raise ValueError(f"The header field '{name}' has characters that Latin-1 has not.") from None
    if _NOT_IN_A_FIELD.search(value):
        raise ValueError(f"The header field '{name}' has control characters.")
    return encoded


def to_response(value: Any, status_code: int = 200) -> Response:
    """A handler's return value: a `Response` as it is, everything else as JSON."""
    if isinstance(value, Response):
        return value
    # With all its arguments, Python calls a constructor faster.
    return JSONResponse(value, status_code, None, None)


def to_json(value: Any) -> str:
    """Compact JSON text. `ValueError` for what contains itself, or a number that JSON does not have."""
    try:
        write = _idle_writers.pop()
    except IndexError:
        write = _json_writer()
    text = "".join(write(value, 0))
    # One that failed still has its notes of what it was inside of, and is not used again.
    _idle_writers.append(write)
    return text


def _encode(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, set | frozenset):
        return list(value)
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


type _JSONWriter = Callable[[Any, int], Iterable[str]]


def _json_writer() -> _JSONWriter:
    """What `JSONEncoder.encode` makes anew for each value, though it can be used again, by one thread at a time."""
    if c_make_encoder is None:
        return json.JSONEncoder(default=_encode, allow_nan=False, ensure_ascii=False, separators=(",", ":")).iterencode
    return c_make_encoder({}, _encode, encode_basestring, None, ":", ",", False, False, False)


_idle_writers: list[_JSONWriter] = []
"""Never more than threads that wrote at the same time."""
