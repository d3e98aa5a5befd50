"""The real notebook plugin as an ASGI application against a platform in memory."""

import asyncio
import json
import logging
import unittest
from typing import Any

from mint_sdk import (
    ConfigurationException,
    EventVetoException,
    LifecycleHookResult,
    PlatformCompatibilityError,
    service,
)
from mint_sdk.process.config import read_config
from mint_sdk.app import create_app
from notebook import NotebookPlugin

from .fake_platform import TOKEN, FakePlatform
from .support import USER

TRUSTED = {"x-mint-internal-token": TOKEN}


class Answer:
    def __init__(self, messages: list[dict[str, Any]]) -> None:
        self.status = messages[0]["status"]
        self.headers = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
        self.chunks = [message["body"] for message in messages[1:]]
        self.body = b"".join(self.chunks)

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Starts an application by its lifespan and sends requests to it. They wait for their answer until it `goes_away`."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._outbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.goes_away = asyncio.Event()

    async def start(self) -> dict[str, Any]:
        self._task = asyncio.create_task(self._app({"type": "lifespan"}, self._inbox.get, self._outbox.put))
        await self._inbox.put({"type": "lifespan.startup"})
        return await self._outbox.get()

    async def stop(self) -> None:
        await self._inbox.put({"type": "lifespan.shutdown"})
        await self._task

    async def request(
        self, method: str, target: str, body: bytes | Any = b"", headers: dict[str, str] | list[tuple[str, str]] = TRUSTED | USER
    ) -> Answer:
        fields = list(headers.items()) if isinstance(headers, dict) else headers
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
            fields = [*fields, ("content-type", "application/json")]
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in fields],
        }
        halves = [body[: len(body) // 2], body[len(body) // 2 :]]
        messages = [{"type": "http.request", "body": halves[0], "more_body": True}, {"type": "http.request", "body": halves[1]}]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop(0)
            await self.goes_away.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        return Answer(sent)


class Process(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.platform = self.enterContext(FakePlatform("notebook"))
        self.client = Client(create_app(NotebookPlugin(), read_config(self.platform.environment())))
        self.assertEqual((await self.client.start())["type"], "lifespan.startup.complete")
        self.addAsyncCleanup(self.client.stop)

    async def test_start_reads_platform_and_settings(self) -> None:
        self.assertEqual([call[1] for call in self.platform.calls], ["/platform", "/plugin-config/notebook"])
        headers = self.platform.calls[0][2]
        self.assertEqual((headers["x-mint-plugin-name"], headers["x-mint-platform-api-version"]), ("notebook", "1"))

    async def test_only_the_platform_may_call(self) -> None:
        path = "/api/notebook/health"
        for headers in (
            {},
            {"x-mint-internal-token": "wrong"},
            [*TRUSTED.items(), *TRUSTED.items()],
            {"x-mint-internal-token": "é"},
        ):
            answer = await self.client.request("GET", path, headers=headers)
            self.assertEqual((answer.status, answer.json()["message"]), (403, "Untrusted plugin proxy"))
        answer = await self.client.request("GET", "/api/notebook/_mint/runtime", headers={})
        self.assertEqual(answer.json(), {"name": "notebook", "configRequiresAdmin": False})

    async def test_identity(self) -> None:
        path = "/api/notebook/"
        self.assertEqual((await self.client.request("GET", path)).json()["user"], "ada")
        umlaut = TRUSTED | USER | {"x-mint-username": "Jürgen".encode().decode("latin-1")}
        answer = await self.client.request("GET", path, headers=umlaut)
        self.assertEqual(answer.json()["user"], "Jürgen")
        self.assertEqual((await self.client.request("GET", path, headers=TRUSTED)).status, 401)
        wrong = [USER | {"x-mint-user-permissions": "{}"}, {"x-mint-user-id": "7"}, USER | {"x-mint-user-id": "x"}]
        for headers in wrong:
            self.assertEqual((await self.client.request("GET", path, headers=TRUSTED | headers)).status, 403)
        twice = [*TRUSTED.items(), *USER.items(), ("X-MINT-User-Role", "admin")]
        self.assertEqual((await self.client.request("GET", path, headers=twice)).status, 403)

    async def test_calls_name_the_acting_user_and_the_request(self) -> None:
        await self.client.request("GET", "/api/notebook/experiments", headers=TRUSTED | USER | {"x-request-id": "r-1"})
        method, path, headers = self.platform.calls[-1]
        self.assertEqual((method, path, headers["x-mint-user-id"], headers["x-request-id"]), ("GET", "/experiments", "7", "r-1"))

    async def test_notes_round_trip(self) -> None:
        base = "/api/notebook/experiments/42"
        added = await self.client.request("POST", f"{base}/notes", {"text": "hé", "tags": ["a"]})
        self.assertEqual((added.status, added.json()["author"], added.json()["importance"]), (201, "ada", "low"))
        shown = await self.client.request("GET", base, headers=TRUSTED | USER | {"x-forwarded-prefix": "/api/notebook"})
        self.assertEqual([note["text"] for note in shown.json()["notes"]], ["hé"])
        self.assertEqual((await self.client.request("DELETE", f"{base}/notes")).json(), {"deleted": True})
        self.assertEqual((await self.client.request("DELETE", f"{base}/notes")).json(), {"deleted": False})
        self.assertEqual((await self.client.request("GET", "/api/notebook/experiments/9")).status, 404)

    async def test_protocol_and_its_owner(self) -> None:
        path = "/api/notebook/experiments/42/protocol"
        protocol = {"title": "T", "steps": [{"name": "wash", "minutes": 5}]}
        self.assertEqual((await self.client.request("GET", path)).status, 404)
        self.assertEqual((await self.client.request("PUT", path, protocol)).json()["plugin_id"], "notebook")
        self.assertEqual((await self.client.request("GET", path)).json()["title"], "T")
        self.platform.designs[42]["plugin_id"] = "other"
        refused = await self.client.request("PUT", path, protocol)
        self.assertEqual((refused.status, refused.json()["details"]["current_owner_plugin_id"]), (409, "other"))

    async def test_files_are_streamed(self) -> None:
        path, data = "/api/notebook/experiments/42/files/plots/a%20b.bin".replace("%20", " "), bytes(range(256)) * 2000
        headers = TRUSTED | USER | {"content-type": "application/x-blob"}
        stored = await self.client.request("PUT", path, data, headers=headers)
        self.assertEqual(
            (stored.status, stored.json()["size"], stored.json()["content_type"]), (201, len(data), "application/x-blob")
        )
        self.assertEqual(self.platform.calls[-1][2]["transfer-encoding"], "chunked")
        loaded = await self.client.request("GET", path)
        self.assertEqual(loaded.body, data)
        self.assertGreater(len(loaded.chunks), 5)
        listed = (await self.client.request("GET", "/api/notebook/experiments/42/files?prefix=plots")).json()["files"]
        self.assertEqual([item["key"] for item in listed], ["plots/a b.bin"])
        self.assertEqual((await self.client.request("DELETE", path)).status, 204)
        self.assertEqual((await self.client.request("GET", path)).json()["code"], "NOT_FOUND")
        self.assertEqual((await self.client.request("PUT", "/api/notebook/experiments/42/files/../x", b"x")).status, 400)

    async def test_events(self) -> None:
        trusted = TRUSTED | {"x-mint-plugin-name": "notebook"}

        async def push(event: Any, payload: Any, headers: dict[str, str] = trusted) -> Answer:
            return await self.client.request("POST", "/__mint/events", {"event": event, "payload": payload}, headers)

        def saved(data: Any) -> Any:
            return {"experiment_id": 42, "data": {"plugin_id": "x", "data": data}}

        veto = await push("experiment.before_save", saved({"veto": True}))
        self.assertEqual(veto.json(), {"handled": True, "veto": {"message": "The design asks to be refused."}})
        self.assertEqual((await push("experiment.before_save", saved({}))).json(), {"handled": True, "veto": None})
        with self.assertLogs("mint_sdk", "ERROR"):
            broken = await push("experiment.before_save", {"experiment_id": 42, "data": {}})
        self.assertEqual(broken.json()["veto"], {"message": "Plugin validation failed"})
        with self.assertLogs("notebook", "INFO"):
            after = await push("experiment.after_save", saved({}))
            changed = await push(
                "experiment.status_changed", {"experiment_id": 42, "old_status": "planned", "new_status": "ongoing"}
            )
        self.assertEqual((after.json()["handled"], changed.json()["handled"]), (True, True))
        self.assertEqual((await push("experiment.unknown", {})).json(), {"handled": False, "veto": None})
        self.assertEqual((await push("experiment.after_save", {"experiment_id": "42"})).status, 400)
        self.assertEqual((await push(1, {})).status, 400)
        self.assertEqual((await push("x", {}, trusted | {"x-mint-plugin-name": "other"})).status, 403)
        self.assertEqual((await push("x", {}, trusted | {"x-mint-platform-api-version": "2"})).status, 426)
        self.assertEqual((await push("x", {}, {})).status, 403)

    async def test_a_busy_platform_is_asked_again(self) -> None:
        self.platform.busy = 2
        self.assertEqual((await self.client.request("GET", "/api/notebook/experiments")).status, 200)
        self.platform.busy = 9
        with self.assertLogs("mint_sdk", "ERROR"):
            answer = await self.client.request("GET", "/api/notebook/experiments")
        self.assertEqual((answer.status, answer.json()["code"]), (503, "UNAVAILABLE"))


class Hooks(unittest.IsolatedAsyncioTestCase):
    async def test_only_a_clear_yes_lets_a_save_pass(self) -> None:
        outcomes = [
            (LifecycleHookResult(), None),
            (LifecycleHookResult(False, "No."), "No."),
            (LifecycleHookResult(False), "The plugin refused the data."),
            (EventVetoException("Never."), "Never."),
            (RuntimeError("secret"), "Plugin validation failed"),
            (None, "Plugin validation failed"),
        ]
        for outcome, expected in outcomes:

            class Plugin(NotebookPlugin):
                async def on_before_experiment_save(self, experiment_id, data, outcome=outcome):
                    if isinstance(outcome, Exception):
                        raise outcome
                    return outcome

            with self.subTest(outcome=outcome):
                logging.disable(logging.CRITICAL)
                self.addCleanup(logging.disable, logging.NOTSET)
                self.assertEqual(await service.before_save(Plugin(), 1, {}), expected)


class Start(unittest.IsolatedAsyncioTestCase):
    async def test_failures_say_why(self) -> None:
        class Broken(NotebookPlugin):
            async def initialize(self, context=None) -> None:
                raise RuntimeError("no model file")

        with FakePlatform("notebook") as platform:
            cases = [
                (Broken(), platform.environment(), {}, "RuntimeError: no model file"),
                (NotebookPlugin(), platform.environment() | {"MINT_PLUGIN_NAME": "other"}, {}, "make them equal"),
                (NotebookPlugin(), platform.environment() | {"MINT_PLUGIN_TOKEN": "wrong"}, {}, "bad token"),
                (NotebookPlugin(), platform.environment(), {"notes_max": "many"}, "notes_max must be a whole number"),
            ]
            for plugin, environment, settings, reason in cases:
                with self.subTest(reason=reason), self.assertLogs("mint_sdk", "ERROR"):
                    platform.settings = settings
                    message = await Client(create_app(plugin, read_config(environment))).start()
                    self.assertEqual(message["type"], "lifespan.startup.failed")
                    self.assertIn(reason, message["message"])

    async def test_environment(self) -> None:
        good = {"MINT_PLATFORM_URL": "http://x/", "MINT_PLUGIN_TOKEN": "t", "MINT_PLUGIN_NAME": "n"}
        self.assertIsNone(read_config({}).platform)
        self.assertEqual(read_config(good).platform.url, "http://x")
        for change in ({"MINT_PLUGIN_TOKEN": ""}, {"MINT_PLUGIN_ENTRY_POINT": "x"}, {"MINT_PLATFORM_TIMEOUT": "soon"}):
            with self.assertRaises(ConfigurationException):
                read_config(good | change)
        with self.assertRaises(PlatformCompatibilityError):
            read_config(good | {"MINT_PLATFORM_API_VERSION": "2"})
