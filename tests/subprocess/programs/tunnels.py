"""Answers handshakes of WebSockets, well and badly."""

from urllib.parse import parse_qs

HEAD = b"HTTP/1.1 101 Switching Protocols\r\n"
SWITCH = b"connection: Upgrade\r\nupgrade: websocket\r\n"
ACCEPT = b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
PROPER = HEAD + SWITCH + ACCEPT + b"\r\n"
RAW = {
    "/no-accept": HEAD + SWITCH + b"\r\nsmuggled",
    "/empty-accept": HEAD + SWITCH + b"sec-websocket-accept:\r\n\r\nsmuggled",
    "/two-accepts": HEAD + SWITCH + ACCEPT + ACCEPT + b"\r\nsmuggled",
    "/no-upgrade": HEAD + ACCEPT + b"connection: Upgrade\r\n\r\nsmuggled",
    "/no-connection": HEAD + ACCEPT + b"upgrade: websocket\r\n\r\nsmuggled",
    "/h2c": HEAD + ACCEPT + b"connection: Upgrade\r\nupgrade: h2c\r\n\r\nsmuggled",
    "/two-protocols": HEAD + SWITCH + ACCEPT + b"upgrade: h2c\r\n\r\nsmuggled",
    "/large": HEAD + SWITCH + ACCEPT + b"x-large: " + b"y" * (40 << 10) + b"\r\n\r\nsmuggled",
    "/bytes-before": b"smuggled\r\n" + PROPER,
    "/continue-for-ever": b"HTTP/1.1 100 Continue\r\n\r\n" * 3,
    "/nothing": b"",
}
for path, data in RAW.items():
    route(path)(lambda handler, data=data: handler.send_raw(data))


@route("/echo")
def echo(handler):
    """Says `hello` with its answer, and everything that it hears."""
    handler.send_raw(PROPER + b"hello")
    while data := handler.rfile.read1(65536):
        handler.wfile.write(data)


@route("/frames")
def frames(handler):
    """Says one frame, and listens to the end."""
    handler.send_raw(PROPER + b"\x81\x05hello")
    while handler.rfile.read1(65536):
        pass


@route("/ticks")
def ticks(handler):
    """`?type=`, `?count=`: says so many times that it is still there, ten times a second."""
    asked = parse_qs(handler.path.partition("?")[2])
    handler.send_response(200)
    handler.send_header("content-type", asked.get("type", ["text/event-stream"])[0])
    handler.send_header("transfer-encoding", "chunked")
    handler.end_headers()
    for _ in range(int(asked.get("count", ["1000000"])[0])):
        handler.wfile.write(b"c\r\ndata: tick\n\n\r\n")
        time.sleep(0.1)
    handler.wfile.write(b"0\r\n\r\n")


@route("/flood")
def flood(handler):
    handler.send_raw(PROPER)
    while True:
        handler.wfile.write(b"x" * 65536)


@route("/seen")
def seen(handler):
    """Tells what came before and after its answer, once the other side has said `end`."""
    head = dict((name.lower(), value) for name, value in handler.headers.items())
    handler.send_raw(PROPER)
    data = b""
    while not data.endswith(b"end"):
        data += handler.rfile.read1(65536)
    handler.wfile.write(json.dumps({"headers": head, "data": data.decode()}).encode())


@route("/silent")
def silent(_):
    threading.Event().wait()


serve()
