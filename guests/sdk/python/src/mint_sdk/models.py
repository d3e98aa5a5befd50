"""Data that repositories return. Times are aware and in UTC; JSON documents are dicts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from .exceptions import ValidationException

ExperimentStatus = Literal["planned", "ongoing", "completed", "cancelled"]
ArtifactStatus = Literal["active", "archived"]
JobStatus = Literal["queued", "running", "completed", "failed", "cancelled"]
DEFAULT_ARTIFACT_KEY = "default"


@dataclass(frozen=True)
class Experiment:
    """An experiment; `project` is the name of its project."""

    id: int
    name: str
    experiment_type: str
    status: str
    created_at: datetime
    updated_at: datetime
    created_by: int | None = None
    parent_experiment_id: int | None = None
    project: str | None = None
    notes: str | None = None
    tags: dict[str, Any] = field(default_factory=dict)
    custom_metadata: dict[str, Any] = field(default_factory=dict)
    start_date: date | None = None
    end_date: date | None = None
    design_owner_plugin_id: str | None = None


@dataclass(frozen=True)
class DesignData:
    """The design of an experiment: one per experiment, owned by one plugin."""

    id: int
    experiment_id: int
    plugin_id: str
    data: dict[str, Any]
    schema_version: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class AnalysisArtifactSummary:
    """A saved artifact without its content; `result_keys` are the keys of the top-level object."""

    id: int
    experiment_id: int
    plugin_id: str
    artifact_key: str
    display_name: str
    status: ArtifactStatus
    created_at: datetime
    updated_at: datetime
    result_keys: list[str] = field(default_factory=list)
    note: str | None = None


@dataclass(frozen=True)
class AnalysisArtifact(AnalysisArtifactSummary):
    """A saved artifact with its content."""

    result: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AnalysisArtifactInput:
    """An artifact to save; one of the same key is replaced."""

    artifact_key: str
    result: dict[str, Any]
    display_name: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class PluginAnalysisResult:
    """*The* result of a plugin for an experiment: the artifact of key `default`."""

    id: int
    experiment_id: int
    plugin_id: str
    result: dict[str, Any]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class User:
    """A member of the tenant; `role` is the slug of the system role."""

    id: int
    username: str
    role: str
    is_active: bool
    created_at: datetime
    updated_at: datetime
    email: str | None = None
    shortname: str | None = None
    first_name: str | None = None
    last_name: str | None = None


@dataclass(frozen=True)
class Job:
    """Work that was asked for. `percent` and `message` are what it last said, `outcome` is what it gave.

    `attempt` counts those that were begun, `error` is why the last one failed. `user_id` is for whom it acts, None for the
    plugin itself.
    """

    id: int
    kind: str
    status: JobStatus
    attempt: int
    is_cancelled: bool
    created_at: datetime
    run_at: datetime
    key: str | None = None
    percent: int | None = None
    message: str | None = None
    outcome: Any = None
    error: str | None = None
    user_id: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class DataObjectRef:
    """A file of an experiment. `plugin_id` is its owner, `platform` for a person's upload; `size` is in bytes."""

    experiment_id: int
    plugin_id: str
    key: str
    filename: str | None = None
    content_type: str | None = None
    size: int | None = None

    @property
    def uri(self) -> str:
        """`mint-object://experiments/{id}/plugins/{plugin}/{key}`."""
        return f"mint-object://experiments/{self.experiment_id}/plugins/{self.plugin_id}/{self.key}"

    def to_dict(self) -> dict[str, Any]:
        """JSON form, with the `uri`."""
        return {
            "uri": self.uri,
            "experiment_id": self.experiment_id,
            "plugin_id": self.plugin_id,
            "key": self.key,
            "filename": self.filename,
            "content_type": self.content_type,
            "size": self.size,
        }


def check_object_key(key: str) -> str:
    """The key itself; `ValidationException` unless it is a relative POSIX path without empty, `.` or `..` segments."""
    if not key or "\\" in key or "\0" in key or any(part in ("", ".", "..") for part in key.split("/")):
        raise ValidationException("An object key is a relative path such as 'plots/curve.svg'.", "key", key)
    return key
