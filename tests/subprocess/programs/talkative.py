"""Prints without end, short lines and one that never ends."""

import itertools


def lines():
    for number in itertools.count():
        print("line", number, "of very many", "\x1b[31m", flush=True)


def one_line():
    while True:
        os.write(2, b"x" * 65536)


threading.Thread(target=lines, daemon=True).start()
threading.Thread(target=one_line, daemon=True).start()
serve()
