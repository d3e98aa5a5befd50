"""From a request to a response: match, bind, call, and turn every exception into the envelope. Knows no protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..logs import get_plugin_logger
from .errors import HTTPException, to_problem
from .messages import Request
from .params import run
from .responses import JSONResponse, Response, StreamingResponse, to_response
from .router import APIRouter, Route
from .streams import first_and_rest

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
        self._fixed = _fixed_paths(self._routes)
        self._threads = threads
        self._guard = guard

    async def handle(self, request: Request) -> Response:
        """Answers a request; raises only where the headers of the response are no pairs.

        The `stream` of a `StreamingResponse` is the caller's to close.
        """
        try:
            route = self._fixed.get((request.method, request.path)) or self._match(request)
            if self._guard is not None:
                self._guard(request)
            if route.body_bytes_max is not None:
                request.body_bytes_max = route.body_bytes_max
            results: dict[Any, Any] = {}
            if route.before is not None:
                await run(route.before, request, results, self._threads)
            response = to_response(await run(route.handler, request, results, self._threads), route.status_code)
            if isinstance(response, StreamingResponse):
                response.opened = await first_and_rest(response.chunks, threads=self._threads)
        except Exception as error:
            response = error_response(error, request.request_id)
        if request.method == "HEAD":
            await _drop_body(response)
        return response

    def _match(self, request: Request) -> Route:
        allowed: set[str] = set()
        for route in self._routes:
            parameters = route.match(request.path)
            if parameters is None:
                continue
            if route.answers(request.method):
                request.path_params = parameters
                return route
            allowed |= route.methods
        if not allowed:
            raise HTTPException(404, "There is nothing at this path.")
        names = ", ".join(sorted(allowed))
        raise HTTPException(405, f"This path answers to {names} only.", {"allow": names})


def error_response(error: Exception, request_id: str) -> Response:
    """The envelope for an exception; what nobody expected goes to the log with its traceback."""
    problem = to_problem(error)
    if problem.status >= 500:
        logger.error("Request failed: %s", error, exc_info=error)
    headers = [*problem.headers, ("x-request-id", request_id)]
    return JSONResponse(problem.body(request_id), problem.status, headers)


def _fixed_paths(routes: list[Route]) -> dict[tuple[str, str], Route]:
    """Routes by method and path, of those without parameters that no earlier route hides."""
    fixed: dict[tuple[str, str], Route] = {}
    for index, route in enumerate(routes):
        if route.has_parameters:
            continue
        earlier = [other for other in routes[:index] if _may_hide(other, route) and other.match(route.path) is not None]
        for method in route.methods | {"HEAD"}:
            if route.answers(method) and not any(other.answers(method) for other in earlier):
                fixed[method, route.path] = route
    return fixed


def _may_hide(earlier: Route, route: Route) -> bool:
    """Spares most patterns from being compiled."""
    return route.path.startswith(earlier.path.partition("{")[0])


async def _drop_body(response: Response) -> None:
    response.headers = response.fields()  # which tell how long it would have been
    response.body = b""
    if isinstance(response, StreamingResponse):
        await response.stream.aclose()


def route_path(path: str, forwarded_prefix: str | None, routes_prefix: str) -> tuple[str, str]:
    """(prefix, rest) of a public path: the prefix that the platform names, else `/api{routes_prefix}`, is taken off."""
    return without_prefix(path, path_prefixes(forwarded_prefix, routes_prefix))


def path_prefixes(forwarded_prefix: str | None, routes_prefix: str) -> tuple[str, ...]:
    """What public paths may begin with, the likelier first."""
    found = ((forwarded_prefix or "").rstrip("/"), ("/api" + routes_prefix).rstrip("/"))
    return tuple(prefix for prefix in found if prefix)


def without_prefix(path: str, prefixes: tuple[str, ...]) -> tuple[str, str]:
    """(prefix, rest) of a public path, for the first of `prefixes` that it begins with."""
    for prefix in prefixes:
        rest = path.removeprefix(prefix)
        if rest != path and (not rest or rest[0] == "/"):
            return prefix, rest or "/"
    return "", path or "/"
