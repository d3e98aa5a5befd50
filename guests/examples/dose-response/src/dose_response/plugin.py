"""The plugin class and its routes."""

import asyncio
from dataclasses import dataclass
from typing import Any

from mint_sdk import (
    AnalysisPlugin,
    APIRouter,
    FieldError,
    HTTPException,
    PluginCapabilities,
    PluginMetadata,
    Request,
    RequestValidationError,
    Response,
    get_plugin_logger,
)

from .model import NAMES, Fit, FitError, fit
from .plot import draw
from .table import Table, read_table

TABLE_BYTES_MAX = 8 * 1024 * 1024
DOSE, RESPONSE = "ferulic_acid_mM", "root_length_cm"

logger = get_plugin_logger("dose-response")


@dataclass
class Settings:
    confidence: float = 0.95


@dataclass
class FitRequest:
    object: str
    dose: str = DOSE
    response: str = RESPONSE


class DoseResponsePlugin(AnalysisPlugin):
    settings_model = Settings

    @property
    def metadata(self) -> PluginMetadata:
        return PluginMetadata(
            name="dose-response",
            version="1.0.0",
            description="Fits the four-parameter log-logistic model and reports the EC50 with its confidence interval.",
            analysis_type="dose-response",
            routes_prefix="/dose-response",
            capabilities=PluginCapabilities(requires_auth=True),
        )

    def get_routers(self) -> list[tuple[APIRouter, str]]:
        router = APIRouter("/experiments/{experiment_id}", body_bytes_max=TABLE_BYTES_MAX)
        router.post("/fit")(self.fit_object)
        router.post("/fit/table")(self.fit_table)
        router.get("/result")(self.result)
        router.get("/plot.svg")(self.plot)
        return [(router, "")]

    async def fit_object(self, experiment_id: int, wanted: FitRequest) -> dict[str, Any]:
        """Fits a table that was uploaded to the experiment."""
        data = bytearray()
        async for chunk in self.get_data_store(experiment_id).iter_bytes(wanted.object):
            data += chunk
            if len(data) > TABLE_BYTES_MAX:
                raise HTTPException(413, f"The object '{wanted.object}' is larger than {TABLE_BYTES_MAX:,} bytes.")
        return await self._analyse(experiment_id, bytes(data), wanted.dose, wanted.response, {"object": wanted.object})

    async def fit_table(self, experiment_id: int, request: Request, dose: str = DOSE, response: str = RESPONSE) -> dict[str, Any]:
        """Fits the table in the body."""
        kind = (request.headers.get("content-type") or "").partition(";")[0].strip().lower()
        if kind != "text/csv":
            raise HTTPException(415, "Send the table with the header 'Content-Type: text/csv'.")
        return await self._analyse(experiment_id, await request.body(), dose, response, {"table": "request body"})

    async def result(self, experiment_id: int) -> dict[str, Any]:
        """The saved result."""
        saved = await self.load_analysis(experiment_id)
        if saved is None:
            raise HTTPException(404, f"Experiment {experiment_id} has no dose-response result yet.")
        return saved.result

    async def plot(self, experiment_id: int) -> Response:
        """The saved result as a picture."""
        picture = await asyncio.to_thread(draw, await self.result(experiment_id))
        headers = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
        return Response(picture, headers=headers, media_type="image/svg+xml")

    async def _analyse(self, experiment_id: int, data: bytes, dose: str, response: str, source: dict[str, str]) -> dict[str, Any]:
        table = await asyncio.to_thread(read_table, data, dose, response)
        try:
            found = await asyncio.to_thread(fit, table.doses, table.responses)
        except FitError as error:
            wrong = FieldError("table", (f"column '{response}'",), str(error))
            raise RequestValidationError([wrong], f"The table cannot be analysed: {error}.") from error
        result = summarise(table, found, self.settings.confidence, source)
        await self.save_analysis(experiment_id, result)
        logger.info("Experiment %d: EC50 %.6g from %d rows", experiment_id, result["ec50"]["estimate"], found.n)
        return result


def summarise(table: Table, found: Fit, confidence: float, source: dict[str, str]) -> dict[str, Any]:
    """The result as it is saved."""
    estimates, errors = found.estimates.tolist(), found.standard_errors.tolist()
    lower, upper = found.ec50_interval(confidence)
    return {
        "model": "LL.4",
        "formula": "y = c + (d - c) / (1 + exp(b (log x - log e)))",
        "source": source,
        "dose": table.dose_name,
        "response": table.response_name,
        "parameters": {
            name: {"estimate": estimate, "standard_error": error}
            for name, estimate, error in zip(NAMES, estimates, errors, strict=True)
        },
        "ec50": {"estimate": estimates[3], "standard_error": errors[3], "confidence": confidence, "lower": lower, "upper": upper},
        "residual_standard_error": found.residual_se,
        "degrees_of_freedom": found.degrees_of_freedom,
        "n": found.n,
        "points": [list(pair) for pair in zip(table.doses.tolist(), table.responses.tolist(), strict=True)],
    }
