"""Asks for jobs, and does them. The kinds are those of the component `hostile`."""

KINDS = {}


class Failed(Exception):
    pass


def kind(function):
    KINDS[function.__name__] = function
    return function


def ask(handler, method, path, body=None):
    """Asks the platform, as the person for whom this is done."""
    headers = {
        "x-mint-internal-token": os.environ["MINT_PLUGIN_TOKEN"],
        "x-mint-plugin-name": os.environ["MINT_PLUGIN_NAME"],
        "content-type": "application/json",
    }
    if "x-mint-user-id" in handler.headers:
        headers["x-mint-user-id"] = handler.headers["x-mint-user-id"]
    connection = HTTPConnection(urllib.parse.urlsplit(os.environ["MINT_PLATFORM_URL"]).netloc)
    connection.request(method, "/api/internal" + path, None if body is None else json.dumps(body), headers)
    response = connection.getresponse()
    return response.status, json.loads(response.read() or b"null")


@route("/jobs")
def enqueue(handler):
    status, said = ask(handler, "POST", "/jobs", json.loads(handler.body))
    handler.send_json(status, said)


@route("/call")
def call(handler):
    wanted = json.loads(handler.body)
    status, body = ask(handler, wanted["method"], wanted["path"], wanted.get("body"))
    return {"status": status, "body": body}


@route("/__mint/jobs")
def run(handler):
    job = json.loads(handler.body)
    work = KINDS.get(job["kind"])
    if work is None:
        handler.send_json(422, {"message": f"There is no job `{job['kind']}`.", "is_final": True})
        return
    try:
        outcome = work(handler, job, job["payload"])
    except Failed as failed:
        handler.send_json(422, {"message": str(failed), "is_final": bool(job["payload"].get("final"))})
        return
    handler.send_json(200, {"outcome": outcome})


@kind
def echo(_handler, _job, payload):
    return payload


@kind
def fail(_handler, _job, payload):
    raise Failed(payload["message"])


@kind
def sleep(_handler, _job, payload):
    time.sleep(payload["ms"] / 1000)
    return {"slept": payload["ms"]}


@kind
def spin(_handler, _job, _payload):
    while True:
        pass


@kind
def wait(handler, job, _payload):
    while True:
        status, said = ask(handler, "POST", f"/jobs/{job['id']}/heartbeat", {"attempt": job["attempt"]})
        if status != 200 or said["is_cancelled"]:
            return {"cancelled": True}
        time.sleep(0.05)


@kind
def progress(handler, job, payload):
    said = {"attempt": job["attempt"], "percent": payload.get("percent"), "message": payload.get("message")}
    status, answer = ask(handler, "POST", f"/jobs/{job['id']}/progress", said)
    if status != 200:
        raise Failed(answer["message"])
    time.sleep(payload["ms"] / 1000)
    return None


@kind
def whoami(handler, _job, _payload):
    return {name: handler.headers.get(f"x-mint-user-{name}") for name in ("id", "role")}


@kind
def trap(_handler, _job, _payload):
    os._exit(1)


@kind
def long(_handler, _job, payload):
    return "x" * (payload["bytes"] - 2)


serve()
