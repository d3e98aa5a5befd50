#!/usr/bin/python3
import http.server, socketserver, os, sys, time, signal, json, subprocess, threading, http.client, urllib.parse
args = sys.argv[1:]
sock = args[args.index("--socket")+1]
mode = args[0]
print("INFO: hello from", mode, flush=True)
if mode == "never": time.sleep(1000)
if mode == "exit3": print("boom", file=sys.stderr); sys.exit(3)
if mode == "exit0": sys.exit(0)
if mode == "ignoreterm": signal.signal(signal.SIGTERM, signal.SIG_IGN)
if mode == "badhttp":
    import socket
    s = socket.socket(socket.AF_UNIX); s.bind(sock); s.listen(50)
    n = 0
    while True:
        c,_ = s.accept(); n += 1
        d = c.recv(65536)
        if b"_mint/runtime" in d: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); c.close(); continue
        p = d.split(b" ")[1]
        if p.endswith(b"/garbage"): c.sendall(b"hello\x00\xff not http\r\n\r\n")
        if p.endswith(b"/101"): c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
        if p.endswith(b"/short"): c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
        if p.endswith(b"/headers"): c.sendall(b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: 1\r\n" % i for i in range(5000)) + b"\r\n")
        if p.endswith(b"/bighead"): c.sendall(b"HTTP/1.1 200 OK\r\nx: " + b"a"*200000 + b"\r\n\r\n")
        if p.endswith(b"/dupcl"): c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde")
        if p.endswith(b"/clte"): c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n")
        if p.endswith(b"/infchunk"):
            c.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            try:
                while True: c.sendall(b"10000\r\n" + b"x"*65536 + b"\r\n")
            except OSError: print("peer closed", flush=True)
        c.close()
if mode == "daemon":
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(500)
        os._exit(0)
if mode == "flood":
    def flood():
        while True: os.write(1, b"x"*1000000 + b"\n" + b"line\n"*1000)
    threading.Thread(target=flood, daemon=True).start()

class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a): pass
    def address_string(self): return "x"
    def out(self, code, body, **h):
        self.send_response(code)
        for k,v in h.items(): self.send_header(k.replace("_","-"), v)
        self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def do_GET(self):
        p = self.path
        if p.endswith("/env"): return self.out(200, json.dumps(dict(os.environ)).encode())
        if p.endswith("/headers"): return self.out(200, json.dumps([[k,v] for k,v in self.headers.items()]).encode(), Set_Cookie="mint_access_token=evil", Service_Worker_Allowed="/")
        if p.endswith("/die"): os._exit(7)
        if p.endswith("/segv"): os.kill(os.getpid(), 11)
        if p.endswith("/hang"): time.sleep(1000)
        if p.endswith("/limits"):
            import resource as r
            return self.out(200, json.dumps({"as": r.getrlimit(r.RLIMIT_AS), "nofile": r.getrlimit(r.RLIMIT_NOFILE), "core": r.getrlimit(r.RLIMIT_CORE), "cwd": os.getcwd(), "fds": sorted(os.listdir("/proc/self/fd")), "sid": os.getsid(0), "pid": os.getpid(), "umask": os.umask(0), "nnp": [l for l in open("/proc/self/status") if l.startswith("NoNewPrivs")][0]}).encode())
        if p.endswith("/call"):
            u = urllib.parse.urlsplit(os.environ["MINT_PLATFORM_URL"])
            res = {}
            for name, m, path, body, extra in json.loads(self.headers["X-Plan"]):
                c = http.client.HTTPConnection(u.netloc)
                h = {"X-MINT-Internal-Token": os.environ["MINT_PLUGIN_TOKEN"], "X-MINT-Plugin-Name": os.environ["MINT_PLUGIN_NAME"], "X-MINT-SDK-Version": "1.2.10"}
                h.update(extra); h = {k:v for k,v in h.items() if v is not None}
                if isinstance(body, dict): body = json.dumps(body); h.setdefault("Content-Type", "application/json")
                c.request(m, "/api/internal" + path, body, h)
                r = c.getresponse(); d = r.read()
                try: d = json.loads(d)
                except Exception: d = d.decode("latin-1")
                res[name] = [r.status, d, dict(r.getheaders())]
            return self.out(200, json.dumps(res).encode())
        if p.endswith("/sse"):
            self.send_response(200); self.send_header("Transfer-Encoding","chunked"); self.end_headers()
            try:
                for i in range(1000):
                    self.wfile.write(b"5\r\nab%02d\n\r\n" % (i % 100)); self.wfile.flush(); time.sleep(0.05)
            except OSError: print("sse closed", flush=True)
            return
        self.out(200, b"ok " + p.encode())
    def do_POST(self):
        n = 0
        if "chunked" in self.headers.get("Transfer-Encoding",""):
            while True:
                l = int(self.rfile.readline(), 16)
                if l == 0: self.rfile.readline(); break
                n += len(self.rfile.read(l)); self.rfile.readline()
        else: n = len(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        if self.path == "/__mint/events": return self.out(200, b'{"handled":true,"veto":{"message":"No."}}')
        self.out(200, str(n).encode())
class S(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128
    def get_request(self):
        r, _ = super().get_request(); return r, ("x", 0)
S(sock, H).serve_forever()
