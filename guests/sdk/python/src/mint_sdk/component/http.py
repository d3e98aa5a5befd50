"""`wasi:http/incoming-handler`: reads the request, writes the response as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from componentize_py_types import Err, Ok
from wit_world.imports import wasi_http_types_0_2_12 as http
from wit_world.imports.wasi_io_streams_0_2_12 import OutputStream, StreamError_Closed

from ..logs import get_plugin_logger
from ..routing import Headers, Request, Response, StreamingResponse
from ..routing.app import error_response, path_prefixes, without_prefix
from .handles import call, number
from .instance import Instance, Running
from .streams import WRITE_BYTES_MAX, read_chunks, write_chunk

READ_BYTES = 64 * 1024
STATUS_OF_A_NEW_RESPONSE = 200
HEADS_KEPT_MAX = 64

_METHODS = {
    http.Method_Get: "GET",
    http.Method_Head: "HEAD",
    http.Method_Post: "POST",
    http.Method_Put: "PUT",
    http.Method_Delete: "DELETE",
    http.Method_Connect: "CONNECT",
    http.Method_Options: "OPTIONS",
    http.Method_Trace: "TRACE",
    http.Method_Patch: "PATCH",
}

_HEADERS = number(http.IncomingRequest.headers)
_ENTRIES = number(http.Fields.entries)
_PATH_WITH_QUERY = number(http.IncomingRequest.path_with_query)
_METHOD = number(http.IncomingRequest.method)
_CLONE = number(http.Fields.clone)
_NEW_RESPONSE = number(http.OutgoingResponse)
_BODY = number(http.OutgoingResponse.body)
_SET = number(http.ResponseOutparam.set)
_WRITE = number(http.OutgoingBody.write)
_WRITE_AND_FLUSH = number(OutputStream.blocking_write_and_flush)
_FINISH = number(http.OutgoingBody.finish)

_heads: dict[tuple[tuple[str, str], ...], Any] = {}

logger = get_plugin_logger("mint_sdk")


async def answer(instance: Instance, incoming: Any, response_out: Any) -> None:
    """Answers one request. Whatever fails before the first byte is an error response."""
    request = _IncomingRequest(incoming)
    try:
        running = instance.running or await instance.start()
    except Exception as error:
        response = error_response(error, request.request_id)
    else:
        request.place(running)
        response = await running.app.handle(request)
    try:
        outgoing = _outgoing(response, request.method)
    except Exception as error:
        if isinstance(response, StreamingResponse):
            await response.stream.aclose()
        response = error_response(error, request.request_id)
        outgoing = _outgoing(response, request.method)
    body = call(_BODY, (outgoing,)).value
    call(_SET, (response_out, Ok(outgoing)))
    try:
        if isinstance(response, StreamingResponse):
            await _stream(response, body)
        elif response.body:
            _write(body, response.body)
        finished = call(_FINISH, (body, None))
        if type(finished) is Err:
            raise finished
    except Exception as error:
        if isinstance(error, Err) and isinstance(error.value, StreamError_Closed):
            logger.info("The client went away before the response was complete.")
        else:
            logger.error("The response broke off: %s", error, exc_info=error)


class _IncomingRequest(Request):
    """Asks the host only for what somebody wants to know: most handlers look at few headers, and requests have few bodies."""

    _headers: Headers | None = None

    def __init__(self, incoming: Any) -> None:
        method = call(_METHOD, (incoming,))
        self.method = _METHODS.get(type(method)) or method.value.upper()
        self._incoming = incoming

    def place(self, running: Running) -> None:
        """Tells it what it asks of the started plugin."""
        path, _, self._query = (call(_PATH_WITH_QUERY, (self._incoming,)) or "/").partition("?")
        if "%" in path:
            path = unquote(path)
        if running.path_prefixes is None:
            running.path_prefixes = path_prefixes(self.headers.get("x-forwarded-prefix"), running.routes_prefix)
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
    def _chunks(self) -> AsyncIterator[bytes] | None:
        return _body(self._incoming)


async def _body(incoming: Any) -> AsyncIterator[bytes]:
    with incoming.consume() as body:
        for chunk in read_chunks(body.stream(), READ_BYTES):
            yield chunk


def _outgoing(response: Response, method: str) -> Any:
    """The head. Raises if a header field cannot be sent."""
    fields = response.headers
    if method == "HEAD":
        # What follows is an empty body, which the host would find too short.
        fields = [field for field in fields if field[0] != "content-length"]
    outgoing = call(_NEW_RESPONSE, (_fields(tuple(fields)),))
    if response.status_code != STATUS_OF_A_NEW_RESPONSE:
        outgoing.set_status_code(response.status_code)
    return outgoing


def _fields(fields: tuple[tuple[str, str], ...]) -> Any:
    """New header fields. Those of the commonest responses, a media type and a length, are kept: a copy costs half."""
    kept = _heads.get(fields)
    if kept is None:
        kept = http.Fields.from_list([(name, value.encode("latin-1")) for name, value in fields])
        if len(fields) != 2 or len(_heads) == HEADS_KEPT_MAX:
            return kept
        _heads[fields] = kept
    return call(_CLONE, (kept,))


def _write(body: Any, data: bytes) -> None:
    stream = call(_WRITE, (body,)).value
    if len(data) > WRITE_BYTES_MAX:
        with stream:
            write_chunk(stream, data)
        return
    written = call(_WRITE_AND_FLUSH, (stream, bytes(data)))
    if type(written) is Err:
        # The body cannot be dropped before its stream, which the error would keep alive.
        stream.__exit__(None, None, None)
        raise written


async def _stream(response: StreamingResponse, body: Any) -> None:
    with body.write() as stream:
        async with aclosing(response.stream) as chunks:
            async for chunk in chunks:
                write_chunk(stream, chunk)
