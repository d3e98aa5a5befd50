"""Ends when it is asked to."""


@route("/die")
def die(_):
    print("I was told to die", flush=True)
    print("so I do", file=sys.stderr, flush=True)
    os._exit(7)


serve()
