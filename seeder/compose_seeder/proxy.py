"""The proxy that a request goes through: decided here, for every client and for every message.

Docker gives HTTP_PROXY of its own configuration to every container, so an API that cannot be reached may be
the proxy's fault. No proxy can reach a service on this container's loopback, which is asked directly.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies

from compose_seeder.errors import SurroundingsError
from compose_seeder.safe_url import SafeUrl, scheme_of

LOOPBACK_NAMES = {"localhost", "ip6-localhost", "ip6-loopback"}

DEFAULT_PORTS = {"http": 80, "https": 443}

PROXY_SCHEMES = {"http", "https"}

NETWORK = re.compile(r"(?:\[([\da-f:.]+)\]|([\da-f:.]+))(/\d+)?")
"""An address or a network in NO_PROXY, with brackets around IPv6 or without."""


@dataclass(frozen=True)
class Proxy:
    """A proxy of the environment.

    Attributes:
        variable: that names it.
        url: its address.
    """

    variable: str
    url: SafeUrl


def find_proxy(url: str) -> Proxy | None:
    """Return the proxy that the environment names for a URL; None where it is asked directly.

    Raises:
        SurroundingsError: the address of the proxy is wrong, or of a kind that cannot be used.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxies = getproxies()
    name = parts.scheme if proxies.get(parts.scheme) else "all"
    address = proxies.get(name)
    if not address or is_loopback(host) or _is_excluded(parts, proxies):
        return None
    proxy = Proxy(
        f"{name.upper()}_PROXY", SafeUrl(address if "://" in address else f"http://{address}")
    )
    _check_address(proxy)
    return proxy


def describe_route(url: object) -> str:
    """Return which proxy a URL is asked through, for the end of a message; "" for none."""
    try:
        proxy = find_proxy(str(url))
    except SurroundingsError:
        return ""  # whoever sends a request gets this error itself
    if proxy is None:
        return ""
    return (
        f" (through the proxy {proxy.url}, which {proxy.variable} names; NO_PROXY can name hosts"
        " that are asked directly)"
    )


def is_loopback(host: str) -> bool:
    """Tell if the host is this machine, or this container."""
    name = host.rstrip(".").lower()
    if name in LOOPBACK_NAMES or name.endswith(".localhost"):
        return True
    address = _address(name)
    # 0.0.0.0 and :: are connected to this machine as well.
    return address is not None and (address.is_loopback or address.is_unspecified)


def _check_address(proxy: Proxy) -> None:
    scheme = scheme_of(proxy.url.full)
    if scheme not in PROXY_SCHEMES:
        raise SurroundingsError(
            f"{proxy.variable} names the proxy {proxy.url}: only proxies with http:// or https:// can be used,"
            " and not SOCKS; name such a proxy, or name the hosts that are asked directly in NO_PROXY"
        )
    try:
        parts = urlsplit(proxy.url.full)
        valid = bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        raise SurroundingsError(
            f"{proxy.variable} is not the address of a proxy; it must look like http://proxy:3128"
        )


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """Return the IP address that a host is, in any of the forms that connect; None for a name."""
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        try:
            address = IPv4Address(socket.inet_aton(host))  # 127.1
        except (OSError, UnicodeError):
            return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_excluded(url: SplitResult, proxies: Mapping[str, str]) -> bool:
    """Tell if NO_PROXY names the host: as curl, Go and Docker read it, networks and IPv6 included."""
    entries = proxies.get("no", "").replace(",", " ").split()
    return any(_is_named(url, entry.lower()) for entry in entries)


def _is_named(url: SplitResult, entry: str) -> bool:
    host = (url.hostname or "").rstrip(".")
    entry = entry.partition("://")[2] or entry
    if entry == "*":
        return True
    address = _address(host)
    if found := NETWORK.fullmatch(entry):
        with suppress(ValueError):
            network = ip_network((found[1] or found[2]) + (found[3] or ""), strict=False)
            return address is not None and address in network
    named, colon, port = entry.rpartition(":")
    if colon and port.isdigit():
        own = url.port or DEFAULT_PORTS.get(url.scheme)
        return own == int(port) and _is_named(url, named)
    name = entry.removeprefix("*").strip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))
