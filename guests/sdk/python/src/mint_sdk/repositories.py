"""Experiments, designs, results, jobs and users. What is missing is None or False, every other refusal a typed exception."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .backend import Backend
from .exceptions import NotFoundException, PermissionException
from .models import (
    DEFAULT_ARTIFACT_KEY,
    AnalysisArtifact,
    AnalysisArtifactInput,
    AnalysisArtifactSummary,
    DesignData,
    Experiment,
    Job,
    PluginAnalysisResult,
    User,
)


class _Repository:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def _maybe[**P, T](self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        try:
            return await self._backend.call(function, *args, **kwargs)
        except NotFoundException:
            return None

    def _own(self, plugin_id: str, permission: str) -> None:
        if plugin_id != self._backend.plugin_id:
            raise PermissionException(
                f"The plugin '{self._backend.plugin_id}' cannot write in the name of '{plugin_id}'.", permission
            )


class _ResultMethods(_Repository):
    async def save_analysis_result(self, experiment_id: int, plugin_id: str, result: Mapping[str, Any]) -> PluginAnalysisResult:
        """Saves *the* result of this plugin, replacing the one before."""
        self._own(plugin_id, "analysis_results.self")
        return await self._backend.call(self._backend.save_result, experiment_id, result)

    async def get_analysis_result(self, experiment_id: int, plugin_id: str) -> PluginAnalysisResult | None:
        """The result of a plugin; another's where this plugin may read it."""
        return await self._maybe(self._backend.load_result, experiment_id, plugin_id, None)

    async def get_analysis_results(self, experiment_id: int, *, include_others: bool = False) -> list[PluginAnalysisResult]:
        """This plugin's result, or also those of the plugins that it may read."""
        return await self._backend.call(self._backend.list_results, experiment_id, include_others)

    async def delete_analysis_result(self, experiment_id: int, plugin_id: str) -> bool:
        """Deletes this plugin's result. False when there was none."""
        self._own(plugin_id, "analysis_results.self")
        return await self._backend.call(self._backend.delete_result, experiment_id)


class ExperimentRepository(_ResultMethods):
    """Experiments, their designs, results and artifacts."""

    async def get_by_id(self, experiment_id: int) -> Experiment | None:
        """One experiment."""
        return await self._maybe(self._backend.get_experiment, experiment_id)

    async def list_all(
        self,
        skip: int = 0,
        limit: int = 100,
        status: str | None = None,
        experiment_type: str | None = None,
        project: str | None = None,
        created_by: int | None = None,
        parent_experiment_id: int | None = None,
        search: str | None = None,
    ) -> tuple[list[Experiment], int]:
        """Experiments that match, oldest first, and how many match in all. `search` is a part of the name."""
        filters = {
            "status": status,
            "experiment_type": experiment_type,
            "project": project,
            "created_by": created_by,
            "parent_experiment_id": parent_experiment_id,
            "search": search,
        }
        return await self._backend.call(self._backend.list_experiments, filters, skip, limit)

    async def create(
        self,
        name: str,
        experiment_type: str,
        created_by: int | None = None,
        parent_experiment_id: int | None = None,
        project: str | None = None,
        notes: str | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> Experiment:
        """A new experiment in the name of the acting user; `created_by` can only be that user."""
        draft = {
            "name": name,
            "experiment_type": experiment_type,
            "created_by": created_by,
            "parent_experiment_id": parent_experiment_id,
            "project": project,
            "notes": notes,
            "tags": tags,
        }
        return await self._backend.call(self._backend.create_experiment, draft)

    async def update(
        self,
        experiment_id: int,
        *,
        name: str | None = None,
        status: str | None = None,
        experiment_type: str | None = None,
        parent_experiment_id: int | None = None,
        project: str | None = None,
        notes: str | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> Experiment | None:
        """Changes what is given."""
        changes = {
            "name": name,
            "status": status,
            "experiment_type": experiment_type,
            "parent_experiment_id": parent_experiment_id,
            "project": project,
            "notes": notes,
            "tags": tags,
        }
        return await self._maybe(self._backend.update_experiment, experiment_id, changes)

    async def delete(self, experiment_id: int) -> bool:
        """Deletes the experiment with all that belongs to it. False when there was none."""
        try:
            await self._backend.call(self._backend.delete_experiment, experiment_id)
        except NotFoundException:
            return False
        return True

    async def has_design_data(self, experiment_id: int) -> bool:
        """Whether the experiment has a design."""
        return await self.get_design_data(experiment_id) is not None

    async def get_design_data(self, experiment_id: int) -> DesignData | None:
        """The design, whoever owns it."""
        return await self._maybe(self._backend.load_design, experiment_id)

    async def save_design_data(
        self, experiment_id: int, plugin_id: str, data: Mapping[str, Any], schema_version: str | None = None
    ) -> DesignData:
        """Saves the design as this plugin's. Without a version, that of the manifest is recorded."""
        self._own(plugin_id, "design_data.self")
        return await self._backend.call(self._backend.save_design, experiment_id, data, schema_version)

    async def delete_design_data(self, experiment_id: int) -> bool:
        """Deletes this plugin's design. False when there was none."""
        return await self._backend.call(self._backend.delete_design, experiment_id)

    async def get_analysis_result_fields(
        self, experiment_id: int, plugin_id: str, fields: list[str]
    ) -> PluginAnalysisResult | None:
        """The same as `get_analysis_result`, with only these top-level keys."""
        return await self._maybe(self._backend.load_result, experiment_id, plugin_id, fields)

    async def save_analysis_artifact(
        self,
        experiment_id: int,
        plugin_id: str,
        result: Mapping[str, Any],
        *,
        artifact_key: str = DEFAULT_ARTIFACT_KEY,
        display_name: str | None = None,
        note: str | None = None,
    ) -> AnalysisArtifact:
        """Saves an artifact, replacing one of the same key and restoring an archived one."""
        artifact = AnalysisArtifactInput(artifact_key, dict(result), display_name, note)
        return (await self.save_analysis_artifacts(experiment_id, plugin_id, [artifact]))[0]

    async def save_analysis_artifacts(
        self, experiment_id: int, plugin_id: str, artifacts: Sequence[AnalysisArtifactInput]
    ) -> list[AnalysisArtifact]:
        """Saves all of them or none, and returns them in the order given. A key given twice is a `ValueError`."""
        self._own(plugin_id, "analysis_results.self")
        if len({item.artifact_key for item in artifacts}) != len(artifacts):
            raise ValueError("An artifact key is given twice.")
        return await self._backend.call(self._backend.save_artifacts, experiment_id, list(artifacts))

    async def list_analysis_artifacts(
        self, experiment_id: int, *, include_others: bool = False, include_archived: bool = False
    ) -> list[AnalysisArtifactSummary]:
        """Summaries: this plugin's, or also those of the plugins that it may read. Archived ones only of its own."""
        if include_others and include_archived:
            raise PermissionException("Archived artifacts of other plugins cannot be listed.", "analysis_results.self")
        return await self._backend.call(self._backend.list_artifacts, experiment_id, include_others, include_archived)

    async def get_analysis_artifact(
        self, experiment_id: int, plugin_id: str, *, artifact_key: str = DEFAULT_ARTIFACT_KEY, fields: list[str] | None = None
    ) -> AnalysisArtifact | None:
        """One artifact, with only these top-level keys where `fields` is given."""
        return await self._maybe(self._backend.load_artifact, experiment_id, plugin_id, artifact_key, fields)

    async def archive_analysis_artifact(
        self, experiment_id: int, plugin_id: str, *, artifact_key: str = DEFAULT_ARTIFACT_KEY
    ) -> AnalysisArtifactSummary | None:
        """Archives one of this plugin's artifacts."""
        self._own(plugin_id, "analysis_results.self")
        return await self._maybe(self._backend.archive_artifact, experiment_id, artifact_key)

    async def restore_analysis_artifact(
        self, experiment_id: int, plugin_id: str, *, artifact_key: str = DEFAULT_ARTIFACT_KEY
    ) -> AnalysisArtifactSummary | None:
        """Restores one of this plugin's archived artifacts."""
        self._own(plugin_id, "analysis_results.self")
        return await self._maybe(self._backend.restore_artifact, experiment_id, artifact_key)


class PluginDataRepository(_ResultMethods):
    """Designs and results under the names of MINT 1.0."""

    async def save_experiment_data(
        self, experiment_id: int, plugin_id: str, data: Mapping[str, Any], schema_version: str | None = None
    ) -> DesignData:
        """Saves the design as this plugin's."""
        self._own(plugin_id, "design_data.self")
        return await self._backend.call(self._backend.save_design, experiment_id, data, schema_version)

    async def get_experiment_data(self, experiment_id: int) -> DesignData | None:
        """The design, whoever owns it."""
        return await self._maybe(self._backend.load_design, experiment_id)

    async def delete_experiment_data(self, experiment_id: int) -> bool:
        """Deletes this plugin's design. False when there was none."""
        return await self._backend.call(self._backend.delete_design, experiment_id)


class UserRepository(_Repository):
    """Members of the tenant. Needs `users:read`."""

    async def get_by_id(self, user_id: int) -> User | None:
        """A user by id."""
        return await self._maybe(self._backend.get_user, user_id)

    async def get_by_username(self, username: str) -> User | None:
        """A user by name, exact and case-sensitive."""
        return await self._maybe(self._backend.find_user, username)

    async def list_all(self, skip: int = 0, limit: int = 100) -> list[User]:
        """Users by id."""
        return await self._backend.call(self._backend.list_users, skip, limit)


class JobRepository(_Repository):
    """Work that goes on when the request has ended, and that outlives the server. Needs `jobs`.

    A person sees the jobs that act for them; the plugin itself sees all of its own.
    """

    async def enqueue(
        self,
        kind: str,
        payload: Any = None,
        *,
        key: str | None = None,
        delay: int = 0,
        retries: int = 0,
        heartbeat: int | None = None,
    ) -> Job:
        """Asks for a job, which `run_job` does with `payload`, a JSON document.

        While a job with the same `key` is kept, asking again gives that one; another person's is a conflict. `delay` is the
        seconds before the first attempt, `retries` how often a failed one is followed by another; one without a sign of life
        for `heartbeat` seconds is ended.
        """
        options = {"key": key, "delay_seconds": delay, "retries": retries, "heartbeat_seconds": heartbeat}
        return await self._backend.call(self._backend.enqueue_job, kind, payload, options)

    async def get(self, job_id: int) -> Job | None:
        """A job by id."""
        return await self._maybe(self._backend.get_job, job_id)

    async def cancel(self, job_id: int) -> bool:
        """Takes a job back: what waits never begins, what runs is told, and ended when it goes on. False when it had ended."""
        return await self._maybe(self._backend.cancel_job, job_id) or False

    async def list(self, skip: int = 0, limit: int = 100) -> list[Job]:
        """Jobs, newest first."""
        return await self._backend.call(self._backend.list_jobs, skip, limit)
