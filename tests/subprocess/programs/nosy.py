"""Tells what it sees."""

released = threading.Event()


@route("/echo")
def echo(handler):
    return {
        "method": handler.command,
        "target": handler.path,
        "headers": [[name.lower(), value] for name, value in handler.headers.items()],
        "bytes": len(handler.body),
    }


@route("/environment")
def environment(_):
    return {"environment": dict(os.environ), "cwd": os.listdir("."), "descriptors": sorted(os.listdir("/proc/self/fd"))}


@route("/hold")
def hold(_):
    """In progress until somebody else asks for /release."""
    released.wait()
    return {"released": True}


@route("/release")
def release(_):
    released.set()
    return {}


serve()
