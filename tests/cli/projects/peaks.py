"""A plugin that is being developed."""

from fastapi import APIRouter, WebSocket
from mint_sdk import AnalysisPlugin, on_event
from mint_sdk.models import PluginMetadata

SEEN = []


class Peaks(AnalysisPlugin):
    """Says a word, and what it hears."""

    @property
    def metadata(self):
        return PluginMetadata(
            name="peaks", version="0.3.0", description="Finds peaks.", analysis_type="lcms", routes_prefix="/peaks"
        )

    @on_event("experiment.status_changed")
    async def status_changed(self, event):
        SEEN.append([event.experiment_id, event.new_status])

    def get_routers(self):
        router = APIRouter()

        @router.get("/word")
        async def word():
            return {"word": "first", "seen": SEEN}

        @router.get("/experiments")
        async def experiments():
            found, _total = await self.context.get_experiment_repository().list_all()
            return {"names": [experiment.name for experiment in found]}

        @router.websocket("/socket")
        async def socket(socket: WebSocket):
            await socket.accept()
            await socket.send_text("hello")
            await socket.close()

        return [(router, "")]
