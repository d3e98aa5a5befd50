"""Responses, and how the value that a handler returns becomes one."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable
from datetime import date, datetime
from enum import Enum
from json.encoder import c_make_encoder, encode_basestring
from typing import Any
from uuid import UUID

from .streams import ByteStream, Chunks

BODILESS = (204, 304)
"""Statuses of responses that have no body by definition."""


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
        self.headers: list[tuple[str, str]] = _pairs(headers) if headers else []
        kind = media_type or self.media_type
        if kind is not None and not (headers and self._has("content-type")):
            if kind.startswith("text/") and ";" not in kind:
                kind += "; charset=utf-8"
            self.headers.append(("content-type", kind))

    def render(self, content: Any) -> bytes:
        """Bytes of the body."""
        if content is None:
            return b""
        return content.encode() if isinstance(content, str) else bytes(content)

    def fields(self) -> list[tuple[str, str]]:
        """`headers`, and after them the length of the body if it is known and not among them."""
        if self.status_code in BODILESS or self._has("content-length"):
            return self.headers
        return [*self.headers, ("content-length", str(len(self.body)))]

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


def to_response(value: Any, status_code: int = 200) -> Response:
    """A handler's return value: a `Response` as it is, everything else as JSON."""
    if isinstance(value, Response):
        return value
    # With all its arguments, Python calls a constructor faster.
    return JSONResponse(value, status_code, None, None)


def to_json(value: Any) -> str:
    """Compact JSON text. `RecursionError` for what is nested too deeply, or in itself."""
    return "".join(_write_json(value, 0))


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


def _json_writer() -> Callable[[Any, int], Iterable[str]]:
    """What `JSONEncoder.encode` makes anew for each value: kept, as it notes nothing when it does not look for cycles."""
    if c_make_encoder is None:
        return json.JSONEncoder(
            default=_encode, check_circular=False, allow_nan=False, ensure_ascii=False, separators=(",", ":")
        ).iterencode
    return c_make_encoder(None, _encode, encode_basestring, None, ":", ",", False, False, False)


_write_json = _json_writer()


def _pairs(headers: dict[str, str] | Iterable[tuple[str, str]] | None) -> list[tuple[str, str]]:
    items = headers.items() if isinstance(headers, dict) else headers or ()
    return [(name.lower(), value) for name, value in items]
