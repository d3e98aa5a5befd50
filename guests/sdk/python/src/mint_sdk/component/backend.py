"""The platform over the interfaces that the component imports."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from typing import Any

from componentize_py_types import Err

from ..backend import CHUNK_BYTES
from ..exceptions import ConflictException, NotFoundException, PermissionException, UnavailableException, ValidationException
from ..identity import PluginActor
from ..models import (
    DEFAULT_ARTIFACT_KEY,
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
from ..routing.responses import to_json
from . import bindings, models
from .bindings import granted, identity, refusals, settings, types
from .streams import read_chunks, write_chunk
from .tables import ComponentTables

_WIDE = 1 << 32


class ComponentBackend:
    """One per instance."""

    def __init__(self, plugin_id: str) -> None:
        self.plugin_id = plugin_id

    async def call[**P, T](self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return function(*args, **kwargs)

    def get_experiment(self, experiment_id: int) -> Experiment:
        experiments = granted(bindings.experiments, "experiments:read")
        with refusals:
            return models.experiment(experiments.get(experiment_id))

    def list_experiments(self, filters: Mapping[str, Any], skip: int, limit: int) -> tuple[list[Experiment], int]:
        experiments = granted(bindings.experiments, "experiments:read")
        wanted = experiments.Filter(**{**filters, "status": _status(experiments, filters["status"])})
        with refusals:
            found, total = experiments.list(wanted, types.Page(skip, limit))
        return [models.experiment(item) for item in found], total

    def create_experiment(self, draft: Mapping[str, Any]) -> Experiment:
        experiments = granted(bindings.experiments, "experiments:write")
        fields = {name: value for name, value in draft.items() if name != "created_by"}
        actor = identity.current()
        if draft["created_by"] is not None and (actor is None or actor.user_id != draft["created_by"]):
            raise PermissionException("An experiment is created in the name of the acting user.", "experiments.create")
        with refusals:
            return models.experiment(experiments.create(experiments.Draft(**fields | {"tags": _json(draft["tags"])})))

    def update_experiment(self, experiment_id: int, changes: Mapping[str, Any]) -> Experiment:
        experiments = granted(bindings.experiments, "experiments:write")
        status = _status(experiments, changes["status"])
        patch = models.patch(experiments, changes)
        with refusals:
            changed = None
            if any(value is not None for name, value in changes.items() if name != "status") or status is None:
                changed = experiments.update(experiment_id, patch)
            if status is not None:
                changed = experiments.set_status(experiment_id, status)
            return models.experiment(changed)

    def delete_experiment(self, experiment_id: int) -> None:
        experiments = granted(bindings.experiments, "experiments:write")
        with refusals:
            experiments.delete(experiment_id)

    def load_design(self, experiment_id: int) -> DesignData:
        designs = granted(bindings.designs, "experiments:read")
        with refusals:
            return models.design(designs.load(experiment_id))

    def save_design(self, experiment_id: int, data: Mapping[str, Any], schema_version: str | None) -> DesignData:
        designs = granted(bindings.designs, "designs:write")
        with refusals:
            return models.design(designs.save(experiment_id, to_json(data), schema_version))

    def delete_design(self, experiment_id: int) -> bool:
        designs = granted(bindings.designs, "designs:write")
        with refusals:
            return designs.delete(experiment_id)

    def save_result(self, experiment_id: int, result: Mapping[str, Any]) -> PluginAnalysisResult:
        artifact = AnalysisArtifactInput(DEFAULT_ARTIFACT_KEY, dict(result))
        return models.result(self.save_artifacts(experiment_id, [artifact])[0])

    def load_result(self, experiment_id: int, plugin_id: str, fields: list[str] | None) -> PluginAnalysisResult:
        return models.result(self.load_artifact(experiment_id, plugin_id, DEFAULT_ARTIFACT_KEY, fields))

    def list_results(self, experiment_id: int, include_others: bool) -> list[PluginAnalysisResult]:
        found = []
        for item in self.list_artifacts(experiment_id, include_others, include_archived=False):
            if item.artifact_key == DEFAULT_ARTIFACT_KEY:
                try:
                    found.append(self.load_result(experiment_id, item.plugin_id, None))
                except NotFoundException:
                    continue
        return found

    def delete_result(self, experiment_id: int) -> bool:
        results = granted(bindings.results, "results:write")
        with refusals:
            return results.delete(experiment_id, DEFAULT_ARTIFACT_KEY)

    def save_artifacts(self, experiment_id: int, artifacts: list[AnalysisArtifactInput]) -> list[AnalysisArtifact]:
        results = granted(bindings.results, "results:write")
        inputs = [results.Input(item.artifact_key, to_json(item.result), item.display_name, item.note) for item in artifacts]
        with refusals:
            return [models.artifact(item) for item in results.save_all(experiment_id, inputs)]

    def load_artifact(self, experiment_id: int, plugin_id: str, key: str, fields: list[str] | None) -> AnalysisArtifact:
        own = plugin_id == self.plugin_id
        results = granted(bindings.results, "results:write" if own else f"results:read-others:{plugin_id}")
        with refusals:
            return models.artifact(results.load(experiment_id, key, None if own else plugin_id, fields))

    def list_artifacts(self, experiment_id: int, include_others: bool, include_archived: bool) -> list[AnalysisArtifactSummary]:
        results = granted(bindings.results, "results:write")
        with refusals:
            return [models.summary(item) for item in results.list(experiment_id, include_others, include_archived)]

    def archive_artifact(self, experiment_id: int, key: str) -> AnalysisArtifactSummary:
        results = granted(bindings.results, "results:write")
        with refusals:
            return models.summary(results.archive(experiment_id, key))

    def restore_artifact(self, experiment_id: int, key: str) -> AnalysisArtifactSummary:
        results = granted(bindings.results, "results:write")
        with refusals:
            return models.summary(results.restore(experiment_id, key))

    def list_objects(self, experiment_id: int, prefix: str) -> list[DataObjectRef]:
        objects = granted(bindings.objects, "objects")
        with refusals:
            return [models.object_ref(item) for item in objects.list(experiment_id, prefix)]

    def object_exists(self, experiment_id: int, key: str) -> bool:
        objects = granted(bindings.objects, "objects")
        with refusals:
            return objects.exists(experiment_id, key)

    def read_object(self, experiment_id: int, key: str) -> Generator[bytes, None, None]:
        objects = granted(bindings.objects, "objects")
        with refusals:
            return read_chunks(objects.get(experiment_id, key), CHUNK_BYTES)

    def write_object(self, experiment_id: int, key: str, content_type: str | None) -> ComponentObjectWriter:
        objects = granted(bindings.objects, "objects")
        with refusals:
            return ComponentObjectWriter(objects, objects.put(experiment_id, key, content_type))

    def delete_object(self, experiment_id: int, key: str) -> bool:
        objects = granted(bindings.objects, "objects")
        with refusals:
            return objects.delete(experiment_id, key)

    def enqueue_job(self, kind: str, payload: Any, options: Mapping[str, Any]) -> Job:
        jobs = granted(bindings.jobs, "jobs")
        wanted = jobs.Options(
            options["key"],
            _count("delay", options["delay_seconds"]),
            _count("retries", options["retries"]),
            _maybe_count("heartbeat", options["heartbeat_seconds"]),
        )
        with refusals:
            return models.job(jobs.enqueue(kind, to_json(payload), wanted))

    def get_job(self, job_id: int) -> Job:
        jobs = granted(bindings.jobs, "jobs")
        with refusals:
            return models.job(jobs.get(job_id))

    def list_jobs(self, skip: int, limit: int) -> list[Job]:
        jobs = granted(bindings.jobs, "jobs")
        with refusals:
            return [models.job(item) for item in jobs.list(types.Page(skip, limit))]

    def cancel_job(self, job_id: int) -> bool:
        jobs = granted(bindings.jobs, "jobs")
        with refusals:
            return jobs.cancel(job_id)

    def report_progress(self, job_id: int, attempt: int, percent: int | None, message: str | None) -> bool:
        jobs = granted(bindings.jobs, "jobs")
        with refusals:
            jobs.progress(_maybe_count("percent", percent), message)
        return jobs.cancelled()

    def give_heartbeat(self, job_id: int, attempt: int) -> bool:
        jobs = granted(bindings.jobs, "jobs")
        with refusals:
            jobs.heartbeat()
        return jobs.cancelled()

    def get_user(self, user_id: int) -> User:
        with refusals:
            return models.user(identity.get_user(user_id))

    def find_user(self, username: str) -> User:
        with refusals:
            return models.user(identity.find_user(username))

    def list_users(self, skip: int, limit: int) -> list[User]:
        with refusals:
            return [models.user(item) for item in identity.list_users(types.Page(skip, limit))]

    def plugin_role(self, actor: PluginActor) -> str | None:
        current = identity.current()
        return None if current is None or str(current.user_id) != actor.user_id else current.plugin_role

    def tables(self) -> ComponentTables:
        return ComponentTables()

    def load_settings(self) -> dict[str, Any]:
        with refusals:
            return json.loads(settings.load().values)

    def swap_settings(self, expected: Mapping[str, Any], values: Mapping[str, Any], owned_keys: frozenset[str]) -> bool:
        try:
            with refusals:
                snapshot = settings.load()
                current = json.loads(snapshot.values)
                if {key: value for key, value in current.items() if key in owned_keys} != dict(expected):
                    return False
                kept = {key: value for key, value in current.items() if key not in owned_keys}
                settings.compare_and_swap(snapshot.revision, to_json(kept | dict(values)))
        except ConflictException:
            return False
        return True


class ComponentObjectWriter:
    """An object being written through the platform's stream."""

    def __init__(self, objects: Any, writer: Any) -> None:
        self._objects = objects
        self._writer = writer
        self._body = writer.body()

    def write(self, data: bytes) -> None:
        try:
            write_chunk(self._body, data)
        except Err as error:
            raise UnavailableException("The platform stopped taking the object; a quota may be reached.") from error

    def finish(self) -> DataObjectRef:
        self._body.__exit__(None, None, None)
        self._body = None
        writer, self._writer = self._writer, None
        with refusals:
            return models.object_ref(self._objects.Writer.finish(writer))

    def abort(self) -> None:
        for resource in (self._body, self._writer):
            if resource is not None:
                resource.__exit__(None, None, None)
        self._body = self._writer = None


def _json(value: Any) -> str | None:
    return None if value is None else to_json(value)


def _count(name: str, value: int) -> int:
    if not isinstance(value, int) or not 0 <= value < _WIDE:
        raise ValidationException(f"'{name}' is a whole number from 0 to {_WIDE - 1}.", name, value)
    return value


def _maybe_count(name: str, value: int | None) -> int | None:
    return None if value is None else _count(name, value)


def _status(experiments: Any, name: str | None) -> Any:
    if name is None:
        return None
    try:
        return experiments.ExperimentStatus[name.upper()]
    except KeyError:
        raise ValidationException(f"'{name}' is no status of an experiment.", "status", name) from None
