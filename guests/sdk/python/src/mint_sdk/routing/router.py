"""Routes and the decorators that declare them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .params import Callee, Depends, plan_route

_PARAMETER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(:path)?\}")

type Handler = Callable[..., Any]


@dataclass(frozen=True)
class Route:
    """One handler under one path. `before` are dependencies called for their effect."""

    methods: frozenset[str]
    path: str
    handler: Callee
    before: Callee | None
    status_code: int
    body_bytes_max: int | None

    @property
    def has_parameters(self) -> bool:
        """Whether it answers to more than one path."""
        return "{" in self.path

    def match(self, path: str) -> dict[str, str] | None:
        """The parameters in `path`; None if it is not for this route."""
        if not self.has_parameters:
            return {} if path == self.path else None
        found = self._pattern.fullmatch(path)
        return None if found is None else found.groupdict()

    def answers(self, method: str) -> bool:
        """Whether it is for requests of this method."""
        return method in self.methods or (method == "HEAD" and "GET" in self.methods)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        parts, end = [], 0
        for match in _PARAMETER.finditer(self.path):
            parts.append(re.escape(self.path[end : match.start()]))
            parts.append(f"(?P<{match[1]}>.+)" if match[2] else f"(?P<{match[1]}>[^/]+)")
            end = match.end()
        return re.compile("".join(parts) + re.escape(self.path[end:]), re.DOTALL)


class APIRouter:
    """Collects routes: `@router.get("/items/{id}")`. `{name}` is one path segment, `{name:path}` the rest of the path.

    `dependencies` are run before every handler; `body_bytes_max` bounds every request body, streamed ones too.
    """

    def __init__(self, prefix: str = "", *, dependencies: Sequence[Depends] = (), body_bytes_max: int | None = None) -> None:
        if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
            raise ValueError(f"Router prefix '{prefix}' must begin with '/' and not end with it.")
        self.prefix = prefix
        self.dependencies = tuple(dependencies)
        self.body_bytes_max = body_bytes_max
        self._declared: list[tuple[str, frozenset[str], Handler, tuple[Depends, ...], int, int | None]] = []

    def add_api_route(
        self,
        path: str,
        handler: Handler,
        *,
        methods: Sequence[str] = ("GET",),
        status_code: int = 200,
        dependencies: Sequence[Depends] = (),
        body_bytes_max: int | None = None,
    ) -> None:
        """Declares a route; the decorators below are short for it."""
        if path and not path.startswith("/"):
            raise ValueError(f"Route path '{path}' must begin with '/'.")
        limit = self.body_bytes_max if body_bytes_max is None else body_bytes_max
        upper = frozenset(method.upper() for method in methods)
        self._declared.append((self.prefix + path, upper, handler, self.dependencies + tuple(dependencies), status_code, limit))

    def api_route(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """Decorator of a handler for `methods`; other options are those of `add_api_route`."""

        def decorate(handler: Handler) -> Handler:
            self.add_api_route(path, handler, **options)
            return handler

        return decorate

    def get(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """Handler for GET, and for HEAD without the body."""
        return self.api_route(path, methods=("GET",), **options)

    def post(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """Handler for POST."""
        return self.api_route(path, methods=("POST",), **options)

    def put(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """Handler for PUT."""
        return self.api_route(path, methods=("PUT",), **options)

    def patch(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """Handler for PATCH."""
        return self.api_route(path, methods=("PATCH",), **options)

    def delete(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """Handler for DELETE."""
        return self.api_route(path, methods=("DELETE",), **options)

    def include_router(self, router: APIRouter, prefix: str = "") -> None:
        """Adds the routes of another router under `prefix`."""
        for path, methods, handler, dependencies, status_code, limit in router._declared:
            combined = self.dependencies + dependencies
            bound = self.body_bytes_max if limit is None else limit
            self._declared.append((self.prefix + prefix + path, methods, handler, combined, status_code, bound))

    def routes(self, sub_prefix: str = "") -> list[Route]:
        """The routes, ready to match. `sub_prefix` is put before them unless the router has a prefix of its own.

        `TypeError` names a handler whose parameters cannot be bound.
        """
        lead = "" if self.prefix else sub_prefix.rstrip("/")
        compiled = []
        for path, methods, handler, dependencies, status_code, limit in self._declared:
            full = lead + path or "/"
            before, planned = plan_route(handler, dependencies, _parameter_names(full))
            compiled.append(Route(methods, full, planned, before, status_code, limit))
        return compiled


def _parameter_names(path: str) -> frozenset[str]:
    names, rest = [], path
    if "{" in path:
        names = [match[1] for match in _PARAMETER.finditer(path)]
        rest = _PARAMETER.sub("", path)
    if "{" in rest or "}" in rest:
        raise ValueError(f"Route path '{path}' has a malformed parameter: write {{name}} or {{name:path}}.")
    if len(set(names)) != len(names):
        raise ValueError(f"Route path '{path}' has two parameters of one name.")
    return frozenset(names)
