"""Which URLs a secret, or somebody's voice, may be sent to.

Law: what leaves this machine is encrypted; plain ``http`` goes to loopback only, and no switch changes that.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from couchvoice.errors import ConfigError


def require_safe_url(url: str) -> str:
    """The URL without a slash at its end. Raises ConfigError unless it is ``https``, or ``http`` to loopback."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as exc:
        raise ConfigError(f'"{url}" is no URL: {exc}') from exc
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigError(f'"{url}" is no URL: it must begin with https:// (or http:// for this machine)')
    if parts.username is not None:
        raise ConfigError(f"the URL of {host} must not hold a name or a password")
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigError(f'"{url}" is not encrypted: plain http is for this machine only, use https')
    return url.rstrip("/")


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
