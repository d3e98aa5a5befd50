"""Does not end when asked to, and has a child in a session of its own that does not either."""

signal.signal(signal.SIGTERM, signal.SIG_IGN)
STAY = "import signal, threading; signal.signal(signal.SIGTERM, signal.SIG_IGN); threading.Event().wait()"
child = subprocess.Popen([sys.executable, "-I", "-c", STAY], start_new_session=True)


@route("/family")
def family(_):
    return {"pids": [os.getpid(), child.pid]}


serve()
