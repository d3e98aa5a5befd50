"""`mint:plugin/routes`: whole responses are returned, others are written as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from componentize_py_types import Err, Ok
from wit_world.exports import mint_plugin_routes_1_0_0 as routes
from wit_world.imports import mint_plugin_exchange_1_0_0 as exchange
from wit_world.imports import wasi_http_types_0_2_12 as http
from wit_world.imports.wasi_io_streams_0_2_12 import StreamError_Closed

from ..identity import known_actor
from ..logs import get_plugin_logger
from ..routing import Headers, Request, Response, StreamingResponse
from ..routing.app import error_response, path_prefixes, without_prefix
from ..routing.responses import is_field_name
from .handles import call, number
from .instance import Instance, Running
from .streams import read_chunks, write_chunk

READ_BYTES = 64 * 1024
WHOLE_BYTES_MAX = 1024 * 1024
"""Larger bodies are handed over piece by piece."""
_USUAL_KINDS = ("application/json", "text/html; charset=utf-8", "text/plain; charset=utf-8")
_USUAL_FIELDS = frozenset(("content-type", kind) for kind in _USUAL_KINDS)
"""Nobody needs to look whether these can be sent."""

_HEADERS = number(http.IncomingRequest.headers)
_ENTRIES = number(http.Fields.entries)
_REQUEST = number(exchange.request)

logger = get_plugin_logger("mint_sdk")


async def answer(instance: Instance, brief: routes.Request) -> routes.Response | None:
    """Answers one request. Whatever fails before the first byte is an error response."""
    request = _IncomingRequest(brief)
    try:
        running = instance.running or await instance.start()
        request.place(running)
        response = await running.app.handle(request)
    except Exception as error:
        response = error_response(error, request.request_id)
    try:
        return _whole(response, request.method) or await _write(response, request.method)
    except Exception as error:
        if response.opened is not None:
            await response.opened.aclose()
        return _whole(error_response(error, request.request_id), request.method)


class _IncomingRequest(Request):
    """Asks the host only for what somebody wants to know: most handlers look at few headers, and requests have few bodies."""

    _headers: Headers | None = None

    def __init__(self, brief: routes.Request) -> None:
        self.method = brief.method
        self.request_id = brief.id
        person = brief.person
        self.actor = person and known_actor(person.user_id, person.username, person.role, person.permissions)
        self._brief = brief

    def place(self, running: Running) -> None:
        """Tells it what it asks of the started plugin."""
        path, _, self._query = self._brief.target.partition("?")
        if "%" in path:
            path = unquote(path)
        if running.path_prefixes is None:
            running.path_prefixes = path_prefixes(self._brief.prefix, running.routes_prefix)
        self.prefix, self.path = without_prefix(path, running.path_prefixes)

    # Not a `cached_property`, whose search in `__dict__` makes Python build a dictionary for each request.
    @property
    def headers(self) -> Headers:
        """The header fields. The host writes names in lower case."""
        if self._headers is None:
            # The handle of the fields is dropped at once, for nothing else refers to it.
            self._headers = Headers.received(call(_ENTRIES, (call(_HEADERS, (self._incoming,)),)))
        return self._headers

    @headers.setter
    def headers(self, headers: Headers) -> None:
        self._headers = headers

    @cached_property
    def _incoming(self) -> Any:
        return call(_REQUEST, ())

    @cached_property
    def _chunks(self) -> AsyncIterator[bytes] | None:
        return _body(self._incoming)


async def _body(incoming: Any) -> AsyncIterator[bytes]:
    with incoming.consume() as body:
        for chunk in read_chunks(body.stream(), READ_BYTES):
            yield chunk


def _whole(response: Response, method: str) -> routes.Response | None:
    """What the host is to send; None where it has to be written: long, made while it is sent, or not in ASCII."""
    body, fields = response.body, response.headers
    if response.opened is not None or len(body) > WHOLE_BYTES_MAX:
        return None
    if not _USUAL_FIELDS.issuperset(fields):
        if not all(_is_plain(name, value) for name, value in fields):
            return None
        # The host counts a body itself, but that of an answer to HEAD was dropped.
        fields = [field for field in fields if field[0] != "content-length" or method == "HEAD"]
    return routes.Response(response.status_code, fields, body if type(body) is bytes else bytes(body))


def _is_plain(name: str, value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable() and is_field_name(name)


async def _write(response: Response, method: str) -> None:
    outgoing = _outgoing(response, method)
    body = outgoing.body()
    http.ResponseOutparam.set(exchange.answer(), Ok(outgoing))
    try:
        with body.write() as stream:
            if isinstance(response, StreamingResponse):
                async with aclosing(response.stream) as chunks:
                    async for chunk in chunks:
                        write_chunk(stream, chunk)
            else:
                write_chunk(stream, response.body)
        http.OutgoingBody.finish(body, None)
    except Exception as error:
        if isinstance(error, Err) and isinstance(error.value, StreamError_Closed):
            logger.info("The client went away before the response was complete.")
        else:
            logger.error("The response broke off: %s", error, exc_info=error)


def _outgoing(response: Response, method: str) -> Any:
    """The head. Raises if a header field cannot be sent."""
    # What follows `HEAD` is an empty body, which the host would find too short.
    fields = [field for field in response.encoded_fields() if method != "HEAD" or field[0] != "content-length"]
    outgoing = http.OutgoingResponse(http.Fields.from_list(fields))
    outgoing.set_status_code(response.status_code)
    return outgoing
