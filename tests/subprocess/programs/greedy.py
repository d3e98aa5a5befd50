"""Takes what it can get of the machine."""

import errno
import urllib.parse

taken = []


def asked(handler, name):
    return int(dict(urllib.parse.parse_qsl(handler.path.partition("?")[2]))[name])


@route("/files")
def files(_):
    """Opens files until there are no more; tells how many it got, and why no more."""
    opened = []
    try:
        while True:
            opened.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        refused = errno.errorcode[error.errno]
    for descriptor in opened:
        os.close(descriptor)
    return {"opened": len(opened), "error": refused}


@route("/fork")
def fork(handler):
    """`?count=&apart=`: starts so many processes, perhaps in sessions of their own, and stays."""
    for _ in range(asked(handler, "count")):
        taken.append(subprocess.Popen(["sleep", "600"], start_new_session=asked(handler, "apart") == 1))
    return {"pids": [child.pid for child in taken]}


@route("/bomb")
def bomb(_):
    """Everybody forks, again and again. It has an end, for the sake of machines where nothing stops it."""
    if os.fork() == 0:
        for _ in range(9):
            os.fork()
            time.sleep(0.05)
        while True:
            time.sleep(600)
    return {}


@route("/hoard")
def hoard(handler):
    """`?beside=&mib=`: writes so much beside its tables, or to their end."""
    tables = urllib.parse.unquote(urllib.parse.urlsplit(os.environ["MINT_PLUGIN_DATABASE_URL"]).path)
    place = os.path.join(os.path.dirname(tables), "hoard", "all") if asked(handler, "beside") else tables
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place, "ab") as file:
        for _ in range(asked(handler, "mib")):
            file.write(bytes(1 << 20))
    return {"bytes": os.stat(place).st_size}


@route("/keep")
def keep(handler):
    """`?temporary=&mib=`: writes so much to its temporary directory, or to its own; tells why no more."""
    directory = os.environ["TMPDIR" if asked(handler, "temporary") else "HOME"]
    try:
        for number in range(asked(handler, "mib")):
            with open(os.path.join(directory, f"kept-{number}"), "wb") as file:
                file.write(bytes(1 << 20))
    except OSError as error:
        return {"error": errno.errorcode[error.errno]}
    return {"kept": len([name for name in os.listdir(directory) if name.startswith("kept-")])}


@route("/remove")
def remove(_):
    """Removes what it wrote to its own directory."""
    directory = os.environ["HOME"]
    for name in os.listdir(directory):
        if name.startswith("kept-"):
            os.remove(os.path.join(directory, name))
    return {"left": len([name for name in os.listdir(directory) if name.startswith("kept-")])}


@route("/sleep")
def sleep(handler):
    time.sleep(asked(handler, "ms") / 1000)
    return {"awake": True}


serve()
