"""Requests without a network."""

import asyncio
import json
from typing import Any

from mint_sdk import APIRouter, Headers, Request, Response, StreamingResponse
from mint_sdk.routing.app import RouterApp

USER = {
    "x-mint-user-id": "7",
    "x-mint-username": "ada",
    "x-mint-user-role": "member",
    "x-mint-user-permissions": '["experiments.view"]',
}


def call(
    router: APIRouter,
    method: str,
    target: str,
    *,
    body: bytes | None = None,
    json_body: Any = None,
    headers: dict[str, str] | None = None,
    chunks: list[bytes] | None = None,
) -> Response:
    """The response of a router; a streamed one is collected into `body`."""
    fields = dict(headers or {})
    if json_body is not None:
        body = json.dumps(json_body).encode()
        fields.setdefault("content-type", "application/json")
    path, _, query = target.partition("?")
    pieces = chunks if chunks is not None else [body] if body else []

    async def arrive():
        for piece in pieces:
            yield piece

    async def run() -> Response:
        app = RouterApp([(router, "")], threads=True)
        request = Request(method, path, query=query, headers=Headers(fields.items()), chunks=arrive())
        response = await app.handle(request)
        if isinstance(response, StreamingResponse):
            response.body = b"".join([chunk async for chunk in response.stream])
        return response

    return asyncio.run(run())


def content(response: Response) -> Any:
    """The parsed body."""
    return json.loads(response.body)


def header(response: Response, name: str) -> str | None:
    """A header field of a response, as it is sent."""
    return dict(response.fields()).get(name)
