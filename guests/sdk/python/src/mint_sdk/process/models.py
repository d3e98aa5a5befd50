"""From the JSON of the internal API to the models of the SDK. What a host may leave out has a default."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from ..models import (
    DEFAULT_ARTIFACT_KEY,
    AnalysisArtifact,
    AnalysisArtifactSummary,
    DataObjectRef,
    DesignData,
    Experiment,
    Job,
    PluginAnalysisResult,
    User,
)

type Json = dict[str, Any]


def _time(text: str | None) -> datetime:
    return datetime.fromisoformat(text) if text else datetime.fromtimestamp(0, UTC)


def _maybe_time(text: str | None) -> datetime | None:
    return _time(text) if text else None


def _times(item: Json) -> dict[str, datetime]:
    return {"created_at": _time(item.get("created_at")), "updated_at": _time(item.get("updated_at"))}


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def experiment(item: Json) -> Experiment:
    """Of `Experiment`."""
    return Experiment(
        id=item["id"],
        name=item["name"],
        experiment_type=item["experiment_type"],
        status=item["status"],
        **_times(item),
        created_by=item.get("created_by"),
        parent_experiment_id=item.get("parent_experiment_id"),
        project=item.get("project"),
        notes=item.get("notes"),
        tags=item.get("tags") or {},
        custom_metadata=item.get("custom_metadata") or {},
        start_date=_date(item.get("start_date")),
        end_date=_date(item.get("end_date")),
        design_owner_plugin_id=item.get("design_owner_plugin_id"),
    )


def design(item: Json) -> DesignData:
    """Of `DesignData`."""
    return DesignData(
        id=item["id"] if "id" in item else item["experiment_id"],
        experiment_id=item["experiment_id"],
        plugin_id=item["plugin_id"],
        data=item["data"],
        schema_version=item.get("schema_version", "1.0"),
        **_times(item),
    )


def result(item: Json) -> PluginAnalysisResult:
    """Of `PluginAnalysisResult`."""
    return PluginAnalysisResult(
        id=item.get("id", 0),
        experiment_id=item["experiment_id"],
        plugin_id=item["plugin_id"],
        result=item["result"],
        **_times(item),
    )


def _summary_fields(item: Json) -> Json:
    return {
        "id": item.get("id", item.get("artifact_id", 0)),
        "experiment_id": item["experiment_id"],
        "plugin_id": item["plugin_id"],
        "artifact_key": item.get("artifact_key", DEFAULT_ARTIFACT_KEY),
        "display_name": item.get("display_name") or item["plugin_id"],
        "status": item.get("status", "active"),
        **_times(item),
        "result_keys": item.get("result_keys") or sorted(item.get("result") or {}),
        "note": item.get("note"),
    }


def summary(item: Json) -> AnalysisArtifactSummary:
    """Of `AnalysisArtifactSummary`."""
    return AnalysisArtifactSummary(**_summary_fields(item))


def artifact(item: Json) -> AnalysisArtifact:
    """Of `AnalysisArtifact`."""
    return AnalysisArtifact(**_summary_fields(item), result=item["result"])


def object_ref(item: Json) -> DataObjectRef:
    """Of `DataObjectRef`."""
    return DataObjectRef(
        experiment_id=item["experiment_id"],
        plugin_id=item["plugin_id"],
        key=item["key"],
        filename=item.get("filename"),
        content_type=item.get("content_type"),
        size=item.get("size"),
    )


def job(item: Json) -> Job:
    """Of a job."""
    return Job(
        id=item["id"],
        kind=item["kind"],
        status=item["status"],
        attempt=item["attempt"],
        is_cancelled=item["is_cancelled"],
        created_at=_time(item["created_at"]),
        run_at=_time(item["run_at"]),
        key=item.get("key"),
        percent=item.get("percent"),
        message=item.get("message"),
        outcome=item.get("outcome"),
        error=item.get("error"),
        user_id=item.get("user_id"),
        started_at=_maybe_time(item.get("started_at")),
        ended_at=_maybe_time(item.get("ended_at")),
    )


def user(item: Json) -> User:
    """Of `User`."""
    return User(
        id=item["id"],
        username=item["username"],
        role=item["role"],
        is_active=item.get("is_active", True),
        **_times(item),
        email=item.get("email"),
        shortname=item.get("shortname"),
        first_name=item.get("first_name"),
        last_name=item.get("last_name"),
    )
