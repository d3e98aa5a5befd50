"""The plugin as an ASGI application: lifespan, the platform's own routes, and the plugin's routes."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import aclosing
from typing import Any

from ..exceptions import PlatformCompatibilityError
from ..identity import forwarded_identity, identity_of
from ..logs import get_plugin_logger, request_id
from ..plugin import AnalysisPlugin
from ..routing import Headers, HTTPException, JSONResponse, Request, Response, StreamingResponse
from ..routing.app import error_response, route_path
from ..routing.messages import clean_request_id
from .config import API_VERSION
from .events import dispatch_event
from .jobs import do_job
from .lifespan import PluginProcess

type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]

EVENTS_PATH = "/__mint/events"
JOBS_PATH = "/__mint/jobs"

logger = get_plugin_logger("mint_sdk")


class PluginApp:
    """ASGI entry point of one plugin process."""

    def __init__(self, plugin: AnalysisPlugin, process: PluginProcess) -> None:
        self._plugin = plugin
        self._process = process
        metadata = plugin.metadata
        self._name = metadata.name
        self._routes_prefix = metadata.routes_prefix
        self._runtime_path = f"/api{metadata.routes_prefix}/_mint/runtime"

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._process.lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _http(self, scope: Message, receive: Receive, send: Send) -> None:
        body = Body(receive)
        headers = Headers.received([(name.decode("latin-1").lower(), value) for name, value in scope["headers"]])
        identity = clean_request_id(headers.get("x-request-id"))
        request_id.set(identity)
        try:
            response = await self._respond(scope, headers, body, identity)
        except Exception as error:
            response = error_response(error, identity)
        try:
            start = _start(response)
        except Exception as error:
            if response.opened is not None:
                await response.opened.aclose()
            response = error_response(error, identity)
            start = _start(response)
        await send(start)
        await _send_body(response, body, send)

    async def _respond(self, scope: Message, headers: Headers, body: Body, identity: str) -> Response:
        path, method = scope["path"], scope["method"]
        if path == self._runtime_path and method == "GET":
            return JSONResponse({"name": self._name, "configRequiresAdmin": False})
        self._check_token(headers)
        forwarded_identity.set(identity_of(headers))
        query, chunks = scope["query_string"].decode("latin-1"), body.chunks()
        request = Request(method, path, query=query, headers=headers, chunks=chunks, request_id=identity)
        if path == EVENTS_PATH and method == "POST":
            self._check_platform_headers(headers)
            return JSONResponse(await dispatch_event(self._plugin, await request.json()))
        if path == JOBS_PATH and method == "POST":
            self._check_platform_headers(headers)
            return await do_job(self._plugin, self._process.backend, await request.json(), body.disconnected)
        request.prefix, request.path = route_path(path, headers.get("x-forwarded-prefix"), self._routes_prefix)
        return await self._process.routes.handle(request)

    def _check_token(self, headers: Headers) -> None:
        expected = self._process.token
        if expected is None:
            return
        given = headers.getlist("x-mint-internal-token")
        if len(given) != 1 or not hmac.compare_digest(given[0].encode(), expected.encode()):
            raise HTTPException(403, "Untrusted plugin proxy")

    def _check_platform_headers(self, headers: Headers) -> None:
        if self._process.token is None:
            raise HTTPException(404, "There is nothing at this path.")
        if headers.get("x-mint-plugin-name", self._name) != self._name:
            raise HTTPException(403, "This is for another plugin.")
        version = headers.get("x-mint-platform-api-version") or API_VERSION
        if version != API_VERSION:
            raise PlatformCompatibilityError("The platform speaks another API version.", API_VERSION, version)


class Body:
    """The request's side of the ASGI channel."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._reading = False

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives."""
        self._reading = True
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise HTTPException(400, "The client went away before the request was complete.")
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body"):
                self._reading = False
                return

    async def disconnected(self) -> None:
        """Returns when the client goes away; never while the body is still being read by somebody else."""
        if self._reading:
            await asyncio.Event().wait()
        while (await self._receive())["type"] != "http.disconnect":
            continue


def _start(response: Response) -> Message:
    headers = [(name.encode(), value) for name, value in response.encoded_fields()]
    return {"type": "http.response.start", "status": response.status_code, "headers": headers}


async def _send_body(response: Response, body: Body, send: Send) -> None:
    if not isinstance(response, StreamingResponse):
        await send({"type": "http.response.body", "body": response.body})
        return
    writing = asyncio.create_task(_send_chunks(response, send))
    watching = asyncio.create_task(body.disconnected())
    try:
        await asyncio.wait((writing, watching), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (writing, watching):
            task.cancel()
        outcomes = await asyncio.gather(writing, watching, return_exceptions=True)
    if isinstance(outcomes[0], Exception):
        logger.error("The response broke off: %s", outcomes[0], exc_info=outcomes[0])
        raise outcomes[0]


async def _send_chunks(response: StreamingResponse, send: Send) -> None:
    async with aclosing(response.stream) as chunks:
        async for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
