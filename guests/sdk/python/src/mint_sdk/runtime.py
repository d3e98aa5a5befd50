"""`uvicorn mint_sdk.runtime:create_plugin_app --factory`: the plugin as a process."""

from __future__ import annotations

import logging
import os
import re
import sys
from importlib.metadata import EntryPoint, entry_points

from .exceptions import ConfigurationException
from .logs import JsonLines, install
from .plugin import AnalysisPlugin
from .process.asgi import PluginApp
from .process.config import ProcessConfig, read_config
from .process.lifespan import PluginProcess

ENTRY_POINT_GROUPS = ("mint.plugins", "mld.plugins")


def create_plugin_app() -> PluginApp:
    """The ASGI application of the plugin that the environment names."""
    _set_up_logs()
    config = read_config(os.environ)
    plugin = load_plugin_class(config)()
    return create_app(plugin, config)


def create_app(plugin: AnalysisPlugin, config: ProcessConfig) -> PluginApp:
    """The ASGI application of a plugin object."""
    return PluginApp(plugin, PluginProcess(plugin, config.platform))


def load_plugin_class(config: ProcessConfig) -> type[AnalysisPlugin]:
    """The class behind the installed entry point; there must be exactly one that fits."""
    candidates = (item for group in ENTRY_POINT_GROUPS for item in entry_points(group=group))
    found = list({(item.name, item.value): item for item in candidates if _fits(item, config)}.values())
    if len(found) != 1:
        names = ", ".join(f"{item.name} = {item.value}" for item in found) or "none"
        raise ConfigurationException(f"Exactly one entry point in the group 'mint.plugins' is needed; found: {names}.")
    loaded = found[0].load()
    if not (isinstance(loaded, type) and issubclass(loaded, AnalysisPlugin)):
        raise ConfigurationException(f"The entry point {found[0].value} is not a subclass of AnalysisPlugin.")
    return loaded


def _fits(item: EntryPoint, config: ProcessConfig) -> bool:
    if config.entry_point is None or config.distribution is None:
        return True
    owner = item.dist.name if item.dist is not None else ""
    return item.name == config.entry_point and _normal(owner) == _normal(config.distribution)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _set_up_logs() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    install(handler)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)
