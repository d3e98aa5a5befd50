"""`wasi:http/incoming-handler`: reads the request, writes the response as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any
from urllib.parse import unquote

from componentize_py_types import Err, Ok
from wit_world.imports import wasi_http_types_0_2_12 as http

from ..logs import get_plugin_logger
from ..routing import Headers, Request, Response, StreamingResponse
from ..routing.app import clean_request_id, error_response, route_path
from .instance import Instance
from .streams import read_chunks, write_chunk

READ_BYTES = 64 * 1024

logger = get_plugin_logger("mint_sdk")


async def answer(instance: Instance, incoming: Any, response_out: Any) -> None:
    """Answers one request. Whatever fails before the first byte is an error response."""
    headers = _headers(incoming)
    try:
        plugin, app = await instance.plugin(), await instance.app()
    except Exception as error:
        response = error_response(error, clean_request_id(headers.get("x-request-id")))
        await _send(response, "GET", response_out)
        return
    request = _request(incoming, headers, plugin.metadata.routes_prefix)
    response = await app.handle(request)
    await _send(response, request.method, response_out)


def _headers(incoming: Any) -> Headers:
    with incoming.headers() as fields:
        return Headers((name, value.decode("latin-1")) for name, value in fields.entries())


def _request(incoming: Any, headers: Headers, routes_prefix: str) -> Request:
    path, _, query = (incoming.path_with_query() or "/").partition("?")
    prefix, rest = route_path(unquote(path), headers.get("x-forwarded-prefix"), routes_prefix)
    return Request(_method(incoming.method()), rest, query=query, headers=headers, chunks=_body(incoming), prefix=prefix)


def _method(method: Any) -> str:
    if isinstance(method, http.Method_Other):
        return method.value.upper()
    return type(method).__name__.removeprefix("Method_").upper()


async def _body(incoming: Any) -> AsyncIterator[bytes]:
    with incoming.consume() as body:
        for chunk in read_chunks(body.stream(), READ_BYTES):
            yield chunk


async def _send(response: Response, method: str, response_out: Any) -> None:
    pairs = [(name, value.encode("latin-1")) for name, value in response.headers if method != "HEAD" or name != "content-length"]
    outgoing = http.OutgoingResponse(http.Fields.from_list(pairs))
    outgoing.set_status_code(response.status_code)
    body = outgoing.body()
    http.ResponseOutparam.set(response_out, Ok(outgoing))
    try:
        with body.write() as stream:
            await _write(response, stream)
    except Err:
        logger.info("The client went away before the response was complete.")
        return
    except Exception as error:
        logger.error("The response broke off: %s", error, exc_info=error)
        return
    http.OutgoingBody.finish(body, None)


async def _write(response: Response, stream: Any) -> None:
    if not isinstance(response, StreamingResponse):
        write_chunk(stream, response.body)
        return
    async with aclosing(response.stream) as chunks:
        async for chunk in chunks:
            write_chunk(stream, chunk)
