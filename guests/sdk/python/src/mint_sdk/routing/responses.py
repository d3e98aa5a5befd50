"""Responses, and how the value that a handler returns becomes one."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
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

    def __init__(
        self,
        content: Any = None,
        status_code: int = 200,
        headers: dict[str, str] | Iterable[tuple[str, str]] | None = None,
        media_type: str | None = None,
    ) -> None:
        self.status_code = status_code
        self.headers: list[tuple[str, str]] = _pairs(headers) if headers else []
        given = dict(self.headers) if headers else ()
        self.body = self.render(content)
        kind = media_type or self.media_type
        if kind is not None:
            if kind.startswith("text/") and ";" not in kind:
                kind += "; charset=utf-8"
            if "content-type" not in given:
                self.headers.append(("content-type", kind))
        if status_code not in BODILESS and "content-length" not in given:
            self.headers.append(("content-length", str(len(self.body))))

    def render(self, content: Any) -> bytes:
        """Bytes of the body."""
        if content is None:
            return b""
        return content.encode() if isinstance(content, str) else bytes(content)


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
        if not any(key == "content-length" for key, _ in _pairs(headers)):
            self.headers = [(key, value) for key, value in self.headers if key != "content-length"]
        self.chunks = content
        self.opened: ByteStream | None = None

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
    if status_code in BODILESS:
        return JSONResponse(value, status_code)
    # What the constructor would do for the commonest response, without its questions.
    response = JSONResponse.__new__(JSONResponse)
    response.status_code = status_code
    response.body = body = to_json(value).encode()
    response.headers = [("content-type", JSONResponse.media_type), ("content-length", str(len(body)))]
    return response


def to_json(value: Any) -> str:
    """Compact JSON text."""
    if c_make_encoder is None:
        return _ENCODER.encode(value)
    # What `encode` ends in. The first argument is what it notes cycles in, so a new one each time.
    return "".join(c_make_encoder({}, _encode, encode_basestring, None, ":", ",", False, False, False)(value, 0))


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


_ENCODER = json.JSONEncoder(default=_encode, allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def _pairs(headers: dict[str, str] | Iterable[tuple[str, str]] | None) -> list[tuple[str, str]]:
    items = headers.items() if isinstance(headers, dict) else headers or ()
    return [(name.lower(), value) for name, value in items]
