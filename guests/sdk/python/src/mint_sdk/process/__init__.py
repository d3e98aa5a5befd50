"""The plugin as a process of its own: an ASGI application, and the platform over its internal API."""
