"""The platform over `/api/internal`, as MINT's own SDK calls it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Mapping
from typing import Any
from urllib.parse import quote

from ..database import Tables
from ..exceptions import ConfigurationException, NotFoundException
from ..identity import PluginActor
from ..models import (
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
from . import models
from .client import PlatformClient
from .transfer import HttpObjectWriter, read_object


class ProcessBackend:
    """One per process; each call runs in a worker thread."""

    def __init__(self, client: PlatformClient) -> None:
        self._client = client
        self.plugin_id = client.config.plugin_name

    async def call[**P, T](self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.to_thread(function, *args, **kwargs)

    def get_experiment(self, experiment_id: int) -> Experiment:
        return models.experiment(self._client.call("GET", f"/experiments/{experiment_id}"))

    def list_experiments(self, filters: Mapping[str, Any], skip: int, limit: int) -> tuple[list[Experiment], int]:
        answer = self._client.call("GET", "/experiments", query={"skip": skip, "limit": limit, **filters})
        return [models.experiment(item) for item in answer["experiments"]], answer["total"]

    def create_experiment(self, draft: Mapping[str, Any]) -> Experiment:
        return models.experiment(self._client.call("POST", "/experiments", body=_given(draft)))

    def update_experiment(self, experiment_id: int, changes: Mapping[str, Any]) -> Experiment:
        return models.experiment(self._client.call("PATCH", f"/experiments/{experiment_id}", body=_given(changes)))

    def delete_experiment(self, experiment_id: int) -> None:
        self._client.call("DELETE", f"/experiments/{experiment_id}")

    def load_design(self, experiment_id: int) -> DesignData:
        return models.design(self._client.call("GET", f"/experiments/{experiment_id}/data"))

    def save_design(self, experiment_id: int, data: Mapping[str, Any], schema_version: str | None) -> DesignData:
        body = {"plugin_id": self.plugin_id, "data": data, "schema_version": schema_version or "1.0"}
        return models.design(self._client.call("PUT", f"/experiments/{experiment_id}/data", body=body))

    def delete_design(self, experiment_id: int) -> bool:
        return self._deleted(f"/experiments/{experiment_id}/data")

    def save_result(self, experiment_id: int, result: Mapping[str, Any]) -> PluginAnalysisResult:
        body = {"plugin_id": self.plugin_id, "result": result}
        return models.result(self._client.call("PUT", f"/experiments/{experiment_id}/results/{self.plugin_id}", body=body))

    def load_result(self, experiment_id: int, plugin_id: str, fields: list[str] | None) -> PluginAnalysisResult:
        query = {"fields": None if fields is None else ",".join(fields)}
        return models.result(self._client.call("GET", f"/experiments/{experiment_id}/results/{quote(plugin_id)}", query=query))

    def list_results(self, experiment_id: int, include_others: bool) -> list[PluginAnalysisResult]:
        found = [models.result(item) for item in self._client.call("GET", f"/experiments/{experiment_id}/results")]
        return [item for item in found if include_others or item.plugin_id == self.plugin_id]

    def delete_result(self, experiment_id: int) -> bool:
        return self._deleted(f"/experiments/{experiment_id}/results/{self.plugin_id}")

    def save_artifacts(self, experiment_id: int, artifacts: list[AnalysisArtifactInput]) -> list[AnalysisArtifact]:
        answer = self._client.call("PUT", f"/experiments/{experiment_id}/analysis-artifacts", body={"artifacts": artifacts})
        return [models.artifact(item) for item in answer]

    def load_artifact(self, experiment_id: int, plugin_id: str, key: str, fields: list[str] | None) -> AnalysisArtifact:
        path = f"/experiments/{experiment_id}/analysis-artifacts/{quote(plugin_id, safe='')}/{quote(key, safe='')}"
        query = {"fields": None if fields is None else ",".join(fields)}
        return models.artifact(self._client.call("GET", path, query=query))

    def list_artifacts(self, experiment_id: int, include_others: bool, include_archived: bool) -> list[AnalysisArtifactSummary]:
        query = {"include_others": str(include_others).lower(), "include_archived": str(include_archived).lower()}
        answer = self._client.call("GET", f"/experiments/{experiment_id}/analysis-artifacts", query=query)
        return [models.summary(item) for item in answer]

    def archive_artifact(self, experiment_id: int, key: str) -> AnalysisArtifactSummary:
        return models.summary(self._client.call("POST", f"{_artifact(experiment_id, key)}/archive"))

    def restore_artifact(self, experiment_id: int, key: str) -> AnalysisArtifactSummary:
        return models.summary(self._client.call("POST", f"{_artifact(experiment_id, key)}/restore"))

    def list_objects(self, experiment_id: int, prefix: str) -> list[DataObjectRef]:
        answer = self._client.call("GET", f"/experiments/{experiment_id}/objects", query={"prefix": prefix})
        return [models.object_ref(item) for item in answer["objects"]]

    def object_exists(self, experiment_id: int, key: str) -> bool:
        try:
            self._client.call("HEAD", _object(experiment_id, key))
        except NotFoundException:
            return False
        return True

    def read_object(self, experiment_id: int, key: str) -> Generator[bytes, None, None]:
        return read_object(self._client, _object(experiment_id, key))

    def write_object(self, experiment_id: int, key: str, content_type: str | None) -> HttpObjectWriter:
        return HttpObjectWriter(self._client, _object(experiment_id, key), key.rpartition("/")[2], content_type)

    def delete_object(self, experiment_id: int, key: str) -> bool:
        return self._deleted(_object(experiment_id, key))

    def enqueue_job(self, kind: str, payload: Any, options: Mapping[str, Any]) -> Job:
        return models.job(self._client.call("POST", "/jobs", body={"kind": kind, "payload": payload, **options}))

    def get_job(self, job_id: int) -> Job:
        return models.job(self._client.call("GET", f"/jobs/{job_id}"))

    def list_jobs(self, skip: int, limit: int) -> list[Job]:
        return [models.job(item) for item in self._client.call("GET", "/jobs", query={"skip": skip, "limit": limit})]

    def cancel_job(self, job_id: int) -> bool:
        return self._client.call("POST", f"/jobs/{job_id}/cancel")["cancelled"]

    def report_progress(self, job_id: int, attempt: int, percent: int | None, message: str | None) -> bool:
        body = {"attempt": attempt, "percent": percent, "message": message}
        return self._client.call("POST", f"/jobs/{job_id}/progress", body=body)["is_cancelled"]

    def give_heartbeat(self, job_id: int, attempt: int) -> bool:
        return self._client.call("POST", f"/jobs/{job_id}/heartbeat", body={"attempt": attempt})["is_cancelled"]

    def get_user(self, user_id: int) -> User:
        return models.user(self._client.call("GET", f"/users/{user_id}", as_user=False))

    def find_user(self, username: str) -> User:
        return models.user(self._client.call("GET", f"/users/by-username/{quote(username, safe='')}", as_user=False))

    def list_users(self, skip: int, limit: int) -> list[User]:
        return [
            models.user(item) for item in self._client.call("GET", "/users", query={"skip": skip, "limit": limit}, as_user=False)
        ]

    def plugin_role(self, actor: PluginActor) -> str | None:
        try:
            return self._client.call("GET", f"/plugin-roles/{quote(actor.user_id, safe='')}")["role"]
        except NotFoundException:
            return None

    def tables(self) -> Tables:
        raise ConfigurationException(
            "A process opens its tables by a driver that it brings, at MINT_PLUGIN_DATABASE_URL; `get_database` is for components."
        )

    def load_settings(self) -> dict[str, Any]:
        return self._client.call("GET", self._settings, as_user=False)

    def swap_settings(self, expected: Mapping[str, Any], settings: Mapping[str, Any], owned_keys: frozenset[str]) -> bool:
        body = {"expected": expected, "settings": settings, "owned_keys": sorted(owned_keys)}
        return self._client.call("POST", f"{self._settings}/compare-and-swap", body=body, as_user=False)["committed"]

    @property
    def _settings(self) -> str:
        return f"/plugin-config/{quote(self.plugin_id, safe='')}"

    def _deleted(self, path: str) -> bool:
        try:
            self._client.call("DELETE", path)
        except NotFoundException:
            return False
        return True


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _artifact(experiment_id: int, key: str) -> str:
    return f"/experiments/{experiment_id}/analysis-artifacts/{quote(key, safe='')}"


def _object(experiment_id: int, key: str) -> str:
    return f"/experiments/{experiment_id}/objects/{quote(key)}"
