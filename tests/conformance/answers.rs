//! What handlers return, by design and by mistake, as a component and as a process.

use http::{Method, StatusCode};
use mint_tests::TestServer;
use serde_json::json;

use crate::subprocess::Parts;

const PLUGIN: &str = r#"
from mint_sdk import AnalysisPlugin, APIRouter, HTMLResponse, PluginMetadata, Response

router = APIRouter()

@router.get("/page")
async def page():
    return HTMLResponse("<p>é</p>")

@router.get("/large")
async def large():
    return Response(b"x" * 3_000_000, media_type="text/csv")

@router.get("/none", status_code=204)
async def none():
    return Response(status_code=204)

@router.get("/latin")
async def latin():
    return Response("ok", headers={"x-name": "Zoë"})

@router.get("/cycle")
async def cycle():
    found = []
    found.append({"found": found})
    return found

@router.get("/deep")
async def deep():
    found = []
    for _ in range(100_000):
        found = [found]
    return found

@router.get("/number")
async def number():
    return Response("ok", headers={"x-count": 5})

@router.get("/kanji")
async def kanji():
    return Response("ok", headers={"x-name": "塩"})

@router.get("/lines")
async def lines():
    return Response("ok", headers={"x-name": "a\r\nb: c"})

@router.get("/mapping")
async def mapping():
    response = Response("ok")
    response.headers = {"x-name": "b"}
    return response

class Plugin(AnalysisPlugin):
    @property
    def metadata(self):
        return PluginMetadata(name="answers", version="1.0.0", description="", analysis_type="x", routes_prefix="/answers")

    async def initialize(self, context=None):
        pass

    def get_routers(self):
        return [(router, "")]
"#;

#[tokio::test]
async fn answers_and_mistakes_in_them_arrive_alike_in_both_modes() {
    let guest = Parts::of_notebook().with_plugin("answers", PLUGIN);
    for mode in ["shared", "isolated"] {
        let server = TestServer::start().await;
        let operation = server.admin.install(&guest, json!({ "grant_requested": true, "mode": mode })).await;
        assert_eq!(operation["status"], "done", "{operation:#}");
        assert_eq!(server.admin.plugin("answers").await["mode"], mode);

        for (path, length, kind) in [("page", 9, "text/html; charset=utf-8"), ("large", 3_000_000, "text/csv; charset=utf-8")] {
            for method in [Method::GET, Method::HEAD] {
                let reply = server.admin.send(server.admin.request(method.clone(), &format!("/api/answers/{path}"))).await;
                assert_eq!(reply.status, StatusCode::OK, "{mode} {method} {path} {reply:?}");
                assert_eq!(reply.header("content-length"), length.to_string(), "{mode} {method} {path}");
                assert_eq!(reply.header("content-type"), kind, "{mode} {method} {path}");
                assert_eq!(reply.body.len(), if method == Method::GET { length } else { 0 }, "{mode} {method} {path}");
            }
        }
        let none = server.admin.get("/api/answers/none").await;
        assert_eq!((none.status, none.headers.get("content-length")), (StatusCode::NO_CONTENT, None), "{mode}");
        assert_eq!(server.admin.get("/api/answers/latin").await.status, StatusCode::OK, "{mode}");
        for path in ["cycle", "number", "kanji", "lines", "mapping", "deep"] {
            let head = server.admin.send(server.admin.request(Method::HEAD, &format!("/api/answers/{path}"))).await;
            assert_eq!((head.status, head.body.len()), (StatusCode::INTERNAL_SERVER_ERROR, 0), "{mode} {path} {head:?}");
            let reply = server.admin.get(&format!("/api/answers/{path}")).await;
            assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR, "{mode} {path} {reply:?}");
            // A component's stack ends before Python's own count of it does.
            let code = if (mode, path) == ("shared", "deep") { "plugin.broke" } else { "internal.error" };
            assert_eq!(reply.code(), code, "{mode} {path} {reply:?}");
            assert_eq!(server.admin.get("/api/answers/page").await.status, StatusCode::OK, "{mode} {path}");
        }
    }
}
