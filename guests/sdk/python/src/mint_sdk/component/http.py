"""`wasi:http/incoming-handler`: reads the request, writes the response as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any
from urllib.parse import unquote

from componentize_py_types import Err, Ok
from wit_world.imports import wasi_http_types_0_2_12 as http
from wit_world.imports.wasi_io_streams_0_2_12 import StreamError_Closed

from ..logs import get_plugin_logger
from ..routing import Headers, Request, Response, StreamingResponse
from ..routing.app import clean_request_id, error_response, route_path
from . import handles
from .instance import Instance
from .streams import read_chunks, write_chunk

READ_BYTES = 64 * 1024
STATUS_OF_A_NEW_RESPONSE = 200

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

_new_response = handles.constructor(http.OutgoingResponse)

logger = get_plugin_logger("mint_sdk")


async def answer(instance: Instance, incoming: Any, response_out: Any) -> None:
    """Answers one request. Whatever fails before the first byte is an error response."""
    # The host writes names in lower case. The handle of the fields is dropped at once, for nothing else refers to it.
    headers = Headers.received(incoming.headers().entries())
    method = "GET"
    try:
        running = instance.running or await instance.start()
    except Exception as error:
        response = error_response(error, clean_request_id(headers.get("x-request-id")))
    else:
        request = _request(incoming, headers, running.routes_prefix)
        method = request.method
        response = await running.app.handle(request)
    try:
        outgoing = _outgoing(response, method)
    except (Err, ValueError) as error:
        if isinstance(response, StreamingResponse):
            await response.stream.aclose()
        response = error_response(error, clean_request_id(headers.get("x-request-id")))
        outgoing = _outgoing(response, method)
    body = outgoing.body()
    http.ResponseOutparam.set(response_out, Ok(outgoing))
    try:
        if isinstance(response, StreamingResponse):
            await _stream(response, body)
        elif response.body:
            with body.write() as stream:
                write_chunk(stream, response.body)
        http.OutgoingBody.finish(body, None)
    except Exception as error:
        if isinstance(error, Err) and isinstance(error.value, StreamError_Closed):
            logger.info("The client went away before the response was complete.")
        else:
            logger.error("The response broke off: %s", error, exc_info=error)


def _request(incoming: Any, headers: Headers, routes_prefix: str) -> Request:
    path, _, query = (incoming.path_with_query() or "/").partition("?")
    if "%" in path:
        path = unquote(path)
    prefix, rest = route_path(path, headers.get("x-forwarded-prefix"), routes_prefix)
    return Request(_method(incoming.method()), rest, query=query, headers=headers, chunks=_body(incoming), prefix=prefix)


def _method(method: Any) -> str:
    return _METHODS.get(type(method)) or method.value.upper()


async def _body(incoming: Any) -> AsyncIterator[bytes]:
    with incoming.consume() as body:
        for chunk in read_chunks(body.stream(), READ_BYTES):
            yield chunk


def _outgoing(response: Response, method: str) -> Any:
    """The head. `Err` or `ValueError` if a header field cannot be sent."""
    headers = response.headers
    if method == "HEAD":
        headers = [(name, value) for name, value in headers if name != "content-length"]
    outgoing = _new_response(http.Fields.from_list([(name, value.encode("latin-1")) for name, value in headers]))
    if response.status_code != STATUS_OF_A_NEW_RESPONSE:
        outgoing.set_status_code(response.status_code)
    return outgoing


async def _stream(response: StreamingResponse, body: Any) -> None:
    with body.write() as stream:
        async with aclosing(response.stream) as chunks:
            async for chunk in chunks:
                write_chunk(stream, chunk)
