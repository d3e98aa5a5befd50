"""Jobs, which the platform asks for by `POST /__mint/jobs`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from .. import service
from ..backend import Backend
from ..exceptions import JobFailed
from ..jobs import JobContext
from ..plugin import AnalysisPlugin
from ..routing import HTTPException, JSONResponse, Response


async def do_job(plugin: AnalysisPlugin, backend: Backend, body: Any, disconnected: Callable[[], Awaitable[None]]) -> Response:
    """200 with `{"outcome"}`, or 422 with `{"message", "is_final"}`. Work for which nobody waits any more is cancelled."""
    if not plugin.handles("run_job"):
        raise HTTPException(404, "This plugin does no jobs.")
    kind, payload, job = _read(body, backend)
    working = asyncio.ensure_future(service.run_job(plugin, kind, payload, job, threads=True))
    watching = asyncio.ensure_future(disconnected())
    try:
        await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (working, watching):
            task.cancel()
        outcome, _ = await asyncio.gather(working, watching, return_exceptions=True)
    if isinstance(outcome, JobFailed):
        return JSONResponse({"message": outcome.message, "is_final": not outcome.retry}, 422)
    if isinstance(outcome, BaseException):
        return JSONResponse({"message": "It was cut short.", "is_final": False}, 422)
    return Response(f'{{"outcome":{outcome or "null"}}}', media_type="application/json")


def _read(body: Any, backend: Backend) -> tuple[str, Any, JobContext]:
    match body:
        case {"id": int(job_id), "attempt": int(attempt), "kind": str(kind), "payload": payload}:
            return kind, payload, JobContext(backend, job_id, attempt)
    raise HTTPException(400, "A job is an object with `id`, `attempt`, `kind` and `payload`.")
