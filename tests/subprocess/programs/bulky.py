"""Takes and gives very many bytes, and keeps none; holds hundreds of connections."""

import hashlib
import urllib.parse

threading.stack_size(256 << 10)
PIECE = 1 << 20


def pieces(handler, length):
    while length and (piece := handler.rfile.read(min(length, PIECE))):
        length -= len(piece)
        yield piece


def chunks(handler):
    while length := int(handler.rfile.readline(), 16):
        yield from pieces(handler, length)
        handler.rfile.readline()
    handler.rfile.readline()


def unread(handler):
    """Leaves the body to the route."""


Handler.read_length = Handler.read_chunks = unread


@route("/take")
def take(handler):
    """How much came, and its digest."""
    chunked = "transfer-encoding" in handler.headers
    body = chunks(handler) if chunked else pieces(handler, int(handler.headers.get("content-length") or 0))
    digest, length = hashlib.sha1(usedforsecurity=False), 0
    for piece in body:
        digest.update(piece)
        length += len(piece)
    return {"bytes": length, "sha1": digest.hexdigest()}


@route("/give")
def give(handler):
    """`?bytes=&chunked=`: so many, of length told or not."""
    asked = dict(urllib.parse.parse_qsl(handler.path.partition("?")[2]))
    length, chunked = int(asked["bytes"]), asked["chunked"] == "1"
    handler.send_response(200)
    handler.send_header(*(("transfer-encoding", "chunked") if chunked else ("content-length", str(length))))
    handler.end_headers()
    piece = bytes(range(256)) * (PIECE // 256)
    for _ in range(length // PIECE):
        handler.wfile.write(b"%x\r\n%b\r\n" % (PIECE, piece) if chunked else piece)
    if chunked:
        handler.wfile.write(b"0\r\n\r\n")


serve()
