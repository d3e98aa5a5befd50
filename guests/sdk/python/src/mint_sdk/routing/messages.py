"""Requests as handlers see them, whichever protocol brought them."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from functools import cached_property
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

from .errors import FieldError, HTTPException, RequestValidationError

BODY_BYTES_MAX = 8 * 1024 * 1024
"""Most bytes that `Request.body` reads unless the route says otherwise."""
REQUEST_ID_CHARS_MAX = 128


class Headers:
    """Header fields; names in any case, values in the order received."""

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._items: Sequence[tuple[str, str | bytes]] = [(name.lower(), value) for name, value in items]
        # Backwards, so that the first of several values stays.
        self._first: dict[str, Any] = dict(reversed(self._items))

    @classmethod
    def received(cls, items: list[tuple[str, bytes]]) -> Headers:
        """Of a request as a server hands it over: names in lower case, values in Latin-1. Most are never looked at."""
        headers = cls.__new__(cls)
        headers._items = items
        headers._first = dict(reversed(items))
        return headers

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first value of `name`."""
        value = self._first.get(name.lower(), default)
        return value.decode("latin-1") if type(value) is bytes else value

    def raw(self, names: Iterable[str]) -> list[str | bytes | None]:
        """The first value of each of `names`, which are in lower case; as it was received, which costs least."""
        return list(map(self._first.get, names))

    def getlist(self, name: str) -> list[str]:
        """All values of `name`."""
        wanted = name.lower()
        return [_text(value) for key, value in self._items if key == wanted]

    def repeats(self, names: Iterable[str]) -> bool:
        """Whether one of `names` has several values."""
        return len(self._first) != len(self._items) and any(len(self.getlist(name)) > 1 for name in names)

    def items(self) -> list[tuple[str, str]]:
        """All fields, names in lower case."""
        return [(name, _text(value)) for name, value in self._items]

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._first

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for name, _ in self._items))


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


class QueryParams:
    """The decoded query string."""

    def __init__(self, query: str = "") -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            self._values.setdefault(name, []).append(value)

    def get(self, name: str, default: str | None = None) -> str | None:
        """The last value of `name`."""
        values = self._values.get(name)
        return values[-1] if values else default

    def getlist(self, name: str) -> list[str]:
        """All values of `name`."""
        return list(self._values.get(name, ()))

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)


class Request:
    """One request under the plugin's prefix. `path` is decoded, begins with `/` and lacks the prefix."""

    body_bytes_max: int | None = None
    actor: Any = ...
    """Who sent it, where the platform says so beside the headers; `...` where only those tell."""
    _body: bytes | None = None

    def __init__(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: Headers | None = None,
        chunks: AsyncIterator[bytes] | None = None,
        prefix: str = "",
        request_id: str = "",
    ) -> None:
        self.method = method
        self.path = path
        self.prefix = prefix
        self.headers = Headers() if headers is None else headers
        self._query = query
        self._chunks = chunks
        if request_id:
            self.request_id = request_id

    @cached_property
    def path_params(self) -> dict[str, str]:
        """What the path has in place of the route's parameters."""
        return {}

    @cached_property
    def request_id(self) -> str:
        """The platform's id of the request, under which it is found in the logs."""
        return clean_request_id(self.headers.get("x-request-id"))

    @cached_property
    def query_params(self) -> QueryParams:
        """The query, decoded when it is first asked for."""
        return QueryParams(self._query)

    @cached_property
    def state(self) -> SimpleNamespace:
        """Whatever handlers and dependencies of this request want to tell each other."""
        return SimpleNamespace()

    async def stream(self) -> AsyncIterator[bytes]:
        """The body in the chunks in which it arrives; once. Bounded only where the route sets `body_bytes_max`."""
        if self._body is not None:
            yield self._body
            return
        async for chunk in self._bounded(self.body_bytes_max):
            yield chunk

    async def body(self) -> bytes:
        """The whole body. More than `body_bytes_max` of the route (8 MiB by default) is refused with 413."""
        if self._body is None:
            limit = BODY_BYTES_MAX if self.body_bytes_max is None else self.body_bytes_max
            self._body = b"".join([chunk async for chunk in self._bounded(limit)])
        return self._body

    async def json(self) -> Any:
        """The body as JSON; 422 if it is none."""
        return parse_json(await self.body())

    async def _bounded(self, limit: int | None) -> AsyncIterator[bytes]:
        declared = self.headers.get("content-length", "")
        if limit is not None and declared and declared.isdecimal() and int(declared) > limit:
            raise _too_large(limit)
        chunks, self._chunks = self._chunks, None
        if chunks is None:
            return
        seen = 0
        async for chunk in chunks:
            seen += len(chunk)
            if limit is not None and seen > limit:
                raise _too_large(limit)
            yield chunk


def clean_request_id(text: str | None) -> str:
    """The incoming id if it is printable and short, else 16 hexadecimal digits."""
    if text and len(text) <= REQUEST_ID_CHARS_MAX and text.isascii() and text.isprintable():
        return text
    return secrets.token_hex(8)


def parse_json(body: bytes) -> Any:
    """RFC 8259 JSON, so neither NaN nor infinities; 422 with the place of the mistake."""
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise RequestValidationError([FieldError("body", (), f"is not valid JSON: {error}")]) from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _too_large(limit: int) -> HTTPException:
    return HTTPException(413, f"The body is larger than {limit:,} bytes.")
