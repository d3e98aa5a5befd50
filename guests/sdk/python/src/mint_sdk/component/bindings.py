"""Generated bindings of the component's world, under short names. An interface without a grant is not in the world: None."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

from componentize_py_types import Err
from wit_world.imports import mint_platform_identity_1_0_0 as identity
from wit_world.imports import mint_platform_settings_1_0_0 as settings
from wit_world.imports import mint_platform_types_1_0_0 as types

try:
    from wit_world.imports import mint_platform_experiments_1_0_0 as experiments
except ImportError:
    experiments = None
try:
    from wit_world.imports import mint_platform_designs_1_0_0 as designs
except ImportError:
    designs = None
try:
    from wit_world.imports import mint_platform_results_1_0_0 as results
except ImportError:
    results = None
try:
    from wit_world.imports import mint_platform_objects_1_0_0 as objects
except ImportError:
    objects = None

try:
    from wit_world.imports import mint_platform_database_1_0_0 as database
except ImportError:
    database = None
try:
    from wit_world.imports import mint_platform_jobs_1_0_0 as jobs
except ImportError:
    jobs = None
try:
    from wit_world.imports import mint_platform_migration_ops_1_0_0 as migration_ops
except ImportError:
    migration_ops = None

from ..exceptions import PermissionException, from_problem

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS = {
    types.Error_Invalid: "invalid",
    types.Error_Denied: "denied",
    types.Error_NotFound: "not_found",
    types.Error_Conflict: "conflict",
    types.Error_QuotaExceeded: "quota_exceeded",
    types.Error_Unavailable: "unavailable",
    types.Error_Internal: "internal",
}


def granted(interface: ModuleType | None, capability: str) -> Any:
    """The interface, or `PermissionException` that names the capability to declare."""
    if interface is None:
        raise PermissionException(
            f"This plugin was built without '{capability}'. Declare it under [[capabilities]] in mint.toml and build again.",
            capability,
        )
    return interface


class Refusals:
    """Turns an `error` of the platform, raised inside `with refusals:`, into the typed exception."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if isinstance(error, Err) and type(error.value) in _KINDS:
            problem = error.value.value
            details = json.loads(problem.details) if problem.details else None
            raise from_problem(_KINDS[type(error.value)], problem.code, problem.message, details)


refusals = Refusals()


def instant(microseconds: int) -> datetime:
    """The time of a WIT `timestamp`."""
    return _EPOCH + timedelta(microseconds=microseconds)
