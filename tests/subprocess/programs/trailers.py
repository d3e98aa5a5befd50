"""Reads and writes trailers."""


@route("/heard")
def heard(handler):
    """The head and the trailers of what was sent."""
    return {
        "headers": {name.lower(): value for name, value in handler.headers.items()},
        "trailers": handler.trailers,
    }


@route("/late")
def late(handler):
    """A body of two chunks, and fields after it."""
    head = [
        "content-type: text/plain",
        "transfer-encoding: chunked",
        "trailer: X-Checksum, Set-Cookie, X-MINT-Internal-Token, Content-Type, Clear-Site-Data",
    ]
    tail = [
        "x-checksum: 7",
        "x-unannounced: 1",
        "set-cookie: mint_access_token=stolen",
        "x-mint-internal-token: stolen",
        "content-type: text/html",
        "clear-site-data: *",
    ]
    body = "5\r\nhello\r\n5\r\nworld\r\n0\r\n"
    lines = lambda fields: "".join(f"{field}\r\n" for field in fields)
    handler.send_raw(f"HTTP/1.1 200 OK\r\n{lines(head)}\r\n{body}{lines(tail)}\r\n".encode())


def read_chunks(handler):
    body = b""
    while length := int(handler.rfile.readline(), 16):
        body += handler.rfile.read(length)
        handler.rfile.readline()
    handler.trailers = {}
    while line := handler.rfile.readline().strip():
        name, _, value = line.decode().partition(":")
        handler.trailers[name.lower()] = value.strip()
    return body


Handler.read_chunks = read_chunks
Handler.trailers = None
serve()
