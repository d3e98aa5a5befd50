"""One live instance of the plugin: made on its first call, whichever export that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..context import PlatformContext
from ..plugin import AnalysisPlugin
from ..routing.app import RouterApp
from ..service import access_guard, check_slug
from . import handles
from .backend import ComponentBackend
from .loop import ComponentLoop


@dataclass(slots=True)
class Running:
    """A started plugin and its routes."""

    plugin: AnalysisPlugin
    app: RouterApp
    routes_prefix: str
    path_prefixes: tuple[str, ...] | None = None
    """What paths begin with: the platform says it in every request, always the same. None before the first one."""


class Instance:
    """The plugin, its routes and the loop that runs them."""

    def __init__(self, plugin_class: type[AnalysisPlugin]) -> None:
        self._plugin_class = plugin_class
        self.run = ComponentLoop().run
        """Runs a coroutine to its end."""
        self.running: Running | None = None
        """None before the start, after a start that failed, and when it was stopped."""

    async def start(self, slug: str | None = None, settings: dict[str, Any] | None = None) -> Running:
        """The started plugin: settings applied and `initialize` done. Only a start that succeeded is kept."""
        if self.running is None:
            handles.withdraw()
            plugin = self._plugin_class()
            if slug is not None:
                check_slug(plugin, slug)
            metadata = plugin.metadata
            backend = ComponentBackend(metadata.name)
            plugin.apply_settings(backend.load_settings() if settings is None else settings)
            await plugin.initialize(PlatformContext(backend))
            app = RouterApp(list(plugin.get_routers()), threads=False, guard=access_guard(plugin))
            self.running = Running(plugin, app, metadata.routes_prefix)
        return self.running

    async def stop(self) -> None:
        """Calls `shutdown` if the plugin was started."""
        running, self.running = self.running, None
        if running is not None:
            await running.plugin.shutdown()
