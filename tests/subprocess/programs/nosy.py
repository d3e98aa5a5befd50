"""Tells what it sees, and calls back as it is told."""

import urllib.parse

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


@route("/call")
def call(handler):
    """Sends {method, path, headers, body or text} to the platform with its own token, as the person who asks."""
    wanted = json.loads(handler.body)
    headers = {
        "x-mint-internal-token": os.environ["MINT_PLUGIN_TOKEN"],
        "x-mint-plugin-name": os.environ["MINT_PLUGIN_NAME"],
        "content-type": "application/json",
    }
    for name in ("x-mint-user-id", "x-request-id"):
        if name in handler.headers:
            headers[name] = handler.headers[name]
    headers |= wanted.get("headers", {})
    connection = HTTPConnection(urllib.parse.urlsplit(os.environ["MINT_PLATFORM_URL"]).netloc)
    body = json.dumps(wanted["body"]) if "body" in wanted else wanted.get("text")
    connection.request(wanted["method"], "/api/internal" + wanted["path"], body, headers)
    response = connection.getresponse()
    data = response.read()
    return {"status": response.status, "body": json.loads(data) if data else None}


serve()
