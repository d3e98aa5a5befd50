"""What the SDK needs from the platform. Two implementations: `component.backend` over WIT, `process.backend` over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, Protocol

from .database import Tables
from .identity import PluginActor
from .models import (
    AnalysisArtifact,
    AnalysisArtifactInput,
    AnalysisArtifactSummary,
    DataObjectRef,
    DesignData,
    Experiment,
    Job,
    PluginAnalysisResult,
    User,
)

CHUNK_BYTES = 64 * 1024


class ObjectWriter(Protocol):
    """An object being written. Ends with `finish`, or with `abort`, which leaves nothing behind."""

    def write(self, data: bytes) -> None:
        """Sends bytes; waits while the platform cannot take more."""

    def finish(self) -> DataObjectRef:
        """Makes the object visible."""

    def abort(self) -> None:
        """Gives up. Allowed after a failed `write` or `finish` too."""


class Backend(Protocol):
    """Blocking calls. Refusals are exceptions of `mint_sdk.exceptions`; what is missing is `NotFoundException`."""

    plugin_id: str
    """Slug of this plugin."""

    async def call[**P, T](self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs one of the methods below without holding up other requests."""

    def get_experiment(self, experiment_id: int) -> Experiment: ...

    def list_experiments(self, filters: Mapping[str, Any], skip: int, limit: int) -> tuple[list[Experiment], int]:
        """Experiments that match every filter that is not None, and how many match in all."""

    def create_experiment(self, draft: Mapping[str, Any]) -> Experiment: ...

    def update_experiment(self, experiment_id: int, changes: Mapping[str, Any]) -> Experiment:
        """Changes what is not None."""

    def delete_experiment(self, experiment_id: int) -> None: ...

    def load_design(self, experiment_id: int) -> DesignData: ...

    def save_design(self, experiment_id: int, data: Mapping[str, Any], schema_version: str | None) -> DesignData: ...

    def delete_design(self, experiment_id: int) -> bool: ...

    def save_result(self, experiment_id: int, result: Mapping[str, Any]) -> PluginAnalysisResult: ...

    def load_result(self, experiment_id: int, plugin_id: str, fields: list[str] | None) -> PluginAnalysisResult: ...

    def list_results(self, experiment_id: int, include_others: bool) -> list[PluginAnalysisResult]: ...

    def delete_result(self, experiment_id: int) -> bool: ...

    def save_artifacts(self, experiment_id: int, artifacts: list[AnalysisArtifactInput]) -> list[AnalysisArtifact]:
        """All or none, in the order given."""

    def load_artifact(self, experiment_id: int, plugin_id: str, key: str, fields: list[str] | None) -> AnalysisArtifact: ...

    def list_artifacts(
        self, experiment_id: int, include_others: bool, include_archived: bool
    ) -> list[AnalysisArtifactSummary]: ...

    def archive_artifact(self, experiment_id: int, key: str) -> AnalysisArtifactSummary: ...

    def restore_artifact(self, experiment_id: int, key: str) -> AnalysisArtifactSummary: ...

    def list_objects(self, experiment_id: int, prefix: str) -> list[DataObjectRef]: ...

    def object_exists(self, experiment_id: int, key: str) -> bool: ...

    def read_object(self, experiment_id: int, key: str) -> Generator[bytes, None, None]:
        """Its bytes in chunks of at most 64 KiB. Fails at once if there is none. Close the iterator if it is not used up."""

    def write_object(self, experiment_id: int, key: str, content_type: str | None) -> ObjectWriter: ...

    def delete_object(self, experiment_id: int, key: str) -> bool: ...

    def enqueue_job(self, kind: str, payload: Any, options: Mapping[str, Any]) -> Job:
        """`options` has `key`, `delay_seconds`, `retries` and `heartbeat_seconds`."""

    def get_job(self, job_id: int) -> Job: ...

    def list_jobs(self, skip: int, limit: int) -> list[Job]:
        """Newest first."""

    def cancel_job(self, job_id: int) -> bool:
        """False when it had ended."""

    def report_progress(self, job_id: int, attempt: int, percent: int | None, message: str | None) -> bool:
        """Of the job that is being done. Whether somebody wants it to end."""

    def give_heartbeat(self, job_id: int, attempt: int) -> bool:
        """Of the job that is being done. Whether somebody wants it to end."""

    def get_user(self, user_id: int) -> User: ...

    def find_user(self, username: str) -> User: ...

    def list_users(self, skip: int, limit: int) -> list[User]: ...

    def plugin_role(self, actor: PluginActor) -> str | None:
        """Role of the acting user inside this plugin."""

    def tables(self) -> Tables:
        """The plugin's own tables."""

    def load_settings(self) -> dict[str, Any]:
        """The settings in force."""

    def swap_settings(self, expected: Mapping[str, Any], settings: Mapping[str, Any], owned_keys: frozenset[str]) -> bool:
        """Replaces the stored values of `owned_keys` if they still are `expected`; False if they are not."""
