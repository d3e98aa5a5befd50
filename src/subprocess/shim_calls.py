"""Calls of a plugin to the platform."""

import os
from urllib.parse import urlsplit


def call_by_socket():
    """From now on, HTTP clients of MINT's SDKs reach the platform by its socket, and everybody else by its address."""
    if "MINT_PLATFORM_SOCKET" not in os.environ:
        return
    try:
        import httpcore
    except ImportError:
        return
    platform = urlsplit(os.environ["MINT_PLATFORM_URL"])
    place, socket = (platform.hostname, platform.port), os.environ["MINT_PLATFORM_SOCKET"]

    def blocking(connect):
        def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
            if (host, port) == place:
                return self.connect_unix_socket(socket, timeout)
            return connect(self, host, port, timeout, local_address, socket_options)

        return connect_tcp

    def waiting(connect):
        async def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
            if (host, port) == place:
                return await self.connect_unix_socket(socket, timeout)
            return await connect(self, host, port, timeout, local_address, socket_options)

        return connect_tcp

    httpcore.SyncBackend.connect_tcp = blocking(httpcore.SyncBackend.connect_tcp)
    httpcore.AnyIOBackend.connect_tcp = waiting(httpcore.AnyIOBackend.connect_tcp)
