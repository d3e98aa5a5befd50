"""Answers with what it was asked, and the variables that it was started with. Ends with whoever started it."""

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        headers = {name.lower(): value for name, value in self.headers.items()}
        mint = {name: value for name, value in os.environ.items() if name.startswith("MINT_PL")}
        body = json.dumps({"path": self.path, "headers": headers, "environment": mint}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        pass


def follow_owner():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=follow_owner, daemon=True).start()
server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("MINT_DEV_PORT", "0"))), Echo)
print(server.server_address[1], flush=True)
server.serve_forever()
