"""The platform as a plugin sees it: given to `initialize` and kept. The same class in a component and in a process."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import replace
from typing import Any

from .backend import Backend
from .database import Database
from .exceptions import ConflictException
from .identity import PluginActor, actor_of
from .objects import ExperimentDataStore
from .repositories import ExperimentRepository, JobRepository, PluginDataRepository, UserRepository
from .routing import Depends, HTTPException, Request

type UserDependency = Callable[[Request], Coroutine[Any, Any, dict[str, Any]]]
type OptionalUserDependency = Callable[[Request], Coroutine[Any, Any, dict[str, Any] | None]]


class PlatformContext:
    """Gives repositories, the current user and the settings. Lives as long as the plugin, so it has no user of its own."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @property
    def plugin_id(self) -> str:
        """Slug of this plugin."""
        return self._backend.plugin_id

    def get_experiment_repository(self) -> ExperimentRepository:
        """Experiments, their designs and results."""
        return ExperimentRepository(self._backend)

    def get_plugin_data_repository(self) -> PluginDataRepository:
        """Designs and results under their older names."""
        return PluginDataRepository(self._backend)

    def get_user_repository(self) -> UserRepository:
        """Members of the tenant, read only."""
        return UserRepository(self._backend)

    def get_job_repository(self) -> JobRepository:
        """Work that goes on when the request has ended; `AnalysisPlugin.run_job` does it."""
        return JobRepository(self._backend)

    def get_data_store(self, experiment_id: int) -> ExperimentDataStore:
        """The files of one experiment."""
        return ExperimentDataStore(self._backend, experiment_id)

    def get_database(self) -> Database:
        """The plugin's own tables, in a component. A process opens them by a driver of its own."""
        return Database(self._backend.tables())

    def resolve_optional_plugin_actor(self, request: Request) -> PluginActor | None:
        """Who sent this request; None for nobody."""
        return actor_of(request)

    def resolve_plugin_actor(self, request: Request) -> PluginActor:
        """Who sent this request; 401 for nobody."""
        actor = actor_of(request)
        if actor is None:
            raise HTTPException(401, "Sign in first.")
        return actor

    def get_current_user_dependency(self) -> UserDependency:
        """For `Depends`: the user as `{sub, username, role, permissions}`; 401 for nobody."""
        return self._current_user

    def get_optional_user_dependency(self) -> OptionalUserDependency:
        """For `Depends`: the same, or None."""
        return self._optional_user

    def require_plugin_role(self, *roles: str) -> Depends:
        """A `Depends` that gives the user, with `plugin_role`, if they hold one of `roles` in this plugin, else 403."""

        async def check(request: Request) -> dict[str, Any]:
            actor = self.resolve_plugin_actor(request)
            if actor.is_platform_admin:
                return replace(actor, plugin_role="admin").to_dict()
            role = await self._backend.call(self._backend.plugin_role, actor)
            if role not in roles:
                raise HTTPException(403, f"Requires plugin role: {', '.join(roles)}")
            return replace(actor, plugin_role=role).to_dict()

        return Depends(check)

    async def get_plugin_config(self) -> dict[str, Any]:
        """The settings in force."""
        return await self._backend.call(self._backend.load_settings)

    async def set_plugin_config(self, config: Mapping[str, Any], *, owned_keys: Iterable[str]) -> None:
        """Stores the values of `owned_keys`; `ConflictException` if they change meanwhile. Needs `settings:write`."""
        await self._backend.call(self.store_settings, config, owned_keys)

    def store_settings(self, config: Mapping[str, Any], owned_keys: Iterable[str]) -> None:
        """`set_plugin_config` for code that is not async."""
        adapter = self.get_plugin_settings_cas_adapter(owned_keys=owned_keys)
        if not adapter.compare_and_swap(adapter.load(), config):
            raise ConflictException("The settings were changed meanwhile; load them and try again.", entity="settings")

    def get_plugin_settings_cas_adapter(self, *, owned_keys: Iterable[str]) -> SettingsAdapter:
        """Compare-and-swap on some keys of the settings, for code that is not async."""
        return SettingsAdapter(self._backend, frozenset(owned_keys))

    async def _current_user(self, request: Request) -> dict[str, Any]:
        return self.resolve_plugin_actor(request).to_dict()

    async def _optional_user(self, request: Request) -> dict[str, Any] | None:
        actor = actor_of(request)
        return None if actor is None else actor.to_dict()


class SettingsAdapter:
    """The settings under `owned_keys`."""

    def __init__(self, backend: Backend, owned_keys: frozenset[str]) -> None:
        self._backend = backend
        self._owned_keys = owned_keys

    def load(self) -> dict[str, Any]:
        """Their values in force."""
        return {key: value for key, value in self._backend.load_settings().items() if key in self._owned_keys}

    def compare_and_swap(self, expected: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
        """Stores `settings` if the values still are `expected`; False if they are not."""
        return self._backend.swap_settings(expected, settings, self._owned_keys)
