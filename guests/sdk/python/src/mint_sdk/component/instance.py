"""One live instance of the plugin: made on its first call, whichever export that is."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from ..context import PlatformContext
from ..plugin import AnalysisPlugin
from ..routing.app import RouterApp
from ..service import access_guard, check_slug
from .backend import ComponentBackend
from .loop import ComponentLoop


class Instance:
    """The plugin, its routes and the loop that runs them."""

    def __init__(self, plugin_class: type[AnalysisPlugin]) -> None:
        self._plugin_class = plugin_class
        self._loop: ComponentLoop | None = None
        self._plugin: AnalysisPlugin | None = None
        self._app: RouterApp | None = None

    def run[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Runs it to its end."""
        if self._loop is None:
            self._loop = ComponentLoop()
        return self._loop.run(work)

    async def plugin(self, slug: str | None = None, settings: dict[str, Any] | None = None) -> AnalysisPlugin:
        """The plugin, started: settings applied and `initialize` done. Only a start that succeeded is kept."""
        if self._plugin is None:
            plugin = self._plugin_class()
            if slug is not None:
                check_slug(plugin, slug)
            backend = ComponentBackend(plugin.metadata.name)
            plugin.apply_settings(backend.load_settings() if settings is None else settings)
            await plugin.initialize(PlatformContext(backend))
            self._app = RouterApp(list(plugin.get_routers()), threads=False, guard=access_guard(plugin))
            self._plugin = plugin
        return self._plugin

    async def app(self) -> RouterApp:
        """The routes of the started plugin."""
        await self.plugin()
        assert self._app is not None
        return self._app

    async def stop(self) -> None:
        """Calls `shutdown` if the plugin was started."""
        plugin, self._plugin, self._app = self._plugin, None, None
        if plugin is not None:
            await plugin.shutdown()
