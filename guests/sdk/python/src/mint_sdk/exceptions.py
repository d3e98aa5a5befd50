"""Exceptions of the SDK. Each has a stable `code` and the HTTP `status` that a route answers with when it is not caught."""

from __future__ import annotations

from typing import Any, ClassVar

VALUE_CHARS_MAX = 100


class PluginException(Exception):
    """Base of all: a `message` for people, a stable `code`, optional `details` (a JSON object)."""

    status: ClassVar[int] = 500

    def __init__(self, message: str, code: str = "PLUGIN_ERROR", details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.details: dict[str, Any] = dict(details or {})

    def to_dict(self) -> dict[str, Any]:
        """`{"error": code, "message", "details"?}`."""
        body: dict[str, Any] = {"error": self.code, "message": self.message}
        if self.details:
            body["details"] = self.details
        return body


class ValidationException(PluginException):
    """Wrong data; `field` and `value` say which."""

    status = 400

    def __init__(self, message: str, field: str | None = None, value: Any = None, details: dict[str, Any] | None = None) -> None:
        facts = dict(details or {})
        if field is not None:
            facts["field"] = field
        if value is not None:
            text = str(value)
            facts["value"] = text if len(text) <= VALUE_CHARS_MAX else text[:VALUE_CHARS_MAX] + "..."
        super().__init__(message, "VALIDATION_ERROR", facts)
        self.field = field


class PermissionException(PluginException, PermissionError):
    """The plugin's grants or the user's rights do not allow it; `required_permission` names what is missing."""

    status = 403

    def __init__(self, message: str, required_permission: str | None = None, details: dict[str, Any] | None = None) -> None:
        facts = dict(details or {})
        if required_permission is not None:
            facts["required_permission"] = required_permission
        super().__init__(message, "PERMISSION_DENIED", facts)
        self.required_permission = required_permission


class UnsupportedExperimentTypeException(PermissionException):
    """The plugin may not work on experiments of this type."""

    def __init__(self, experiment_type: str, allowed_experiment_types: list[str]) -> None:
        super().__init__(
            f"Experiment type '{experiment_type}' is not allowed for this plugin.",
            details={"experiment_type": experiment_type, "allowed_experiment_types": list(allowed_experiment_types)},
        )
        self.code = "EXPERIMENT_TYPE_NOT_ALLOWED"


class ConfigurationException(PluginException):
    """The plugin or its settings are set up wrongly; `config_key` says where."""

    def __init__(self, message: str, config_key: str | None = None) -> None:
        super().__init__(message, "CONFIGURATION_ERROR", {"config_key": config_key} if config_key else None)
        self.config_key = config_key


class RepositoryException(PluginException):
    """The platform could not do what a repository asked for."""

    def __init__(
        self,
        message: str,
        operation: str | None = None,
        entity: str | None = None,
        *,
        code: str = "REPOSITORY_ERROR",
        details: dict[str, Any] | None = None,
    ) -> None:
        facts = dict(details or {})
        if operation:
            facts["operation"] = operation
        if entity:
            facts["entity"] = entity
        super().__init__(message, code, facts)


class NotFoundException(RepositoryException):
    """There is no such thing, or the acting user may not know of it."""

    status = 404

    def __init__(
        self, message: str, entity: str | None = None, entity_id: Any = None, details: dict[str, Any] | None = None
    ) -> None:
        facts = dict(details or {})
        if entity_id is not None:
            facts["entity_id"] = entity_id
        super().__init__(message, entity=entity, code="NOT_FOUND", details=facts)


class ConflictException(RepositoryException):
    """Something else changed it first, or somebody else owns it."""

    status = 409

    def __init__(
        self, message: str, entity: str | None = None, conflict_field: str | None = None, details: dict[str, Any] | None = None
    ) -> None:
        facts = dict(details or {})
        if conflict_field is not None:
            facts["conflict_field"] = conflict_field
        super().__init__(message, entity=entity, code="CONFLICT", details=facts)


class DesignDataOwnershipConflictException(ConflictException):
    """The design of an experiment belongs to another plugin."""

    def __init__(self, *, experiment_id: int, current_owner_plugin_id: str, requested_owner_plugin_id: str) -> None:
        super().__init__(
            f"The design of experiment {experiment_id} belongs to the plugin '{current_owner_plugin_id}'.",
            details={
                "experiment_id": experiment_id,
                "current_owner_plugin_id": current_owner_plugin_id,
                "requested_owner_plugin_id": requested_owner_plugin_id,
            },
        )
        self.code = "DESIGN_DATA_OWNERSHIP_CONFLICT"


class QuotaExceededException(RepositoryException):
    """A limit of this installation is reached; `details` names it."""

    status = 429

    def __init__(self, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message, code="QUOTA_EXCEEDED", details=details)


class UnavailableException(RepositoryException):
    """A part of the platform does not answer; the call may be repeated later."""

    status = 503

    def __init__(self, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message, code="UNAVAILABLE", details=details)


class EventVetoException(PluginException):
    """Raised in a before-save hook: the save is refused with this message."""

    status = 422

    def __init__(self, message: str) -> None:
        super().__init__(message, "EVENT_VETO")


class JobFailed(PluginException):
    """Raised in `run_job`: this attempt failed, and with `retry=False` any other would."""

    def __init__(self, message: str, retry: bool = True) -> None:
        super().__init__(message, "JOB_FAILED")
        self.retry = retry


class PlatformCompatibilityError(PluginException):
    """Plugin and platform speak different versions of the internal API."""

    status = 426

    def __init__(self, message: str, sdk_api_version: str, platform_api_version: str) -> None:
        super().__init__(
            message,
            "PLATFORM_API_VERSION_MISMATCH",
            {"sdk_api_version": sdk_api_version, "platform_api_version": platform_api_version},
        )


class PluginLifecycleException(PluginException):
    """Start or stop of the plugin failed in `phase`."""

    def __init__(self, message: str, phase: str | None = None, plugin_name: str | None = None) -> None:
        facts = {key: value for key, value in (("phase", phase), ("plugin_name", plugin_name)) if value}
        super().__init__(message, "LIFECYCLE_ERROR", facts)


def from_problem(kind: str, code: str, message: str, details: dict[str, Any] | None) -> PluginException:
    """The typed exception for a refusal of the platform.

    `kind` is a case of the WIT type `error` in snake case: invalid, denied, not_found, conflict, quota_exceeded,
    unavailable or internal. `code` picks the narrower class where there is one.
    """
    facts = dict(details or {})
    if code == "EXPERIMENT_TYPE_NOT_ALLOWED":
        return UnsupportedExperimentTypeException(
            str(facts.get("experiment_type", "")), list(facts.get("allowed_experiment_types") or [])
        )
    if code == "DESIGN_DATA_OWNERSHIP_CONFLICT":
        return DesignDataOwnershipConflictException(
            experiment_id=int(facts.get("experiment_id", 0)),
            current_owner_plugin_id=str(facts.get("current_owner_plugin_id", "")),
            requested_owner_plugin_id=str(facts.get("requested_owner_plugin_id", "")),
        )
    match kind:
        case "invalid":
            return ValidationException(message, details=facts)
        case "denied":
            return PermissionException(message, facts.pop("required_permission", None), facts)
        case "not_found":
            return NotFoundException(message, details=facts)
        case "conflict":
            return ConflictException(message, details=facts)
        case "quota_exceeded":
            return QuotaExceededException(message, facts)
        case "unavailable":
            return UnavailableException(message, facts)
        case _:
            return RepositoryException(message, code=code or "REPOSITORY_ERROR", details=facts)
