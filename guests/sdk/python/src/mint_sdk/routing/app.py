"""From a request to a response: match, bind, call, and turn every exception into the envelope. Knows no protocol."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

from ..logs import get_plugin_logger, request_id
from .errors import HTTPException, to_problem
from .messages import Request
from .params import Callee, Solver
from .responses import JSONResponse, Response, StreamingResponse, to_response
from .router import APIRouter, Route
from .streams import first_and_rest

REQUEST_ID_CHARS_MAX = 128

logger = get_plugin_logger("mint_sdk")


class RouterApp:
    """The mounted routers of one plugin.

    `threads` says whether handlers that are not `async` run in a worker thread, so that they cannot hold up others.
    `guard` is called before every handler and refuses by raising.
    """

    def __init__(
        self,
        mounts: list[tuple[APIRouter, str]],
        *,
        threads: bool,
        guard: Callable[[Request], None] | None = None,
    ) -> None:
        self._routes = [route for router, sub_prefix in mounts for route in router.routes(sub_prefix)]
        self._threads = threads
        self._guard = guard

    async def handle(self, request: Request) -> Response:
        """Answers a request; never raises an `Exception`. The `stream` of a `StreamingResponse` is the caller's to close."""
        request.request_id = clean_request_id(request.headers.get("x-request-id"))
        request_id.set(request.request_id)
        try:
            response = await self._respond(request)
            if isinstance(response, StreamingResponse):
                response.opened = await first_and_rest(response.chunks, threads=self._threads)
        except Exception as error:
            response = error_response(error, request.request_id)
        if request.method == "HEAD":
            await _drop_body(response)
        return response

    async def _respond(self, request: Request) -> Response:
        route = self._match(request)
        if self._guard is not None:
            self._guard(request)
        request.body_bytes_max = route.body_bytes_max
        solver = Solver(request, self._call)
        for dependency in route.before:
            await solver.value(dependency)
        return to_response(await solver.run(route.handler), route.status_code)

    def _match(self, request: Request) -> Route:
        allowed: set[str] = set()
        method = "GET" if request.method == "HEAD" else request.method
        for route in self._routes:
            match = route.pattern.fullmatch(request.path)
            if match is None:
                continue
            if method in route.methods or request.method in route.methods:
                request.path_params = match.groupdict()
                return route
            allowed |= route.methods
        if not allowed:
            raise HTTPException(404, "There is nothing at this path.")
        names = ", ".join(sorted(allowed))
        raise HTTPException(405, f"This path answers to {names} only.", {"allow": names})

    async def _call(self, callee: Callee, arguments: dict[str, Any]) -> Any:
        if callee.is_async:
            return await callee.function(**arguments)
        if self._threads:
            return await asyncio.to_thread(callee.function, **arguments)
        return callee.function(**arguments)


def clean_request_id(text: str | None) -> str:
    """The incoming id if it is printable and short, else 16 hexadecimal digits."""
    if text and len(text) <= REQUEST_ID_CHARS_MAX and text.isascii() and text.isprintable():
        return text
    return secrets.token_hex(8)


def error_response(error: Exception, request_id: str) -> Response:
    """The envelope for an exception; what nobody expected goes to the log with its traceback."""
    problem = to_problem(error)
    if problem.status >= 500:
        logger.error("Request failed: %s", error, exc_info=error)
    headers = [*problem.headers, ("x-request-id", request_id)]
    return JSONResponse(problem.body(request_id), problem.status, headers)


async def _drop_body(response: Response) -> None:
    response.body = b""
    if isinstance(response, StreamingResponse):
        await response.stream.aclose()


def route_path(path: str, forwarded_prefix: str | None, routes_prefix: str) -> tuple[str, str]:
    """(prefix, rest) of a public path: the prefix that the platform names, else `/api{routes_prefix}`, is taken off."""
    for prefix in (forwarded_prefix, "/api" + routes_prefix):
        trimmed = (prefix or "").rstrip("/")
        if trimmed and (path == trimmed or path.startswith(trimmed + "/")):
            return trimmed, path[len(trimmed) :] or "/"
    return "", path or "/"
