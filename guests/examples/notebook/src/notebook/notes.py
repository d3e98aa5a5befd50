"""Routes of experiments, notes and protocols."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from mint_sdk import APIRouter, Depends, Experiment, HTTPException, get_plugin_logger

from .models import Note, Protocol

if TYPE_CHECKING:
    from .plugin import NotebookPlugin

logger = get_plugin_logger("notebook")

Status = Literal["planned", "ongoing", "completed", "cancelled"]


def note_routes(plugin: "NotebookPlugin") -> APIRouter:
    router = APIRouter()
    current_user = plugin.context.get_current_user_dependency()
    experiments = plugin.context.get_experiment_repository()

    async def current_experiment(experiment_id: int) -> Experiment:
        experiment = await experiments.get_by_id(experiment_id)
        if experiment is None:
            raise HTTPException(404, f"There is no experiment {experiment_id}.")
        return experiment

    @router.get("/")
    async def about(user: dict[str, Any] = Depends(current_user)) -> dict[str, Any]:
        return {"plugin": "notebook", "user": user["username"], "notes_max": plugin.settings.notes_max}

    @router.get("/health")
    async def health() -> dict[str, Any]:
        found = await plugin.check_health()
        return {"status": found.status, "message": found.message, "details": found.details}

    @router.get("/experiments")
    async def list_experiments(status: Status | None = None, search: str | None = None, limit: int = 20) -> dict[str, Any]:
        found, total = await experiments.list_all(limit=limit, status=status, search=search)
        return {"experiments": [{"id": item.id, "name": item.name, "status": item.status} for item in found], "total": total}

    @router.get("/experiments/{experiment_id}")
    async def show(experiment: Experiment = Depends(current_experiment)) -> dict[str, Any]:
        saved = await plugin.load_analysis(experiment.id)
        return {"id": experiment.id, "name": experiment.name, "notes": saved.result["notes"] if saved else []}

    @router.post("/experiments/{experiment_id}/notes", status_code=201)
    async def add(
        note: Note, experiment: Experiment = Depends(current_experiment), user: dict[str, Any] = Depends(current_user)
    ) -> dict[str, Any]:
        saved = await plugin.load_analysis(experiment.id)
        notes = saved.result["notes"] if saved else []
        if len(notes) >= plugin.settings.notes_max:
            raise HTTPException(409, f"Experiment {experiment.id} has {len(notes)} notes already, which is the most.")
        entry = {**asdict(note), "author": user["username"]}
        await plugin.save_analysis(experiment.id, {"notes": [*notes, entry]})
        logger.info("Note %d of experiment %d saved", len(notes) + 1, experiment.id)
        return entry

    @router.delete("/experiments/{experiment_id}/notes")
    async def clear(experiment: Experiment = Depends(current_experiment)) -> dict[str, bool]:
        return {"deleted": await plugin.delete_analysis(experiment.id)}

    @router.put("/experiments/{experiment_id}/protocol")
    async def save_protocol(protocol: Protocol, experiment: Experiment = Depends(current_experiment)) -> dict[str, Any]:
        saved = await plugin.save_design(experiment.id, asdict(protocol))
        return {"plugin_id": saved.plugin_id, "schema_version": saved.schema_version, "data": saved.data}

    @router.get("/experiments/{experiment_id}/protocol")
    async def load_protocol(experiment: Experiment = Depends(current_experiment)) -> dict[str, Any]:
        design = await plugin.load_design(experiment.id)
        if design is None:
            raise HTTPException(404, f"Experiment {experiment.id} has no protocol yet.")
        return design.data

    return router
