"""What both modes do alike around the author's class: access to routes, hooks, words for failures."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from .exceptions import ConfigurationException, EventVetoException, JobFailed, PluginException
from .identity import actor_of
from .jobs import JobContext
from .logs import get_plugin_logger
from .plugin import AnalysisPlugin
from .routing import HTTPException, Request
from .routing.responses import to_json

VETO_OF_A_FAILURE = "Plugin validation failed"

logger = get_plugin_logger("mint_sdk")


def access_guard(plugin: AnalysisPlugin) -> Callable[[Request], None] | None:
    """The check before every route of a plugin whose capabilities say `requires_auth`."""
    if not plugin.metadata.capabilities.requires_auth:
        return None

    def check(request: Request) -> None:
        if actor_of(request) is None:
            raise HTTPException(401, "Sign in first.")

    return check


def check_slug(plugin: AnalysisPlugin, slug: str) -> None:
    """Fails if the class calls itself otherwise than the bundle does."""
    name = plugin.metadata.name
    if name != slug:
        raise ConfigurationException(
            f"The class {type(plugin).__name__} says metadata.name = '{name}', mint.toml says slug = '{slug}': make them equal."
        )


async def before_save(plugin: AnalysisPlugin, experiment_id: int, data: dict[str, Any]) -> str | None:
    """Why the save is vetoed; None to let it pass. A hook that fails vetoes."""
    try:
        result = await plugin.on_before_experiment_save(experiment_id, data)
        return None if result.success else result.message or "The plugin refused the data."
    except EventVetoException as veto:
        return veto.message
    except Exception as error:
        logger.error("Hook on_before_experiment_save failed: %s", error, exc_info=error)
        return VETO_OF_A_FAILURE


async def after_save(plugin: AnalysisPlugin, experiment_id: int, data: dict[str, Any]) -> None:
    """Tells the plugin; its failure is logged and changes nothing."""
    try:
        await plugin.on_after_experiment_save(experiment_id, data)
    except Exception as error:
        logger.error("Hook on_after_experiment_save failed: %s", error, exc_info=error)


async def status_changed(plugin: AnalysisPlugin, experiment_id: int, old_status: str, new_status: str) -> None:
    """Tells the plugin; its failure is logged and changes nothing."""
    try:
        await plugin.on_experiment_status_change(experiment_id, old_status, new_status)
    except Exception as error:
        logger.error("Hook on_experiment_status_change failed: %s", error, exc_info=error)


async def run_job(plugin: AnalysisPlugin, kind: str, payload: Any, job: JobContext, *, threads: bool) -> str | None:
    """What the job gives, as JSON; None for nothing. `JobFailed` says in words why this attempt failed.

    `threads` says whether a method that is not `async` runs in a worker thread, so that it cannot hold up requests.
    """
    try:
        if threads and not inspect.iscoroutinefunction(plugin.run_job):
            outcome = await asyncio.to_thread(plugin.run_job, kind, payload, job)
        else:
            outcome = plugin.run_job(kind, payload, job)
        if inspect.isawaitable(outcome):
            outcome = await outcome
        return None if outcome is None else to_json(outcome)
    except JobFailed:
        raise
    except Exception as error:
        logger.error("Job %d (%s) failed: %s", job.id, kind, error, exc_info=error)
        raise JobFailed(reason(error)) from error


def reason(error: Exception) -> str:
    """One line for the administrator."""
    return error.message if isinstance(error, PluginException) else f"{type(error).__name__}: {error}"
