"""`uvicorn mint_sdk.runtime:create_plugin_app --factory`: the plugin as a process."""

from __future__ import annotations

import os
import re
from importlib.metadata import EntryPoint, entry_points

from .app import create_standalone_app
from .exceptions import ConfigurationException
from .plugin import AnalysisPlugin
from .process.asgi import PluginApp
from .process.config import ProcessConfig, read_config

ENTRY_POINT_GROUPS = ("mint.plugins", "mld.plugins")


def create_plugin_app() -> PluginApp:
    """The ASGI application of the plugin that the environment names."""
    return create_standalone_app(load_plugin_class(read_config(os.environ)))


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
