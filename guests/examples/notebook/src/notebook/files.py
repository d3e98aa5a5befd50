"""Routes of attachments: bytes pass through in chunks, never as a whole."""

from typing import TYPE_CHECKING, Any

from mint_sdk import APIRouter, Depends, Request, Response, StreamingResponse

if TYPE_CHECKING:
    from .plugin import NotebookPlugin


def file_routes(plugin: "NotebookPlugin") -> APIRouter:
    signed_in = Depends(plugin.context.get_current_user_dependency())
    router = APIRouter(dependencies=[signed_in])

    @router.get("/{experiment_id}/files")
    async def list_files(experiment_id: int, prefix: str = "") -> dict[str, Any]:
        found = await plugin.get_data_store(experiment_id).list(prefix)
        return {"files": [item.to_dict() for item in found]}

    @router.put("/{experiment_id}/files/{key:path}", status_code=201)
    async def put_file(experiment_id: int, key: str, request: Request) -> dict[str, Any]:
        store = plugin.get_data_store(experiment_id)
        stored = await store.put_stream(key, request.stream(), content_type=request.headers.get("content-type"))
        return stored.to_dict()

    @router.get("/{experiment_id}/files/{key:path}")
    async def get_file(experiment_id: int, key: str) -> StreamingResponse:
        return StreamingResponse(plugin.get_data_store(experiment_id).iter_bytes(key), media_type="application/octet-stream")

    @router.delete("/{experiment_id}/files/{key:path}")
    async def delete_file(experiment_id: int, key: str) -> Response | dict[str, bool]:
        if await plugin.get_data_store(experiment_id).delete(key):
            return Response(status_code=204)
        return {"deleted": False}

    return router
