"""Tries what it is told to, and tells how that ended."""

import base64
import ctypes
import errno
import socket
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException

libc = ctypes.CDLL(None, use_errno=True)


def call(number, *arguments):
    """A system call by its number."""
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(argument) for argument in arguments))
    if result == -1:
        raise OSError(ctypes.get_errno(), "")
    return result


def read(path):
    with open(path, "rb") as file:
        return len(file.read(1000))


def text(path):
    with open(path) as file:
        return file.read()


def write(path, text="x"):
    with open(path, "w") as file:
        return file.write(text)


def connect(host, port):
    with socket.create_connection((host, port), timeout=5):
        return True


def bind(port):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        return True


def new_socket(family, kind, protocol=0):
    socket.socket(family, kind, protocol).close()
    return True


def connect_unix(path):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("\0" + path[1:] if path.startswith("@") else path)
        return True


def fetch(url):
    """As a library does it that reads the variables of proxies, and follows redirects."""
    try:
        with urllib.request.urlopen(url, timeout=20) as response:
            return [response.status, response.read(1000).decode()]
    except urllib.error.HTTPError as error:
        return [error.code, error.read(1000).decode()]


def length(url):
    """How long the body is that it reads to its end."""
    with urllib.request.urlopen(url, timeout=20) as response:
        return len(response.read())


def tunnel(head, request):
    """Speaks through a tunnel until the other side ends it; gives how many bytes came."""
    connection = through_proxy(head)
    connection.recv(4000)
    connection.sendall(request.encode())
    came = 0
    try:
        while some := connection.recv(65536):
            came += len(some)
    except ConnectionResetError:
        pass
    connection.close()
    return came


held = []


def through_proxy(head):
    """Says it to the proxy as it is, with the credential for CREDENTIAL."""
    proxy = urllib.parse.urlsplit(os.environ["HTTP_PROXY"])
    credential = base64.b64encode(f"{proxy.username}:{proxy.password}".encode()).decode()
    connection = socket.create_connection((proxy.hostname, proxy.port), timeout=20)
    connection.sendall(head.replace("CREDENTIAL", f"Proxy-Authorization: Basic {credential}").encode())
    return connection


def by_proxy(head, hold=False):
    """Says it to the proxy; gives the first line and the rest."""
    connection = through_proxy(head)
    said = connection.recv(4000).decode()
    if hold:
        held.append(connection)
    else:
        connection.close()
    line, _, rest = said.partition("\r\n")
    return [line, rest]


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def status():
    with open("/proc/self/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


TRIES = {
    "bind": bind,
    "by_proxy": by_proxy,
    "call": call,
    "connect": connect,
    "connect_unix": connect_unix,
    "environment": lambda name: os.environ[name],
    "fetch": fetch,
    "ids": lambda: [os.getpid(), os.getpgrp(), os.getsid(0), os.getuid()],
    "gives_way": lambda: os.sched_getscheduler(0) == os.SCHED_BATCH,
    "interfaces": lambda: [name for _, name in socket.if_nameindex()],
    "kill": os.kill,
    "length": length,
    "link": os.link,
    "list": lambda path: len(os.listdir(path)),
    "make": lambda path: os.mkdir(path),
    "read": read,
    "remove": os.remove,
    "rename": os.rename,
    "run": run,
    "semaphore": lambda: __import__("multiprocessing").Lock().acquire(),
    "socket": new_socket,
    "status": status,
    "text": text,
    "tunnel": tunnel,
    "write": write,
}


@route("/try")
def attempt(handler):
    """`[[what, arguments…], …]`: for each the name of the error, or what came of it as `{"done": …}`."""
    answers = []
    for what, *arguments in json.loads(handler.body):
        try:
            answers.append({"done": TRIES[what](*arguments)})
        except OSError as error:
            answers.append(errno.errorcode.get(error.errno, str(error)))
        except HTTPException as error:
            answers.append(repr(error))
        except subprocess.CalledProcessError as error:
            answers.append(f"exit {error.returncode}: {error.stderr}")
    return {"answers": answers}


@route("/fork-bomb")
def fork_bomb(_):
    """A child that forks a child, and so on, each in a session of its own; all of them stay."""
    if os.fork() == 0:
        for _ in range(500):
            os.setsid()
            time.sleep(0.01)
            if os.fork() != 0:
                break
        time.sleep(600)
        os._exit(0)
    time.sleep(600)


serve()
