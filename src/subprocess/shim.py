"""Loads one plugin of a venv, whatever its SDK: describes it, serves it, or serves it to its developer.

The platform runs this text with `python -c`, so it needs no file that a plugin could change. Arguments: `describe`; or `migrate`; or
`serve` and the path of the socket; or `warm` and that path, to import the plugin once and be copied for every start.
`mint dev` runs it from a file, `mint_dev_server.py`, with `develop`, a port, and the directory to watch for changes.

Beside the plugin's own paths stand a few under `PLACE`, for the platform alone: the gateway forwards nothing there, and they
want the secret of this start. They reach what MINT's SDKs have no route for.
"""

import asyncio
import gc
import hmac
import inspect
import json
import logging
import os
import random
import re
import secrets
import signal
import sys
import threading
from importlib import import_module
from importlib.metadata import EntryPoint, distribution, entry_points
from importlib.util import find_spec

GROUPS = ("mint.plugins", "mld.plugins")
SDKS = ("mint_sdk", "mld_sdk")
PLACE = "/__platform/"
HOOKS = {
    "experiment.before_save": "on_before_experiment_save",
    "experiment.after_save": "on_after_experiment_save",
    "experiment.status_changed": "on_experiment_status_change",
}
HEALTH_SECONDS = 5
TEXT_MAX = 2000


def normalized(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def plugin_class():
    # A project that is being worked on need not be installed.
    if "MINT_DEV_CLASS" in os.environ:
        return EntryPoint(name="dev", value=os.environ["MINT_DEV_CLASS"], group=GROUPS[0]).load()
    distribution = normalized(os.environ["MINT_PLUGIN_DISTRIBUTION"])
    name = os.environ["MINT_PLUGIN_ENTRY_POINT"]
    found = {
        point.value: point
        for group in GROUPS
        for point in entry_points(group=group)
        if point.name == name and normalized(point.dist.name) == distribution
    }
    if len(found) != 1:
        sys.exit(f"`{distribution}` must have one entry point `{name}` among {' and '.join(GROUPS)}; it has {len(found)}.")
    return next(iter(found.values())).load()


def sdk_of(cls):
    for base in cls.__mro__:
        root = base.__module__.partition(".")[0]
        if root in SDKS:
            return root
    sys.exit(f"`{cls.__name__}` is not a plugin: no class of an SDK is among its bases.")


def describe():
    cls = plugin_class()
    metadata = cls().metadata
    facts = {"name": str(metadata.name), "public_prefix": f"/api{metadata.routes_prefix}", "is_mld": sdk_of(cls) == SDKS[1]}
    for field in ("version", "description", "analysis_type", "plugin_type", "display_name", "author", "homepage", "license"):
        value = getattr(metadata, field, None)
        facts[field] = str(getattr(value, "value", value) or "")
    facts["frontend"] = frontend_of(cls)
    print("\nplugin=" + json.dumps(facts), flush=True)


def frontend_of(cls):
    """Where the plugin itself says that its front-end stands, from where the files of its wheel do."""
    if not overrides(cls, "get_frontend_dir"):
        return None
    try:
        directory = cls().get_frontend_dir()
    except Exception as error:
        # Its start goes on without it, and tells what is wrong with the rest.
        print(f"get_frontend_dir failed: {words(error)}", file=sys.stderr)
        return None
    return directory and os.path.relpath(directory, distribution(os.environ["MINT_PLUGIN_DISTRIBUTION"]).locate_file(""))


class Sdk:
    """What the SDK of a plugin has, seen in its public modules."""

    def __init__(self, cls):
        self.name = sdk_of(cls)
        # This platform's own SDK is the one that calls back without a context over HTTP of that name.
        self.is_ours = not self.has("remote_context")

    def has(self, module):
        return find_spec(f"{self.name}.{module}") is not None

    def module(self, name):
        return import_module(f"{self.name}.{name}")

    def settings(self):
        """`handed`: by the platform, at the start and later. `live`: read at the start, taken later. `own`: read at the
        start and kept in several places, so that new ones need a new process."""
        if self.is_ours:
            return "live"
        context = self.module("remote_context").RemotePlatformContext
        return "own" if hasattr(context, "load_platform_capabilities") else "handed"

    def routed(self, plugin):
        """Events that the SDK's own route hands to this plugin."""
        if self.is_ours:
            return [event for event, method in HOOKS.items() if plugin.handles(method)]
        if not self.has("events_router"):
            return []
        names = getattr(self.module("plugin_decorators"), "declared_event_names", None)
        return list(HOOKS) if names is None else [event for event in HOOKS if event in names(plugin)]

    def by_method(self, plugin):
        """Events whose method this plugin has, or may have by decorators that its SDK has no route for."""
        if not self.is_ours and not self.has("events_router") and self.has("plugin_decorators"):
            return list(HOOKS)
        return [event for event, method in HOOKS.items() if overrides(type(plugin), method)]

    def veto_class(self):
        return getattr(self.module("exceptions"), "EventVetoException", ())


def overrides(cls, method):
    owner = next((base for base in cls.__mro__ if method in vars(base)), None)
    return owner is not None and owner.__module__.partition(".")[0] not in SDKS


class Refused(Exception):
    """An answer that is not 200: the status, and words."""


class Host:
    """The application of a plugin, with the platform's paths beside it."""

    def __init__(self, app, plugin, sdk, tables):
        self.app, self.plugin, self.sdk, self.tables = app, plugin, sdk, tables
        self.token = os.environ["MINT_PLUGIN_TOKEN"].encode()
        routed = sdk.routed(plugin)
        methods = [event for event in sdk.by_method(plugin) if event not in routed]
        self.facts = {"settings": sdk.settings(), "routed": routed, "methods": methods, "boot": secrets.token_hex(8)}
        self.answers = {
            ("GET", "about"): self.about,
            ("GET", "health"): self.health,
            ("GET", "work"): self.work,
            ("POST", "hook"): self.hook,
            ("POST", "settings"): self.settings,
        }

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and scope["path"].startswith(PLACE):
            await self.serve(scope, receive, send)
            return
        if scope["type"] == "lifespan" and self.tables is not None:
            await self.tables.create(self.sdk, self.plugin)
        await self.app(scope, receive, send)

    async def serve(self, scope, receive, send):
        try:
            given = [value for name, value in scope["headers"] if name == b"x-mint-internal-token"]
            if len(given) != 1 or not hmac.compare_digest(given[0], self.token):
                raise Refused(403, "This is for the platform.")
            answer = self.answers.get((scope["method"], scope["path"].removeprefix(PLACE)))
            if answer is None:
                raise Refused(404, "There is nothing at this path.")
            status, body = 200, await answer(await body_of(receive))
        except Refused as refused:
            status, body = refused.args[0], {"message": refused.args[1]}
        except Exception as error:
            logging.getLogger("mint.platform").exception("%s failed", scope["path"])
            status, body = 500, {"message": words(error)}
        data = json.dumps(body, default=str).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(data)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": data})

    async def about(self, _asked):
        return self.facts

    async def health(self, _asked):
        try:
            said = await asyncio.wait_for(settled(self.plugin.check_health()), HEALTH_SECONDS)
        except asyncio.TimeoutError:
            return {"status": "unhealthy", "message": f"check_health did not answer within {HEALTH_SECONDS} s."}
        except Exception as error:
            return {"status": "unhealthy", "message": f"check_health failed: {words(error)}"}
        status = getattr(said, "status", None)
        message, details = getattr(said, "message", None), getattr(said, "details", None)
        return {
            "status": str(getattr(status, "value", status)),
            "message": None if message is None else str(message)[:TEXT_MAX],
            "details": details if isinstance(details, dict) else {},
        }

    async def work(self, _asked):
        """Jobs that are not done. The SDKs before those with jobs, and this platform's own, have none."""
        manager = getattr(getattr(self.app, "state", None), "job_manager", None)
        look = getattr(manager, "activity_snapshot", None)
        if look is None:
            return {"jobs": 0}
        seen = look()
        return {"jobs": int(seen.queued) + int(seen.running)}

    async def hook(self, asked):
        event, payload = asked["event"], asked["payload"]
        method = getattr(self.plugin, HOOKS[event])
        if event == "experiment.status_changed":
            arguments = (payload["experiment_id"], payload["old_status"], payload["new_status"])
        else:
            arguments = (payload["experiment_id"], payload["data"])
        try:
            result = await settled(method(*arguments))
        except self.sdk.veto_class() as veto:
            return {"handled": True, "veto": {"message": words(veto)}}
        if event != "experiment.before_save" or result is None or result.success:
            return {"handled": True, "veto": None}
        return {"handled": True, "veto": {"message": str(result.message or "")[:TEXT_MAX]}}

    async def settings(self, asked):
        if self.facts["settings"] == "own":
            raise Refused(409, "New settings need a new process.")
        try:
            await settled(self.plugin.apply_settings(asked["settings"]))
        except Exception as error:
            previous = asked.get("previous")
            if previous:
                await settled(self.plugin.apply_settings(previous))
            raise Refused(422, words(error)) from error
        return {}


def words(error):
    return str(getattr(error, "message", None) or f"{type(error).__name__}: {error}")[:TEXT_MAX]


async def settled(value):
    return await value if inspect.isawaitable(value) else value


async def body_of(receive):
    chunks = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Refused(400, "The request broke off.")
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            data = b"".join(chunks)
            return json.loads(data) if data else None


def is_of_plugin(record):
    return not (len(record.args) > 2 and str(record.args[2]).startswith(PLACE))


def make_app():
    # A developer sees what is asked of the plugin, not how the platform looks after it.
    logging.getLogger("uvicorn.access").addFilter(is_of_plugin)
    cls = plugin_class()
    sdk = Sdk(cls)
    plugin = cls()
    tables = open_tables(sdk, plugin)
    return Host(sdk.module("app").create_standalone_app(plugin), plugin, sdk, tables)


def serve(socket):
    import uvicorn

    call_by_socket()
    uvicorn.run(make_app, factory=True, uds=socket, lifespan="on", log_level="info", access_log=False)


def develop(port, watched):
    import uvicorn

    def follow_owner():
        # Whoever started this holds the other end, and lets go of it however they end.
        os.read(0, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=follow_owner, daemon=True).start()
    here = os.path.dirname(os.path.abspath(__file__))
    uvicorn.run(
        "mint_dev_server:make_app",
        factory=True,
        app_dir=here,
        port=int(port),
        reload=True,
        reload_dirs=[watched],
        lifespan="on",
        log_level="info",
    )


class Parent:
    """Has imported the plugin, and makes a copy of itself for each start that the platform asks for on standard input. It
    knows no secret, listens nowhere, and does nothing else."""

    MESSAGE_MAX = 64 << 10
    SET_DEATH_SIGNAL = 1

    def __init__(self):
        import ctypes
        import socket

        self.control = socket.socket(fileno=0)
        self.receive = lambda: socket.recv_fds(self.control, self.MESSAGE_MAX, 2)[:2]
        self.prctl = ctypes.CDLL(None).prctl

    def say(self, **said):
        self.control.send(json.dumps(said).encode())

    def prepare(self):
        """Imports all that a start will want. Gives why copies would not work, if they would not."""
        Sdk(plugin_class()).module("app")
        for module in ("loops.auto", "protocols.http.auto", "protocols.websockets.auto", "lifespan.on"):
            import_module(f"uvicorn.{module}")
        if threads() > 1:
            # Libraries that know of copies, as those for linear algebra do, end their threads for one.
            self.reap(os.fork() or os._exit(0))
        gc.collect()
        gc.freeze()
        left = threads()
        return f"{left} threads run after its imports" if left > 1 else None

    def run(self):
        """Serves the platform. Returns in every copy."""
        unfit = self.prepare()
        self.say(unfit=unfit)
        if unfit:
            sys.exit()
        while True:
            data, descriptors = self.receive()
            asked = json.loads(data)
            if "reap" in asked:
                self.say(status=self.reap(asked["reap"]))
            elif self.copy(asked["environment"], descriptors):
                return

    def reap(self, pid):
        return os.waitpid(pid, 0)[1]

    def copy(self, environment, descriptors):
        """True in the copy. The platform is told of it when it leads its own session and cannot outlive this process."""
        sys.stdout.flush()
        sys.stderr.flush()
        reader, writer = os.pipe()
        own = os.getpid()
        pid = os.fork()
        if pid == 0:
            self.begin(own, environment, descriptors)
            os.write(writer, b".")
            os.close(writer)
            os.close(reader)
            return True
        for descriptor in (writer, *descriptors):
            os.close(descriptor)
        begun = os.read(reader, 1)
        os.close(reader)
        if not begun:
            self.reap(pid)
        self.say(pid=pid if begun else None)
        return False

    def begin(self, parent, environment, descriptors):
        os.setsid()
        self.prctl(self.SET_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        self.control.detach()
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, descriptor in enumerate((nothing, *descriptors)):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.environ.update(environment)
        random.seed()
        if "numpy.random" in sys.modules:
            sys.modules["numpy.random"].seed()


def threads():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("Threads:"))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["describe"]:
            describe()
        case ["migrate"]:
            migrate()
        case ["serve", path]:
            serve(path)
        case ["warm", path]:
            Parent().run()
            serve(path)
        case ["develop", port, watched]:
            develop(port, watched)
