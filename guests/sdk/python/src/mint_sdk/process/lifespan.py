"""Start and stop of the plugin inside its process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from .. import service
from ..context import PlatformContext
from ..exceptions import PlatformCompatibilityError, UnavailableException
from ..logs import get_plugin_logger
from ..plugin import AnalysisPlugin
from ..routing.app import RouterApp
from .backend import ProcessBackend
from .client import PlatformClient
from .config import API_VERSION, PlatformConfig

POLL_SECONDS = 0.5

logger = get_plugin_logger("mint_sdk")


class PluginProcess:
    """Owns the client to the platform and, once started, the routes."""

    def __init__(self, plugin: AnalysisPlugin, platform: PlatformConfig | None) -> None:
        self._plugin = plugin
        self._client = None if platform is None else PlatformClient(platform)
        self._backend: ProcessBackend | None = None
        self._routes: RouterApp | None = None
        self.token = None if platform is None else platform.token

    @property
    def routes(self) -> RouterApp:
        """The plugin's routes; there after the start."""
        if self._routes is None:
            raise UnavailableException("The plugin has not started yet.")
        return self._routes

    @property
    def backend(self) -> ProcessBackend:
        """The platform; there after the start."""
        if self._backend is None:
            raise UnavailableException("The plugin has not started yet.")
        return self._backend

    async def lifespan(
        self,
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """ASGI lifespan: a start that fails ends the process with its reason in the log."""
        await receive()
        try:
            await self._start()
        except Exception as error:
            logger.error("The plugin did not start: %s", error, exc_info=error)
            await self._stop()
            await send({"type": "lifespan.startup.failed", "message": service.reason(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _start(self) -> None:
        context, settings = None, {}
        if self._client is not None:
            service.check_slug(self._plugin, self._client.config.plugin_name)
            backend = ProcessBackend(self._client)
            await asyncio.to_thread(_await_platform, self._client)
            settings = await backend.call(backend.load_settings)
            context, self._backend = PlatformContext(backend), backend
        self._plugin.apply_settings(settings)
        await self._plugin.initialize(context)
        self._routes = RouterApp(list(self._plugin.get_routers()), threads=True, guard=service.access_guard(self._plugin))

    async def _stop(self) -> None:
        try:
            await self._plugin.shutdown()
        except Exception as error:
            logger.error("The plugin did not stop cleanly: %s", error, exc_info=error)
        if self._client is not None:
            self._client.close()


def _await_platform(client: PlatformClient) -> None:
    deadline = time.monotonic() + client.config.startup_wait
    while True:
        try:
            platform = client.call("GET", "/platform", as_user=False)
            break
        except UnavailableException:
            if time.monotonic() >= deadline:
                raise
            time.sleep(POLL_SECONDS)
    version = str(platform.get("api_version", API_VERSION))
    if version != API_VERSION:
        raise PlatformCompatibilityError("The platform speaks another API version.", API_VERSION, version)
