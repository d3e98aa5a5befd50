"""The plugin as an ASGI application, by the name that MINT's own SDK gives it."""

from __future__ import annotations

import logging
import os
import sys

from .logs import JsonLines, install
from .plugin import AnalysisPlugin
from .process.asgi import PluginApp
from .process.config import ProcessConfig, read_config
from .process.lifespan import PluginProcess


def create_standalone_app(plugin_or_cls: type[AnalysisPlugin] | AnalysisPlugin) -> PluginApp:
    """The ASGI application of a plugin, with the platform that the environment names, if any."""
    _set_up_logs()
    plugin = plugin_or_cls() if isinstance(plugin_or_cls, type) else plugin_or_cls
    return create_app(plugin, read_config(os.environ))


def create_app(plugin: AnalysisPlugin, config: ProcessConfig) -> PluginApp:
    """The ASGI application of a plugin object."""
    return PluginApp(plugin, PluginProcess(plugin, config.platform))


def _set_up_logs() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    install(handler)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)
