"""The plugin class: identity, start, hooks, health."""

from typing import Any

from mint_sdk import (
    AnalysisPlugin,
    APIRouter,
    HealthStatus,
    LifecycleHookResult,
    PlatformContext,
    PluginCapabilities,
    PluginHealth,
    PluginMetadata,
    PluginType,
    get_plugin_logger,
)

from .files import file_routes
from .models import Settings
from .notes import note_routes

logger = get_plugin_logger("notebook")


class NotebookPlugin(AnalysisPlugin):
    settings_model = Settings

    @property
    def metadata(self) -> PluginMetadata:
        return PluginMetadata(
            name="notebook",
            version="1.0.0",
            description="Notes, results and files of an experiment.",
            analysis_type="notes",
            routes_prefix="/notebook",
            plugin_type=PluginType.FULL,
            capabilities=PluginCapabilities(requires_auth=True, requires_experiments=True),
        )

    async def initialize(self, context: PlatformContext | None = None) -> None:
        await super().initialize(context)
        logger.info("Notebook is ready, %d notes at most", self.settings.notes_max)

    def get_routers(self) -> list[tuple[APIRouter, str]]:
        return [(note_routes(self), ""), (file_routes(self), "/experiments")]

    async def check_health(self) -> PluginHealth:
        return PluginHealth(HealthStatus.HEALTHY, "Ready to take notes.", {"notes_max": self.settings.notes_max})

    async def on_before_experiment_save(self, experiment_id: int, data: dict[str, Any]) -> LifecycleHookResult:
        if data["data"].get("veto") is True:
            return LifecycleHookResult(success=False, message="The design asks to be refused.")
        return LifecycleHookResult()

    async def on_after_experiment_save(self, experiment_id: int, data: dict[str, Any]) -> None:
        logger.info("The design of experiment %d was saved by %s", experiment_id, data["plugin_id"])

    async def on_experiment_status_change(self, experiment_id: int, old_status: str, new_status: str) -> None:
        logger.info("Experiment %d went from %s to %s", experiment_id, old_status, new_status)
