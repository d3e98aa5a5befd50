"""The plugin class: routes that ask for reports, and the job that makes them."""

from dataclasses import dataclass
from typing import Any

from mint_sdk import (
    AnalysisPlugin,
    APIRouter,
    HTTPException,
    Job,
    JobContext,
    JobFailed,
    PluginCapabilities,
    PluginMetadata,
)

from .controls import Plate


@dataclass
class Order:
    plate: str
    wells: dict[str, float]


class PlateReportPlugin(AnalysisPlugin):
    @property
    def metadata(self) -> PluginMetadata:
        return PluginMetadata(
            name="plate-report",
            version="1.0.0",
            description="Reports how well the controls of a microplate separate, and its wells relative to them.",
            analysis_type="plate",
            routes_prefix="/plate-report",
            capabilities=PluginCapabilities(requires_auth=True),
        )

    def get_routers(self) -> list[tuple[APIRouter, str]]:
        router = APIRouter()
        jobs = self.context.get_job_repository()

        @router.post("/experiments/{experiment_id}/reports", status_code=202)
        async def ask(experiment_id: int, order: Order) -> Job:
            payload = {"experiment": experiment_id, "plate": order.plate, "wells": order.wells}
            return await jobs.enqueue("report", payload, key=f"{experiment_id}/{order.plate}", retries=2, heartbeat=60)

        @router.get("/jobs/{job_id}")
        async def state(job_id: int) -> Job:
            job = await jobs.get(job_id)
            if job is None:
                raise HTTPException(404, f"There is no job {job_id}.")
            return job

        @router.delete("/jobs/{job_id}")
        async def take_back(job_id: int) -> dict[str, bool]:
            return {"cancelled": await jobs.cancel(job_id)}

        @router.get("/experiments/{experiment_id}/reports/{plate}")
        async def report(experiment_id: int, plate: str) -> dict[str, Any]:
            saved = await self.load_analysis_artifact(experiment_id, plate)
            if saved is None:
                raise HTTPException(404, f"There is no report of the plate {plate}.")
            return saved.result

        return [(router, "")]

    async def run_job(self, kind: str, payload: dict[str, Any], job: JobContext) -> dict[str, Any]:
        try:
            plate = Plate(payload["wells"])
        except ValueError as error:
            raise JobFailed(f"Plate {payload['plate']}: {error}.", retry=False) from error
        activities: dict[str, float] = {}
        for done, row in enumerate(sorted(plate.rows)):
            await job.progress(100 * done // len(plate.rows), f"Row {row}")
            activities |= plate.activities(row)
        figures = {"z_factor": round(plate.z_factor(), 4), "wells": len(activities)}
        # Whoever comes second writes the same: an attempt may be made again after it has saved.
        await self.save_analysis_artifact(
            payload["experiment"], {**figures, "activities": activities}, artifact_key=payload["plate"]
        )
        return figures
