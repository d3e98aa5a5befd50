"""Events of experiments, pushed by the platform to `POST /__mint/events`."""

from __future__ import annotations

from typing import Any

from .. import service
from ..plugin import AnalysisPlugin
from ..routing import HTTPException

HOOKS = {
    "experiment.before_save": "on_before_experiment_save",
    "experiment.after_save": "on_after_experiment_save",
    "experiment.status_changed": "on_experiment_status_change",
}


async def dispatch_event(plugin: AnalysisPlugin, body: Any) -> dict[str, Any]:
    """`{"handled": bool, "veto": null | {"message"}}`. An event that the class has no method for is not handled."""
    event, payload = _read(body)
    hook = HOOKS.get(event)
    if hook is None or not plugin.handles(hook):
        return {"handled": False, "veto": None}
    experiment_id = _field(payload, "experiment_id", int)
    veto = None
    if event == "experiment.before_save":
        veto = await service.before_save(plugin, experiment_id, _field(payload, "data", dict))
    elif event == "experiment.after_save":
        await service.after_save(plugin, experiment_id, _field(payload, "data", dict))
    else:
        old, new = _field(payload, "old_status", str), _field(payload, "new_status", str)
        await service.status_changed(plugin, experiment_id, old, new)
    return {"handled": True, "veto": None if veto is None else {"message": veto}}


def _read(body: Any) -> tuple[str, dict[str, Any]]:
    if not isinstance(body, dict) or not isinstance(body.get("event"), str) or not isinstance(body.get("payload"), dict):
        raise HTTPException(400, "An event is an object with `event` and `payload`.")
    return body["event"], body["payload"]


def _field(payload: dict[str, Any], name: str, kind: type) -> Any:
    value = payload.get(name)
    if type(value) is not kind:
        raise HTTPException(400, f"The event's `{name}` is missing or of the wrong type.")
    return value
