"""A few requests before the snapshot is taken from which every instance starts.

Python adapts code to what it sees when it runs for the first times, and fills caches. Done here, it is done once for all; an
instance would do it on its own pages of memory, and its first requests would be slow.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from ..context import PlatformContext
from ..plugin import AnalysisPlugin, settings_reader
from ..routing import APIRouter, Depends, Headers, HTTPException, Request
from ..routing.app import RouterApp, route_path
from .backend import ComponentBackend
from .loop import ComponentLoop

ROUNDS = 30

_BODY = b'{"name": "rehearsal", "amount": 1}'
_FIELDS = [
    ("host", b"localhost"),
    ("content-type", b"application/json"),
    ("x-forwarded-prefix", b"/api/rehearsal"),
    ("x-request-id", b"0123456789abcdef"),
    ("x-mint-user-id", b"1"),
    ("x-mint-username", b"nobody"),
    ("x-mint-user-role", b"member"),
    ("x-mint-user-permissions", b'["experiments.view"]'),
]


@dataclass
class _Item:
    name: str
    amount: float = 0.0


def rehearse(plugin_class: type[AnalysisPlugin], loop: ComponentLoop) -> None:
    """Lets the library answer made-up requests. Of the plugin, only the type of its settings is looked at."""
    if plugin_class.settings_model is not None:
        settings_reader(plugin_class.settings_model)
    requests = [("GET", "/"), ("GET", "/items/7"), ("POST", "/items"), ("GET", "/missing"), ("GET", "/nothing")]
    for _ in range(ROUNDS):
        app = RouterApp([(_routes(PlatformContext(ComponentBackend("rehearsal"))), "")], threads=False)
        for method, path in requests:
            loop.run(_ask(app, method, path))


async def _ask(app: RouterApp, method: str, path: str) -> None:
    headers = Headers.received(_FIELDS)
    prefix, rest = route_path("/api/rehearsal" + path, headers.get("x-forwarded-prefix"), "/rehearsal")
    await app.handle(Request(method, rest, query="limit=3", headers=headers, chunks=_chunks(), prefix=prefix))


async def _chunks() -> AsyncIterator[bytes]:
    yield _BODY


def _routes(context: PlatformContext) -> APIRouter:
    router = APIRouter(dependencies=[Depends(context.get_optional_user_dependency())])
    current_user = Depends(context.get_current_user_dependency())

    @router.get("/")
    async def index(user: dict[str, Any] = current_user) -> dict[str, Any]:
        return {"user": user["username"], "number": 1, "list": [1.5, None, True]}

    @router.get("/items/{item_id}")
    async def show(item_id: int, request: Request, limit: int = 10, search: str | None = None) -> dict[str, Any]:
        return {"id": item_id, "limit": limit, "search": search}

    @router.post("/items", status_code=201)
    async def add(item: _Item, user: dict[str, Any] = current_user) -> _Item:
        return item

    @router.get("/missing")
    def missing() -> None:
        raise HTTPException(404, "There is no such item.")

    return router
