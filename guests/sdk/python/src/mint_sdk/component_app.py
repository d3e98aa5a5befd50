"""The application module of a component: what componentize-py wraps, by the class names that `--full-names` asks for.

`mint build` writes `mint_entry`, which names the author's class.
"""

from __future__ import annotations

import gc
from typing import Any

from .component import logs

logs.begin()  # before the plugin makes its loggers

from mint_entry import Plugin

from .component import handles
from .component import preload as preload
from .component.exports import HookExports, LifecycleExports
from .component.history import MigrationExports, history_of
from .component.http import answer
from .component.instance import Instance
from .component.jobs import JobExports
from .component.loop import ComponentLoop
from .component.rehearsal import rehearse

_instance = Instance(Plugin)


class MintPluginRoutes100:
    """Export `mint:plugin/routes`."""

    def handle(self, request: Any) -> Any:
        """Answers one request."""
        return _instance.run(answer(_instance, request))


class MintPluginLifecycle100(LifecycleExports):
    """Export `mint:plugin/lifecycle`."""

    def __init__(self) -> None:
        super().__init__(_instance)


class MintPluginExperimentHooks100(HookExports):
    """Export `mint:plugin/experiment-hooks`."""

    def __init__(self) -> None:
        super().__init__(_instance)


_history = history_of(Plugin)


class MintPluginMigrations100(MigrationExports):
    """Export `mint:plugin/migrations`, where the plugin has tables."""

    def __init__(self) -> None:
        super().__init__(_instance, _history)


class MintPluginJobs100(JobExports):
    """Export `mint:plugin/jobs`, where the plugin may ask for them."""

    def __init__(self) -> None:
        super().__init__(_instance)


rehearse(Plugin, ComponentLoop())
handles.offer()
# What exists now lives as long as the instance: the collector need not look at it again.
gc.collect()
gc.freeze()
