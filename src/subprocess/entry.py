"""Loads one plugin of a venv: describes it, or serves it where its SDK brings no factory of its own.

The platform runs this text with `python -c`, so it needs no file that a plugin could change. Arguments: `describe`, or
`serve` and the path of the socket.
"""

import json
import os
import re
import sys
from importlib import import_module
from importlib.metadata import entry_points

GROUPS = ("mint.plugins", "mld.plugins")
SDKS = ("mint_sdk", "mld_sdk")


def normalized(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def plugin_class():
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
    metadata = plugin_class()().metadata
    facts = {"name": str(metadata.name), "public_prefix": f"/api{metadata.routes_prefix}"}
    print("\nplugin=" + json.dumps(facts), flush=True)


def serve(socket):
    import uvicorn

    cls = plugin_class()
    app = import_module(f"{sdk_of(cls)}.app").create_standalone_app(cls)
    uvicorn.run(app, uds=socket, lifespan="on", log_level="info", access_log=False)


if sys.argv[1] == "describe":
    describe()
else:
    serve(sys.argv[2])
