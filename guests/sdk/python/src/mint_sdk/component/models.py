"""From WIT records to the models of the SDK, and back where a plugin writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from ..models import (
    AnalysisArtifact,
    AnalysisArtifactSummary,
    DataObjectRef,
    DesignData,
    Experiment,
    Job,
    PluginAnalysisResult,
    User,
)
from ..routing.responses import to_json
from .bindings import instant


def experiment(record: Any) -> Experiment:
    """Of `experiments.experiment`."""
    return Experiment(
        id=record.id,
        name=record.name,
        experiment_type=record.experiment_type,
        status=record.status.name.lower(),
        created_at=instant(record.created_at),
        updated_at=instant(record.updated_at),
        created_by=record.created_by,
        parent_experiment_id=record.parent_experiment_id,
        project=record.project,
        notes=record.notes,
        tags=json.loads(record.tags),
        custom_metadata=json.loads(record.custom_metadata),
        start_date=_date(record.start_date),
        end_date=_date(record.end_date),
        design_owner_plugin_id=record.design_owner_plugin_id,
    )


def patch(experiments: Any, changes: Mapping[str, Any]) -> Any:
    """`experiments.patch` that sets what is not None."""

    def text(value: str | None) -> Any:
        return experiments.TextChange_Keep() if value is None else experiments.TextChange_Set(value)

    parent = changes["parent_experiment_id"]
    return experiments.Patch(
        name=changes["name"],
        experiment_type=changes["experiment_type"],
        project=text(changes["project"]),
        parent_experiment_id=experiments.IdChange_Keep() if parent is None else experiments.IdChange_Set(parent),
        notes=text(changes["notes"]),
        tags=None if changes["tags"] is None else to_json(changes["tags"]),
        custom_metadata=None,
        start_date=experiments.TextChange_Keep(),
        end_date=experiments.TextChange_Keep(),
    )


def design(record: Any) -> DesignData:
    """Of `designs.design`."""
    return DesignData(
        id=record.id,
        experiment_id=record.experiment_id,
        plugin_id=record.plugin_id,
        data=json.loads(record.data),
        schema_version=record.schema_version,
        created_at=instant(record.created_at),
        updated_at=instant(record.updated_at),
    )


def _summary_fields(record: Any) -> dict[str, Any]:
    return {
        "id": record.id,
        "experiment_id": record.experiment_id,
        "plugin_id": record.plugin_id,
        "artifact_key": record.key,
        "display_name": record.display_name,
        "status": record.status.name.lower(),
        "created_at": instant(record.created_at),
        "updated_at": instant(record.updated_at),
        "result_keys": list(record.result_keys),
        "note": record.note,
    }


def summary(record: Any) -> AnalysisArtifactSummary:
    """Of `results.summary`."""
    return AnalysisArtifactSummary(**_summary_fields(record))


def artifact(record: Any) -> AnalysisArtifact:
    """Of `results.artifact`."""
    return AnalysisArtifact(**_summary_fields(record.summary), result=json.loads(record.result))


def result(item: AnalysisArtifact) -> PluginAnalysisResult:
    """The artifact `default` as *the* result."""
    return PluginAnalysisResult(item.id, item.experiment_id, item.plugin_id, item.result, item.created_at, item.updated_at)


def object_ref(record: Any) -> DataObjectRef:
    """Of `objects.object-info`."""
    return DataObjectRef(
        experiment_id=record.experiment_id,
        plugin_id=record.plugin_id,
        key=record.key,
        filename=record.filename,
        content_type=record.content_type,
        size=record.size,
    )


def job(record: Any) -> Job:
    """Of `jobs.job`."""
    return Job(
        id=record.id,
        kind=record.kind,
        status=record.status.name.lower(),
        attempt=record.attempt,
        is_cancelled=record.is_cancelled,
        created_at=instant(record.created_at),
        run_at=instant(record.run_at),
        key=record.key,
        percent=record.percent,
        message=record.message,
        outcome=None if record.outcome is None else json.loads(record.outcome),
        error=record.error,
        user_id=record.user_id,
        started_at=_instant(record.started_at),
        ended_at=_instant(record.ended_at),
    )


def user(record: Any) -> User:
    """Of `identity.user`."""
    return User(
        id=record.id,
        username=record.username,
        role=record.role,
        is_active=record.is_active,
        created_at=instant(record.created_at),
        updated_at=instant(record.updated_at),
        email=record.email,
        shortname=record.shortname,
        first_name=record.first_name,
        last_name=record.last_name,
    )


def _instant(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else instant(microseconds)


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
