"""The proxies of the environment: which of them a request goes through.

Docker gives HTTP_PROXY of its own configuration to every container, so an API that cannot be reached may be
the proxy's fault. No proxy can reach a service on this container's loopback, which is asked directly.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from compose_seeder.safe_url import SafeUrl


def is_loopback(host: str) -> bool:
    """Tell if the host is this machine, or this container."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def direct_to_loopback(url: str) -> dict[str, None]:
    """Return the `mounts` of an httpx client that asks this URL without a proxy, if it is on loopback."""
    host = urlsplit(url).hostname or ""
    shown = f"[{host}]" if ":" in host else host
    return {f"all://{shown}": None} if is_loopback(host) else {}


def describe_proxy(url: str) -> str:
    """Return which proxy of the environment is asked for a URL, for the end of a message; "" for none."""
    parts = urlsplit(url)
    proxies = getproxies()
    name = parts.scheme if parts.scheme in proxies else "all"
    proxy = proxies.get(name)
    if not proxy or proxy_bypass(parts.hostname or ""):
        return ""
    address = SafeUrl(proxy if "://" in proxy else f"http://{proxy}")
    return (
        f" (through the proxy {address}, which {name.upper()}_PROXY names; NO_PROXY can name hosts"
        " that are asked directly)"
    )


def describe_route(url: object) -> str:
    """Return the same for a client that has `direct_to_loopback`."""
    text = str(url)
    return "" if is_loopback(urlsplit(text).hostname or "") else describe_proxy(text)
