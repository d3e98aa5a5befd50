"""What a plugin saves and loads most, as methods on the plugin. Without a platform they save nothing and find nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .context import PlatformContext
from .exceptions import ConfigurationException
from .models import (
    DEFAULT_ARTIFACT_KEY,
    AnalysisArtifact,
    AnalysisArtifactInput,
    AnalysisArtifactSummary,
    DesignData,
    PluginAnalysisResult,
)
from .objects import ExperimentDataStore
from .repositories import ExperimentRepository


class Persistence:
    """Mixed into `AnalysisPlugin`."""

    _context: PlatformContext | None

    @property
    def _experiments(self) -> ExperimentRepository | None:
        return None if self._context is None else self._context.get_experiment_repository()

    @property
    def _slug(self) -> str:
        return "" if self._context is None else self._context.plugin_id

    async def save_design(
        self, experiment_id: int, data: Mapping[str, Any], *, schema_version: str | None = None
    ) -> DesignData | None:
        """Saves the design of an experiment as this plugin's."""
        repository = self._experiments
        if repository is None:
            return None
        return await repository.save_design_data(experiment_id, self._slug, data, schema_version)

    async def load_design(self, experiment_id: int) -> DesignData | None:
        """The design of an experiment, whoever owns it."""
        repository = self._experiments
        return None if repository is None else await repository.get_design_data(experiment_id)

    async def delete_design(self, experiment_id: int) -> bool:
        """Deletes this plugin's design. False when there was none."""
        repository = self._experiments
        return False if repository is None else await repository.delete_design_data(experiment_id)

    async def save_analysis(self, experiment_id: int, result: Mapping[str, Any]) -> PluginAnalysisResult | None:
        """Saves *the* result of this plugin for an experiment."""
        repository = self._experiments
        return None if repository is None else await repository.save_analysis_result(experiment_id, self._slug, result)

    async def load_analysis(self, experiment_id: int, fields: list[str] | None = None) -> PluginAnalysisResult | None:
        """The saved result, with only these top-level keys where `fields` is given."""
        repository = self._experiments
        if repository is None:
            return None
        if fields is None:
            return await repository.get_analysis_result(experiment_id, self._slug)
        return await repository.get_analysis_result_fields(experiment_id, self._slug, fields)

    async def delete_analysis(self, experiment_id: int) -> bool:
        """Deletes the saved result. False when there was none."""
        repository = self._experiments
        return False if repository is None else await repository.delete_analysis_result(experiment_id, self._slug)

    async def load_analyses(self, experiment_id: int, *, include_others: bool = False) -> list[PluginAnalysisResult]:
        """This plugin's result, or also those of the plugins that it may read."""
        repository = self._experiments
        if repository is None:
            return []
        return await repository.get_analysis_results(experiment_id, include_others=include_others)

    async def save(
        self, experiment_id: int, *, design: Mapping[str, Any] | None = None, analysis: Mapping[str, Any] | None = None
    ) -> tuple[DesignData | None, PluginAnalysisResult | None]:
        """Saves the design, the result, or both one after the other."""
        saved_design = None if design is None else await self.save_design(experiment_id, design)
        saved_analysis = None if analysis is None else await self.save_analysis(experiment_id, analysis)
        return saved_design, saved_analysis

    async def load(self, experiment_id: int) -> tuple[DesignData | None, PluginAnalysisResult | None]:
        """The design and the result."""
        return await self.load_design(experiment_id), await self.load_analysis(experiment_id)

    async def save_analysis_artifact(
        self,
        experiment_id: int,
        result: Mapping[str, Any],
        *,
        artifact_key: str = DEFAULT_ARTIFACT_KEY,
        display_name: str | None = None,
        note: str | None = None,
    ) -> AnalysisArtifact | None:
        """Saves a named artifact, replacing one of the same key."""
        artifact = AnalysisArtifactInput(artifact_key, dict(result), display_name, note)
        saved = await self.save_analysis_artifacts(experiment_id, [artifact])
        return saved[0] if saved else None

    async def save_analysis_artifacts(
        self, experiment_id: int, artifacts: Sequence[AnalysisArtifactInput]
    ) -> list[AnalysisArtifact]:
        """Saves all of them or none."""
        repository = self._experiments
        return [] if repository is None else await repository.save_analysis_artifacts(experiment_id, self._slug, artifacts)

    async def load_analysis_artifact(
        self, experiment_id: int, artifact_key: str = DEFAULT_ARTIFACT_KEY, *, fields: list[str] | None = None
    ) -> AnalysisArtifact | None:
        """One of this plugin's artifacts."""
        repository = self._experiments
        if repository is None:
            return None
        return await repository.get_analysis_artifact(experiment_id, self._slug, artifact_key=artifact_key, fields=fields)

    async def load_analysis_artifacts(
        self, experiment_id: int, *, include_others: bool = False, include_archived: bool = False
    ) -> list[AnalysisArtifactSummary]:
        """Summaries of the saved artifacts."""
        repository = self._experiments
        if repository is None:
            return []
        return await repository.list_analysis_artifacts(
            experiment_id, include_others=include_others, include_archived=include_archived
        )

    async def archive_analysis_artifact(self, experiment_id: int, artifact_key: str) -> AnalysisArtifactSummary | None:
        """Archives one of this plugin's artifacts."""
        repository = self._experiments
        if repository is None:
            return None
        return await repository.archive_analysis_artifact(experiment_id, self._slug, artifact_key=artifact_key)

    async def restore_analysis_artifact(self, experiment_id: int, artifact_key: str) -> AnalysisArtifactSummary | None:
        """Restores one of this plugin's archived artifacts."""
        repository = self._experiments
        if repository is None:
            return None
        return await repository.restore_analysis_artifact(experiment_id, self._slug, artifact_key=artifact_key)

    def get_data_store(self, experiment_id: int) -> ExperimentDataStore:
        """The files of one experiment."""
        if self._context is None:
            raise ConfigurationException("Files of experiments are only there while the plugin runs in the platform.")
        return self._context.get_data_store(experiment_id)
