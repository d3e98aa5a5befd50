"""What the platform tells a plugin process through its environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..exceptions import ConfigurationException, PlatformCompatibilityError

API_VERSION = "1"


@dataclass(frozen=True)
class PlatformConfig:
    """Where the platform is and how patiently to talk to it. All times in seconds."""

    url: str
    token: str
    plugin_name: str
    timeout: float = 30.0
    connect_timeout: float = 10.0
    transfer_timeout: float = 600.0
    retries: int = 3
    retry_backoff: float = 0.2
    startup_wait: float = 120.0
    socket: str | None = None
    """Where it listens for this process alone; without one it is reached by its URL."""


@dataclass(frozen=True)
class ProcessConfig:
    """`platform` is None when the plugin runs alone."""

    entry_point: str | None
    distribution: str | None
    platform: PlatformConfig | None


def read_config(environment: Mapping[str, str]) -> ProcessConfig:
    """Reads the variables `MINT_…`; an exception names the one that is wrong."""
    entry_point, distribution = environment.get("MINT_PLUGIN_ENTRY_POINT"), environment.get("MINT_PLUGIN_DISTRIBUTION")
    if bool(entry_point) != bool(distribution):
        raise ConfigurationException("Set both MINT_PLUGIN_ENTRY_POINT and MINT_PLUGIN_DISTRIBUTION, or neither.")
    version = environment.get("MINT_PLATFORM_API_VERSION", API_VERSION)
    if version != API_VERSION:
        raise PlatformCompatibilityError(
            f"The platform speaks version {version} of the internal API, this SDK version {API_VERSION}.", API_VERSION, version
        )
    return ProcessConfig(entry_point or None, distribution or None, _platform(environment))


def _platform(environment: Mapping[str, str]) -> PlatformConfig | None:
    url = environment.get("MINT_PLATFORM_URL", "").rstrip("/")
    if not url:
        return None
    for name in ("MINT_PLUGIN_TOKEN", "MINT_PLUGIN_NAME"):
        if not environment.get(name):
            raise ConfigurationException(f"{name} is missing; the platform sets it when it starts a plugin.", name)
    numbers = {
        "timeout": "MINT_PLATFORM_TIMEOUT",
        "connect_timeout": "MINT_PLATFORM_CONNECT_TIMEOUT",
        "transfer_timeout": "MINT_PLATFORM_TRANSFER_TIMEOUT",
        "retry_backoff": "MINT_PLATFORM_RETRY_BACKOFF",
        "startup_wait": "MINT_PLATFORM_STARTUP_WAIT",
    }
    given = {field: _number(environment, name) for field, name in numbers.items() if environment.get(name)}
    retries = int(_number(environment, "MINT_PLATFORM_RETRIES")) if environment.get("MINT_PLATFORM_RETRIES") else 3
    socket = environment.get("MINT_PLATFORM_SOCKET") or None
    name, token = environment["MINT_PLUGIN_NAME"], environment["MINT_PLUGIN_TOKEN"]
    return PlatformConfig(url, token, name, retries=retries, socket=socket, **given)


def _number(environment: Mapping[str, str], name: str) -> float:
    try:
        value = float(environment[name])
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ConfigurationException(f"{name} must be a number that is not negative.", name)
    return value
