"""`mint:plugin/jobs`: what the plugin asked for by `mint:platform/jobs`."""

from __future__ import annotations

import json
from typing import Any

from componentize_py_types import Err

from .. import service
from ..exceptions import JobFailed
from ..jobs import JobContext
from . import bindings
from .backend import ComponentBackend
from .bindings import refusals
from .instance import Instance

try:
    from wit_world.exports import mint_plugin_jobs_1_0_0 as exports
except ImportError:
    exports = None


class JobExports:
    """The work of the plugin."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def run(self, kind: str, payload: str) -> str | None:
        try:
            return self._instance.run(self._work(kind, json.loads(payload)))
        except JobFailed as failed:
            raise Err(exports.Failure(failed.message, not failed.retry)) from None
        except Exception as error:
            raise Err(exports.Failure(service.reason(error), False)) from None

    async def _work(self, kind: str, payload: Any) -> str | None:
        plugin = (await self._instance.start()).plugin
        return await service.run_job(plugin, kind, payload, _current(plugin.plugin_id), threads=False)


def _current(plugin_id: str) -> JobContext:
    with refusals:
        job = bindings.jobs.get(bindings.jobs.current())
    return JobContext(ComponentBackend(plugin_id), job.id, job.attempt)
