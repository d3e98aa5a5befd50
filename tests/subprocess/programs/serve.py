"""A plugin of one file: what follows adds routes, and ends with `serve()`."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingMixIn, UnixStreamServer

ROUTES = {}


def route(path):
    def add(function):
        ROUTES[path] = function
        return function

    return add


class Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
    request_queue_size = 256


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self):
        """Calls the route; what it returns is sent as JSON, and for None it has answered itself."""
        self.body = self.read_chunks() if "transfer-encoding" in self.headers else self.read_length()
        path = self.path.partition("?")[0]
        rest = path.removeprefix(self.headers.get("x-forwarded-prefix", "")) or "/"
        function = ROUTES.get(rest)
        said = {"error": f"no route {rest}"} if function is None else function(self)
        if said is not None:
            self.send_json(404 if function is None else 200, said)

    def read_length(self):
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def read_chunks(self):
        body = b""
        while length := int(self.rfile.readline(), 16):
            body += self.rfile.read(length)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def send_json(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def send_raw(self, data):
        """Bytes instead of a response; the connection ends with them."""
        self.close_connection = True
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = answer


def serve():
    print("listening", flush=True)
    Server(sys.argv[1], Handler).serve_forever()


@route("/pid")
def pid(_):
    return {"pid": os.getpid()}


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
