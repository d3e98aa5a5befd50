"""What a plugin says about itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class PluginType(StrEnum):
    """What a plugin is for; decides what it may write unless its capabilities say otherwise."""

    STATIC = "static"
    ANALYSIS = "analysis"
    EXPERIMENT_DESIGN = "experiment_design"
    FULL = "full"
    WORKFLOW = "workflow"


@dataclass(frozen=True)
class PluginCapabilities:
    """What a plugin needs. The last three override the write policy of its type; None keeps it."""

    requires_auth: bool = False
    requires_database: bool = False
    requires_experiments: bool = False
    experiment_crud: bool | None = None
    design_data_write: bool | None = None
    analysis_result_write: bool | None = None

    def __post_init__(self) -> None:
        for name in ("experiment_crud", "design_data_write", "analysis_result_write"):
            if getattr(self, name) not in (None, True, False):
                raise TypeError(f"PluginCapabilities.{name} must be True, False or None.")


@dataclass(frozen=True)
class PluginMetadata:
    """Identity of a plugin. `name` is the slug and `routes_prefix` the path of `mint.toml`."""

    name: str
    version: str
    description: str
    analysis_type: str
    routes_prefix: str
    plugin_type: PluginType = PluginType.ANALYSIS
    capabilities: PluginCapabilities = field(default_factory=PluginCapabilities)
    author: str = ""
    homepage: str = ""
    license: str = ""
    icon: str = ""
    display_name: str = ""
    schema_version: str = "1.0"
    design_schema_version: str | None = None
    allowed_experiment_types: list[str] | None = None


class HealthStatus(StrEnum):
    """How well a plugin is."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class PluginHealth:
    """Answer of `check_health`; `details` is a JSON object."""

    status: HealthStatus = HealthStatus.HEALTHY
    message: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    checked_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def to_dict(self) -> dict[str, Any]:
        """`{status, checked_at, message?, details?}`."""
        body: dict[str, Any] = {"status": self.status.value, "checked_at": self.checked_at.isoformat()}
        if self.message is not None:
            body["message"] = self.message
        if self.details:
            body["details"] = self.details
        return body


@dataclass(frozen=True)
class LifecycleHookResult:
    """Answer of a hook: `success=False` vetoes, with `message` for the person who tried."""

    success: bool = True
    message: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
