"""Answers with everything but proper responses."""

OK = b"HTTP/1.1 200 OK\r\n"
RAW = {
    "/no-http": b"hello, I am not HTTP\r\n\r\n",
    "/binary": bytes(range(256)) * 64,
    "/bad-length": OK + b"content-length: banana\r\n\r\nx",
    "/negative-length": OK + b"content-length: -1\r\n\r\nx",
    "/two-lengths": OK + b"content-length: 1\r\ncontent-length: 5\r\n\r\nhello",
    "/bad-status": b"HTTP/1.1 99999 What\r\ncontent-length: 0\r\n\r\n",
    "/switch": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nsmuggled",
    "/many-headers": OK + b"".join(b"x-%d: y\r\n" % i for i in range(100_000)) + b"\r\n",
    "/large-header": OK + b"x-large: " + b"y" * (1 << 20) + b"\r\ncontent-length: 0\r\n\r\n",
    "/bad-header": OK + b"x y: z\r\ncontent-length: 0\r\n\r\n",
    "/nothing": b"",
    "/half-a-head": OK + b"content-le",
    "/announces-too-much": OK + b"content-length: 1000000000000\r\n\r\nx",
    "/too-short": OK + b"content-length: 1000\r\n\r\nhello",
    "/bad-chunks": OK + b"transfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n",
    "/half-a-chunk": OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\nff\r\nhe",
}
for path, data in RAW.items():
    route(path)(lambda handler, data=data: handler.send_raw(data))


@route("/endless")
def endless(handler):
    handler.send_raw(OK + b"transfer-encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    while True:
        handler.wfile.write(chunk)


@route("/drip")
def drip(handler):
    for byte in OK + b"x-slow: " + b"y" * 10_000:
        handler.send_raw(bytes([byte]))
        time.sleep(0.05)


@route("/silent")
def silent(_):
    threading.Event().wait()


@route("/greedy")
def greedy(handler):
    """Says what only the platform may say."""
    lines = [
        "content-length: 2",
        "set-cookie: mint_access_token=stolen; Path=/",
        "set-cookie: seen=1",
        "x-mint-internal-token: " + os.environ["MINT_PLUGIN_TOKEN"],
        "service-worker-allowed: /",
        "strict-transport-security: max-age=1",
        "clear-site-data: *",
        "connection: x-hidden",
        "x-hidden: 1",
        "x-kept: 1",
    ]
    handler.send_raw(OK + "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n{}")


serve()
