"""The smallest complete plugin: routes, a setting, a log line, the current user, a stream."""

from dataclasses import dataclass
from typing import Any

from mint_sdk import (
    AnalysisPlugin,
    APIRouter,
    Depends,
    PluginMetadata,
    PluginType,
    Request,
    StreamingResponse,
    get_plugin_logger,
)

logger = get_plugin_logger("hello-python")


@dataclass
class Settings:
    greeting: str = "Hello"


class HelloPlugin(AnalysisPlugin):
    settings_model = Settings

    @property
    def metadata(self) -> PluginMetadata:
        return PluginMetadata(
            name="hello-python",
            version="1.0.0",
            description="Greets the person who is signed in.",
            analysis_type="demo",
            routes_prefix="/hello-python",
            plugin_type=PluginType.STATIC,
        )

    def get_routers(self) -> list[tuple[APIRouter, str]]:
        router = APIRouter()
        current_user = Depends(self.context.get_optional_user_dependency())

        @router.get("/")
        async def greet(user: dict[str, Any] | None = current_user) -> dict[str, str]:
            message = f"{self.settings.greeting}, {user['username'] if user else 'stranger'}!"
            logger.info(message)
            return {"message": message, "plugin": "hello-python"}

        @router.get("/whoami")
        async def who_am_i(user: dict[str, Any] | None = current_user) -> dict[str, Any]:
            person = user or {}
            user_id = int(person["sub"]) if person else None
            return {"user_id": user_id, "username": person.get("username"), "role": person.get("role")}

        @router.post("/echo")
        async def echo(request: Request) -> StreamingResponse:
            """Sends the body back while it still comes in, whatever its size."""
            return StreamingResponse(request.stream(), media_type=request.headers.get("content-type", "application/octet-stream"))

        return [(router, "")]
