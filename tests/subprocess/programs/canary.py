"""Leaves a word wherever it can, and looks for words wherever it can reach."""

import re

kept = []
FILE_BYTES_MAX = 1 << 20
CHUNK_BYTES = 1 << 20
# No word is longer.
OVERLAP_BYTES = 64
# One at a time: what another search has read would be looked through as well, again and again.
seeking = threading.Lock()


def query(handler):
    return dict(urllib.parse.parse_qsl(handler.path.partition("?")[2]))


@route("/fill")
def fill(handler):
    """`?word=`: into memory, the environment, files in both of its places, and the log."""
    word = query(handler)["word"]
    kept[:] = [word * 1000]
    os.environ["LEFT_BY_CANARY"] = word
    for place in (os.environ["TMPDIR"], os.environ["HOME"]):
        with open(os.path.join(place, "left-by-canary"), "w") as file:
            file.write(word)
    print(word, flush=True)
    return {}


@route("/seek")
def seek(handler):
    """`?own=`, `?foreign=`: where the words are found, which are given backwards, so that the question puts none there; with `walk=true` in
    all files that it can open as well."""
    asked = query(handler)
    # Letter by letter, since a whole word would be found in the pattern's own memory.
    words = {name: re.compile("".join(f"[{letter}]" for letter in reversed(asked[name])).encode()) for name in ("own", "foreign")}
    found = {"own": [], "foreign": [], "bytes": 0}
    with seeking:
        for name, data in places(asked.get("walk") == "true"):
            found["bytes"] += len(data)
            for whose, pattern in words.items():
                if pattern.search(data):
                    found[whose].append(name)
    return found


def places(walk):
    yield from memory()
    yield "environment", open("/proc/self/environ", "rb").read()
    roots = {os.environ["HOME"], os.environ["TMPDIR"], os.getcwd()}
    if walk:
        # One inside another, since what may not be listed may have something inside that may.
        roots |= {"/tmp", "/run", "/dev/shm", "/proc", *above()}
    seen = set()
    for root in roots:
        yield from files(root, seen)


def above():
    """All directories above its own ones and its sockets, but the root."""
    for name in ("HOME", "TMPDIR", "MINT_PLUGIN_SOCKET", "MINT_PLATFORM_SOCKET"):
        place = os.environ[name]
        while len(place) > 1:
            yield place
            place = os.path.dirname(place)


def memory():
    with open("/proc/self/maps") as file:
        ranges = [line.split() for line in file]
    with open("/proc/self/mem", "rb", buffering=0) as file:
        for line in ranges:
            begin, end = (int(edge, 16) for edge in line[0].split("-"))
            if not line[1].startswith("rw"):
                continue
            try:
                for at in range(begin, end, CHUNK_BYTES):
                    file.seek(at)
                    yield "memory", file.read(min(CHUNK_BYTES + OVERLAP_BYTES, end - at))
            except (OSError, OverflowError, ValueError):
                continue


def files(root, seen):
    for directory, below, names in os.walk(root):
        if directory.startswith("/proc") and directory.count("/") > 2:
            below.clear()
        for name in names:
            path = os.path.join(directory, name)
            try:
                if path not in seen and os.path.isfile(path):
                    seen.add(path)
                    with open(path, "rb", buffering=0) as file:
                        yield path, file.read(FILE_BYTES_MAX)
            except OSError:
                continue


serve()
