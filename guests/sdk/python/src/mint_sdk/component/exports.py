"""`mint:plugin/lifecycle` and `mint:plugin/experiment-hooks`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from componentize_py_types import Err
from wit_world.exports import mint_plugin_experiment_hooks_1_0_0 as hooks
from wit_world.exports import mint_plugin_lifecycle_1_0_0 as lifecycle

from .. import service
from ..logs import get_plugin_logger
from ..metadata import PluginHealth
from ..routing.responses import to_json
from .instance import Instance

logger = get_plugin_logger("mint_sdk")


class LifecycleExports:
    """Start, stop, health and settings of one instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def initialize(self, environment: lifecycle.Environment) -> None:
        try:
            self._instance.run(self._instance.start(environment.plugin, json.loads(environment.settings)))
        except Exception as error:
            logger.error("The plugin did not start: %s", error, exc_info=error)
            raise Err(service.reason(error)) from None

    def shutdown(self) -> None:
        try:
            self._instance.run(self._instance.stop())
        except Exception as error:
            logger.error("The plugin did not stop cleanly: %s", error, exc_info=error)

    def check_health(self) -> lifecycle.Health:
        try:
            health = self._instance.run(self._health())
        except Exception as error:
            logger.error("The health check failed: %s", error, exc_info=error)
            return lifecycle.Health(lifecycle.HealthStatus.UNHEALTHY, service.reason(error), None)
        details = to_json(health.details) if health.details else None
        return lifecycle.Health(lifecycle.HealthStatus[health.status.name], health.message, details)

    def apply_settings(self, settings: str) -> None:
        try:
            self._instance.run(self._apply(json.loads(settings)))
        except Exception as error:
            raise Err(service.reason(error)) from None

    async def _health(self) -> PluginHealth:
        return await (await self._instance.start()).plugin.check_health()

    async def _apply(self, settings: dict[str, Any]) -> None:
        running = await self._instance.start(settings=settings)
        running.plugin.apply_settings(settings)


class HookExports:
    """Events of experiments. Only `before_save` can stop anything, and does when the plugin cannot start."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def before_save(self, event: hooks.SaveEvent) -> hooks.Verdict:
        veto = self._tell(service.before_save, event.experiment_id, _data(event), otherwise=service.VETO_OF_A_FAILURE)
        return hooks.Verdict_Accept() if veto is None else hooks.Verdict_Veto(veto)

    def after_save(self, event: hooks.SaveEvent) -> None:
        self._tell(service.after_save, event.experiment_id, _data(event))

    def status_changed(self, experiment_id: int, old_status: str, new_status: str) -> None:
        self._tell(service.status_changed, experiment_id, old_status, new_status)

    def _tell(self, hook: Callable[..., Awaitable[str | None]], *event: Any, otherwise: str | None = None) -> str | None:
        async def work() -> str | None:
            return await hook((await self._instance.start()).plugin, *event)

        try:
            return self._instance.run(work())
        except Exception as error:
            logger.error("The plugin did not start: %s", error, exc_info=error)
            return otherwise


def _data(event: hooks.SaveEvent) -> dict[str, Any]:
    return {"plugin_id": event.plugin_id, "data": json.loads(event.data)}
