"""The class that a plugin author subclasses."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, ClassVar

from .context import PlatformContext
from .exceptions import ConfigurationException, JobFailed, ValidationException
from .jobs import JobContext
from .metadata import LifecycleHookResult, PluginHealth, PluginMetadata
from .persistence import Persistence
from .routing import APIRouter
from .routing.convert import ConvertError, converter
from .routing.errors import FieldError

settings_reader = lru_cache(maxsize=16)(partial(converter, text=False))
"""How to read settings into a `settings_model`."""

type Routers = Sequence[tuple[APIRouter, str]]


class AnalysisPlugin(Persistence, ABC):
    """A plugin. Only `metadata` is required; override what you need.

    `settings_model` may name a dataclass: settings are then checked against it and `self.settings` is an instance of it;
    otherwise `self.settings` is a dict.
    """

    settings_model: ClassVar[type | None] = None
    _context: PlatformContext | None = None
    _settings: Any = None

    @property
    @abstractmethod
    def metadata(self) -> PluginMetadata:
        """Who this plugin is."""

    def get_routers(self) -> Routers:
        """Routers and the path of each below the plugin's prefix. Called after `initialize`."""
        return []

    def get_migrations_package(self) -> str | None:
        """The package with the history of the plugin's tables, by its dotted name; see `mint_sdk.migrations`."""
        return None

    async def initialize(self, context: PlatformContext | None = None) -> None:
        """Called once before the first request; None when the plugin runs alone. An exception makes the plugin fail."""
        self._context = context

    async def shutdown(self) -> None:
        """Called when the plugin stops."""

    async def check_health(self) -> PluginHealth:
        """How the plugin sees itself."""
        return PluginHealth()

    async def on_before_experiment_save(self, experiment_id: int, data: dict[str, Any]) -> LifecycleHookResult:
        """Before any design is saved; `data` is `{"plugin_id", "data"}`. `success=False` or an exception vetoes."""
        return LifecycleHookResult()

    async def on_after_experiment_save(self, experiment_id: int, data: dict[str, Any]) -> None:
        """After a design was saved; `data` is `{"plugin_id", "data"}`."""

    async def on_experiment_status_change(self, experiment_id: int, old_status: str, new_status: str) -> None:
        """After an experiment changed its status."""

    async def run_job(self, kind: str, payload: Any, job: JobContext) -> Any:
        """Does a job that was asked for by `context.get_job_repository()`; gives its outcome, a JSON document.

        It may have been begun before, by an attempt that did not come to its end. `JobFailed`, like any other exception, is a
        failed attempt.
        """
        raise JobFailed("This plugin does no jobs.", retry=False)

    def apply_settings(self, settings: dict[str, Any]) -> None:
        """Takes new settings over: at the start, before `initialize`, and whenever they change."""
        self._settings = self._read_settings(settings)

    def save_settings(self, settings: Any) -> None:
        """Stores settings (a dict, or an instance of `settings_model`) and takes them over. Needs `settings:write`."""
        values = dict(settings) if isinstance(settings, Mapping) else dataclasses.asdict(settings)
        accepted = self._read_settings(values)
        if self._context is None:
            raise ConfigurationException("Settings can only be saved while the plugin runs in the platform.")
        self._context.store_settings(values, values.keys())
        self._settings = accepted

    @property
    def settings(self) -> Any:
        """The settings in force."""
        if self._settings is None:
            self._settings = self._read_settings({})
        return self._settings

    @property
    def context(self) -> PlatformContext | None:
        """The platform; None when the plugin runs alone."""
        return self._context

    @property
    def is_standalone(self) -> bool:
        """Whether the plugin runs without the platform."""
        return self._context is None

    @property
    def plugin_id(self) -> str:
        """Slug of this plugin."""
        return self.metadata.name

    def handles(self, hook: str) -> bool:
        """Whether the class overrides the method of this name."""
        return getattr(type(self), hook) is not getattr(AnalysisPlugin, hook)

    def _read_settings(self, settings: Mapping[str, Any]) -> Any:
        if self.settings_model is None:
            return dict(settings)
        try:
            return settings_reader(self.settings_model)(dict(settings), ())
        except ConvertError as error:
            wrong = [FieldError("settings", loc, message) for loc, message in error.problems]
            details = {"errors": [{"field": item.field, "message": item.message} for item in wrong]}
            text = "; ".join(f"{item.field} {item.message}" for item in wrong)
            raise ValidationException(f"The settings are not valid: {text}.", wrong[0].field, details=details) from error
