"""The internal API, small and in memory: enough to run a plugin process against. Follows the wire, not the SDK's code."""

import json
import re
import threading
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "t" * 40
NOW = "2026-01-31T12:00:00.123456Z"


class Refusal(Exception):
    def __init__(self, status: int, code: str, message: str, details: Any = None) -> None:
        super().__init__(message)
        self.status, self.code, self.details = status, code, details


class QuietServer(ThreadingHTTPServer):
    """Connections that the client breaks off are part of the tests."""

    def handle_error(self, request: Any, client_address: Any) -> None: ...


class FakePlatform:
    """`calls` records (method, path, headers); `busy` makes the next requests answer 503."""

    def __init__(self, plugin: str) -> None:
        self.plugin = plugin
        self.settings: dict[str, Any] = {"allowed_experiment_types": None}
        self.experiments = {
            42: {"id": 42, "name": "Seed", "experiment_type": "demo", "status": "planned", "created_at": NOW, "updated_at": NOW}
        }
        self.designs: dict[int, Any] = {}
        self.artifacts: dict[tuple[int, str], Any] = {}
        self.objects: dict[tuple[int, str], tuple[bytes, str | None]] = {}
        self.jobs: dict[int, dict[str, Any]] = {}
        self.calls: list[tuple[str, str, dict[str, str]]] = []
        self.busy = 0
        self._server = QuietServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "FakePlatform":
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._server.shutdown()
        self._server.server_close()

    def environment(self) -> dict[str, str]:
        return {
            "MINT_PLATFORM_URL": self.url,
            "MINT_PLUGIN_TOKEN": TOKEN,
            "MINT_PLUGIN_NAME": self.plugin,
            "MINT_PLATFORM_API_VERSION": "1",
            "MINT_PLATFORM_RETRY_BACKOFF": "0.01",
        }

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        for pattern, function in ROUTES:
            match = re.fullmatch(pattern, f"{method} {path}")
            if match:
                parts = [int(part) if part.isdecimal() else unquote(part) for part in match.groups()]
                return function(self, *parts, query=query, body=body)
        raise Refusal(404, "resource.not_found", "no route")

    def need(self, table: dict, key: Any) -> Any:
        if key not in table:
            raise Refusal(404, "NOT_FOUND", "There is no such thing.")
        return table[key]

    def save_artifact(self, eid: int, key: str, item: dict[str, Any]) -> dict[str, Any]:
        self.need(self.experiments, eid)
        saved = {
            "id": 1,
            "experiment_id": eid,
            "plugin_id": self.plugin,
            "artifact_key": key,
            "display_name": item.get("display_name") or key,
            "status": "active",
            "created_at": NOW,
            "updated_at": NOW,
            "result_keys": sorted(item["result"]),
            "note": item.get("note"),
            "result": item["result"],
        }
        self.artifacts[eid, key] = saved
        return saved

    def object_ref(self, eid: int, key: str) -> dict[str, Any]:
        data, kind = self.need(self.objects, (eid, key))
        return {
            "uri": "x",
            "experiment_id": eid,
            "plugin_id": self.plugin,
            "key": key,
            "filename": key.split("/")[-1],
            "content_type": kind,
            "size": len(data),
        }


def _save_design(p: FakePlatform, eid: int, query: Any, body: Any) -> Any:
    owner = p.designs.get(eid, {}).get("plugin_id", p.plugin)
    if owner != p.plugin:
        facts = {"experiment_id": eid, "current_owner_plugin_id": owner, "requested_owner_plugin_id": p.plugin}
        raise Refusal(409, "DESIGN_DATA_OWNERSHIP_CONFLICT", "Owned.", facts)
    p.designs[eid] = {"id": eid, "experiment_id": eid, **body, "created_at": NOW, "updated_at": NOW}
    return p.designs[eid]


def _swap(p: FakePlatform, _name: str, query: Any, body: Any) -> Any:
    if {key: value for key, value in p.settings.items() if key in body["owned_keys"]} != body["expected"]:
        return {"committed": False}
    p.settings.update(body["settings"])
    return {"committed": True}


def _list_experiments(p: FakePlatform, query: dict[str, str], body: Any) -> Any:
    found = [e for e in p.experiments.values() if query.get("search", "").lower() in e["name"].lower()]
    return {"experiments": found[int(query["skip"]) :][: int(query["limit"])], "total": len(found)}


def _create(p: FakePlatform, query: Any, body: Any) -> Any:
    eid = max(p.experiments) + 1
    p.experiments[eid] = {"id": eid, "status": "planned", "created_at": NOW, "updated_at": NOW, **body}
    return p.experiments[eid]


def _update(p: FakePlatform, eid: int, query: Any, body: Any) -> Any:
    p.need(p.experiments, eid).update(body)
    return p.experiments[eid]


def _pop(table: str):
    def run(p: FakePlatform, *key: Any, query: Any, body: Any) -> Any:
        key = key[0] if len(key) == 1 else key
        p.need(getattr(p, table), key)
        del getattr(p, table)[key]
        return {"deleted": True}

    return run


def _result(p: FakePlatform, eid: int, plugin: str, query: dict[str, str], body: Any) -> Any:
    saved = p.need(p.artifacts, (eid, "default"))
    wanted = query["fields"].split(",") if "fields" in query else saved["result"]
    return saved | {"result": {key: value for key, value in saved["result"].items() if key in wanted}}


def _status(status: str):
    def run(p: FakePlatform, eid: int, key: str, query: Any, body: Any) -> Any:
        p.need(p.artifacts, (eid, key))["status"] = status
        return p.artifacts[eid, key]

    return run


def _enqueue(p: FakePlatform, query: Any, body: Any) -> Any:
    known = [job for job in p.jobs.values() if body["key"] is not None and job["key"] == body["key"]]
    if known:
        return known[0]
    job = {"id": len(p.jobs) + 1, "kind": body["kind"], "key": body["key"], "status": "queued", "attempt": 0}
    job |= {"is_cancelled": False, "percent": None, "message": None, "outcome": None, "error": None, "user_id": 7}
    job |= {"created_at": NOW, "run_at": NOW, "started_at": None, "ended_at": None, "asked": body}
    p.jobs[job["id"]] = job
    return job


def _cancel(p: FakePlatform, job_id: int, query: Any, body: Any) -> Any:
    job = p.need(p.jobs, job_id)
    wanted = not job["is_cancelled"]
    job["is_cancelled"] = True
    return {"cancelled": wanted}


def _sign(p: FakePlatform, job_id: int, query: Any, body: Any) -> Any:
    job = p.need(p.jobs, job_id)
    if body["attempt"] != job["attempt"]:
        raise Refusal(409, "CONFLICT", "Another attempt was begun.")
    job.update({name: body[name] for name in ("percent", "message") if name in body})
    return {"is_cancelled": job["is_cancelled"]}


USER = {"id": 7, "username": "ada", "role": "member", "is_active": True, "created_at": NOW, "updated_at": NOW}
E = r"/experiments/(\d+)"
ROUTES = [
    ("GET /platform", lambda p, query, body: {"platform_version": "1.0.0", "api_version": "1"}),
    ("GET /plugin-config/(.+)", lambda p, name, query, body: p.settings),
    ("POST /plugin-config/(.+)/compare-and-swap", _swap),
    ("GET /experiments", _list_experiments),
    ("POST /experiments", _create),
    (f"GET {E}", lambda p, eid, query, body: p.need(p.experiments, eid)),
    (f"PATCH {E}", _update),
    (f"DELETE {E}", _pop("experiments")),
    (f"GET {E}/data", lambda p, eid, query, body: p.need(p.designs, eid)),
    (f"PUT {E}/data", _save_design),
    (f"DELETE {E}/data", _pop("designs")),
    (f"GET {E}/results", lambda p, eid, query, body: [a for (e, k), a in p.artifacts.items() if (e, k) == (eid, "default")]),
    (f"GET {E}/results/(.+)", _result),
    (f"PUT {E}/results/(.+)", lambda p, eid, plugin, query, body: p.save_artifact(eid, "default", body)),
    (
        f"DELETE {E}/results/(.+)",
        lambda p, eid, plugin, query, body: _pop("artifacts")(p, eid, "default", query=query, body=body),
    ),
    (f"GET {E}/analysis-artifacts", lambda p, eid, query, body: [a for (e, _), a in p.artifacts.items() if e == eid]),
    (
        f"PUT {E}/analysis-artifacts",
        lambda p, eid, query, body: [p.save_artifact(eid, item["artifact_key"], item) for item in body["artifacts"]],
    ),
    (f"POST {E}/analysis-artifacts/(.+)/archive", _status("archived")),
    (f"POST {E}/analysis-artifacts/(.+)/restore", _status("active")),
    (f"GET {E}/analysis-artifacts/([^/]+)/([^/]+)", lambda p, eid, plugin, key, query, body: p.need(p.artifacts, (eid, key))),
    (
        f"GET {E}/objects",
        lambda p, eid, query, body: {
            "objects": [p.object_ref(e, k) for e, k in sorted(p.objects) if e == eid and k.startswith(query.get("prefix", ""))]
        },
    ),
    (f"GET {E}/objects/(.+)", lambda p, eid, key, query, body: p.need(p.objects, (eid, key))[0]),
    (f"HEAD {E}/objects/(.+)", lambda p, eid, key, query, body: p.object_ref(eid, key)),
    (f"DELETE {E}/objects/(.+)", _pop("objects")),
    (
        f"PUT {E}/objects/(.+)",
        lambda p, eid, key, query, body: (p.objects.__setitem__((eid, key), body), p.object_ref(eid, key))[1],
    ),
    ("POST /jobs", _enqueue),
    ("GET /jobs", lambda p, query, body: [*reversed(p.jobs.values())][int(query["skip"]) :][: int(query["limit"])]),
    (r"GET /jobs/(\d+)", lambda p, job_id, query, body: p.need(p.jobs, job_id)),
    (r"POST /jobs/(\d+)/cancel", _cancel),
    (r"POST /jobs/(\d+)/progress", _sign),
    (r"POST /jobs/(\d+)/heartbeat", _sign),
    ("GET /users", lambda p, query, body: [USER]),
    ("GET /users/7", lambda p, query, body: USER),
    ("GET /users/by-username/ada", lambda p, query, body: USER),
    ("GET /plugin-roles/7", lambda p, query, body: {"role": "reviewer"}),
]


def _handler(platform: FakePlatform) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def run(self) -> None:
            parts = urlsplit(self.path)
            path = parts.path.removeprefix("/api/internal")
            platform.calls.append((self.command, path, {name.lower(): value for name, value in self.headers.items()}))
            try:
                body = self.read_body()
                if self.headers["X-MINT-Internal-Token"] != TOKEN:
                    raise Refusal(403, "PERMISSION_DENIED", "bad token")
                if platform.busy > 0:
                    platform.busy -= 1
                    raise Refusal(503, "service.unavailable", "busy")
                query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
                self.reply(200, platform.answer(self.command, path, query, body))
            except ConnectionAbortedError:
                self.close_connection = True
            except Refusal as error:
                envelope = {
                    "code": error.code,
                    "message": str(error),
                    "status": error.status,
                    "request_id": "r",
                    "details": error.details,
                }
                self.reply(error.status, envelope)

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_HEAD = run

        def read_body(self) -> Any:
            if self.headers.get("Transfer-Encoding") == "chunked":
                return self.read_upload()
            length = int(self.headers.get("Content-Length", 0))
            return json.loads(self.rfile.read(length)) if length else None

        def read_upload(self) -> tuple[bytes, str | None]:
            data = b""
            while size := int(self.rfile.readline() or b"-1", 16):
                if size < 0:
                    raise ConnectionAbortedError
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            message = BytesParser().parsebytes(b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n" + data)
            fields = {
                part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
                for part in message.get_payload()
            }
            kind = fields.get("content_type")
            return fields["file"], kind.decode() if kind else None

        def reply(self, status: int, body: Any) -> None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def log_message(self, *_: Any) -> None: ...

    return Handler
