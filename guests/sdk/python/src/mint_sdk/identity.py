"""Who acts: read from the headers that the platform puts on every request, the client's own having been removed."""

from __future__ import annotations

import json
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from .routing import Headers, HTTPException, Request

IDENTITY_HEADERS = ("x-mint-user-id", "x-mint-username", "x-mint-user-role", "x-mint-user-permissions")
NOBODY = [None] * len(IDENTITY_HEADERS)
ACTORS_KEPT_MAX = 256

forwarded_identity: ContextVar[tuple[tuple[str, str], ...]] = ContextVar("forwarded_identity", default=())
"""Identity headers of the request being answered, for calls back to the platform."""


@dataclass(frozen=True)
class PluginActor:
    """The acting user. `role` is the system role, `plugin_role` the one inside this plugin where it was looked up."""

    user_id: str
    username: str | None = None
    role: str = "member"
    plugin_role: str | None = None
    permissions: frozenset[str] = frozenset()

    @property
    def is_platform_admin(self) -> bool:
        """Whether the system role is `admin`."""
        return self.role.casefold() == "admin"

    @property
    def is_plugin_admin(self) -> bool:
        """Whether the role inside this plugin is `admin`."""
        return self.plugin_role is not None and self.plugin_role.casefold() == "admin"

    def to_dict(self) -> dict[str, Any]:
        """`{sub, username, role, permissions, plugin_role?}`: what the user dependencies give to a handler."""
        user = self._as_dict.copy()
        user["permissions"] = user["permissions"].copy()
        return user

    @cached_property
    def _as_dict(self) -> dict[str, Any]:
        user = {"sub": self.user_id, "username": self.username, "role": self.role, "permissions": sorted(self.permissions)}
        return user if self.plugin_role is None else user | {"plugin_role": self.plugin_role}


def actor_of(request: Request) -> PluginActor | None:
    """The actor of a request; None for nobody; 403 if identity headers are malformed."""
    known: Any = request.actor
    return _read(request.headers) if known is ... else known


@lru_cache(maxsize=ACTORS_KEPT_MAX)
def known_actor(user_id: int, username: str, role: str, permissions: str) -> PluginActor:
    """The actor whom the platform names beside the headers; permissions are a JSON array."""
    return PluginActor(str(user_id), username, role, permissions=_permissions(permissions))


def _read(headers: Headers) -> PluginActor | None:
    fields = headers.raw(IDENTITY_HEADERS)
    if fields == NOBODY:
        return None
    if headers.repeats(IDENTITY_HEADERS):
        raise HTTPException(403, "An identity header was forwarded twice.")
    return _actor(*fields)


def identity_of(headers: Headers) -> tuple[tuple[str, str], ...]:
    """The identity headers themselves, to be forwarded."""
    return tuple((name, value) for name, value in headers.items() if name in IDENTITY_HEADERS)


@lru_cache(maxsize=ACTORS_KEPT_MAX)
def _actor(*fields: str | bytes | None) -> PluginActor:
    """People send many requests, and an actor cannot be changed: the last ones are kept."""
    texts = [field.decode("latin-1") if isinstance(field, bytes) else field for field in fields]
    user_id, username, role, permissions = texts
    if not user_id or not role:
        raise HTTPException(403, "The forwarded identity is incomplete.")
    actor = PluginActor(user_id, _username(username), role, permissions=_permissions(permissions))
    if not actor.is_platform_admin and not (user_id.isascii() and user_id.isdecimal()):
        raise HTTPException(403, "The forwarded user id is not a number.")
    return actor


def _username(text: str | None) -> str | None:
    """Header values are read as Latin-1; the platform writes names in UTF-8."""
    try:
        return text.encode("latin-1").decode() if text is not None else None
    except UnicodeError:
        raise HTTPException(403, "The forwarded user name is not UTF-8.") from None


def _permissions(text: str | None) -> frozenset[str]:
    try:
        items = json.loads(text) if text else []
    except ValueError:
        items = None
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise HTTPException(403, "Invalid forwarded permissions.")
    return frozenset(items)
