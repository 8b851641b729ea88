"""Posts to addresses that users name, so that none of them leads into the operator's own network.

A host's name is resolved once, at connect time; every address it has must be one of the open internet, and the connection goes to exactly
the address that was checked: a name server that answers otherwise a moment later gains nothing. Certificates are checked for the name.
No redirect is followed, no proxy used, no answer's body read, and the whole of it ends within a given time, however slowly somebody drips.
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import httpcore
import httpx

from feedback_miner.errors import FeedbackMinerError, InputError

__all__ = ["Poster", "TargetError", "check_target", "host_of", "is_public"]

_LONGEST_URL = 2_000
_UNICAST = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is handed out. Everything beside it is of somebody's own, or wraps an IPv4 address."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NOBODYS = tuple(map(ipaddress.ip_network, ("168.63.129.16/32", "192.0.0.0/24", "3fff::/20")))
"""What looks public and is not: Azure's metadata server; what standards keep for themselves, Oracle's metadata server in it; examples."""

Resolve = Callable[[str, int], Sequence[str]]
_Option = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class TargetError(FeedbackMinerError):
    """Why an address could not be posted to, in words for whoever named it. Quotes its host, never its path."""


def check_target(url: str, *, allow_private: bool) -> str:
    """Return a URL in its plain form. Raises InputError where it can be seen without asking anybody that it is none to post to.

    What a name leads to is found out at each connection.
    """
    try:
        parsed = httpx.URL(url)
        plain, port = str(parsed), parsed.port
        host = host_of(plain)
    except (httpx.InvalidURL, ValueError):
        raise InputError("url is no URL; give one like https://host/path") from None
    if parsed.scheme not in ("https", "http") or not host.strip("."):
        raise InputError("url must begin with https:// and name a host, like https://host/path")
    if parsed.scheme == "http" and not allow_private:
        raise InputError("url must begin with https://; plain http is for private addresses, where the operator allows them")
    if parsed.userinfo or parsed.fragment:
        raise InputError("url must hold no user, password or fragment; deliveries are signed")
    if port is not None and not 0 < port < 65_536:
        raise InputError(f"url has the port {port}; ports are 1 to 65535")
    if "%" in host or len(host) > 253:
        raise InputError("url names a host that cannot be; give one like https://host/path")
    if len(plain) > _LONGEST_URL:
        raise InputError(f"url is longer than {_LONGEST_URL} characters; give a shorter one")
    if not allow_private and (address := _numeric(host)) is not None and not is_public(address):
        raise InputError(f"{host} is a private or local address; only the operator can allow those (FEEDBACK_MINER_ALLOW_PRIVATE_TARGETS)")
    return plain


def host_of(url: str) -> str:
    """Return the host that a URL names, as it is sent: lower case, in ASCII."""
    return httpx.URL(url).raw_host.decode("ascii")


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the open internet, also where IPv6 wraps an IPv4 address."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip not in _UNICAST:
            return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _NOBODYS)


class Poster:
    """Posts, one connection each. Safe to share between threads."""

    def __init__(
        self, *, allow_private: bool = False, connect_s: float = 5.0, whole_s: float = 15.0, resolve: Resolve | None = None
    ) -> None:
        """Set time limits in seconds, of connecting and of the whole; ``resolve`` answers the addresses of (host, port)."""
        self._allow_private, self._connect_s, self._whole_s = allow_private, connect_s, whole_s
        self._resolve = resolve or _resolve
        self._tls = ssl.create_default_context()

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Post a body; return the status of the answer. Raises TargetError where there is none, or the address is none to post to."""
        try:
            url = check_target(url, allow_private=self._allow_private)
        except InputError as error:
            raise TargetError(str(error)) from None
        host = host_of(url)
        backend = _CheckedBackend(self._resolve, allow_private=self._allow_private, ends_at=time.monotonic() + self._whole_s)
        limits = {"connect": self._connect_s, "read": self._whole_s, "write": self._whole_s, "pool": self._whole_s}
        try:
            with (
                httpcore.ConnectionPool(ssl_context=self._tls, network_backend=backend) as pool,
                pool.stream(
                    "POST", url, headers=[*headers.items(), ("Connection", "close")], content=body, extensions={"timeout": limits}
                ) as response,
            ):
                return int(response.status)
        except httpcore.ConnectTimeout:
            raise TargetError(f"{host} could not be connected to in time") from None
        except httpcore.TimeoutException:
            raise TargetError(f"{host} did not answer within {self._whole_s:g} s") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            # The class says enough (ConnectionRefusedError, SSLCertVerificationError); messages may quote the server.
            raise TargetError(f"{host} could not be asked ({type(error.__context__ or error).__name__})") from None


class _CheckedBackend(httpcore.NetworkBackend):
    """Connects to what it has checked, and to nothing else, until its time is over."""

    def __init__(self, resolve: Resolve, *, allow_private: bool, ends_at: float) -> None:
        self._resolve, self._allow_private, self._ends_at = resolve, allow_private, ends_at
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[_Option] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = list(dict.fromkeys(self._resolve(host, port)))
        except (OSError, UnicodeError):
            raise TargetError(f"no address was found for {host}") from None
        if not self._allow_private and not all(map(is_public, addresses)):
            raise TargetError(f"{host} leads to a private or local address; only the operator can allow those")
        ends_at = min(self._ends_at, time.monotonic() + (timeout or 0.0))
        failure: Exception = TargetError(f"no address was found for {host}")
        for address in addresses:
            try:
                stream = self._plain.connect_tcp(address, port, _left(ends_at, httpcore.ConnectTimeout), local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _BoundedStream(stream, self._ends_at)
        raise failure


class _BoundedStream(httpcore.NetworkStream):
    """A connection with one time limit for all that goes over it: a socket's own begins anew with every byte."""

    def __init__(self, stream: httpcore.NetworkStream, ends_at: float) -> None:
        self._stream, self._ends_at = stream, ends_at

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - there is one limit for all
        return self._stream.read(max_bytes, _left(self._ends_at, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._stream.write(buffer, _left(self._ends_at, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = min(timeout or 0.0, _left(self._ends_at, httpcore.ConnectTimeout))
        return _BoundedStream(self._stream.start_tls(ssl_context, server_hostname, left), self._ends_at)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


def _left(ends_at: float, late: type[httpcore.TimeoutException]) -> float:
    """Return the seconds that are left; raise ``late`` where there are none."""
    left = ends_at - time.monotonic()
    if left <= 0:
        raise late
    return left


def _resolve(host: str, port: int) -> list[str]:
    # The system's resolver has limits of its own; whoever waits for it holds up nobody but itself.
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _numeric(host: str) -> str | None:
    """Return the address that a host spells out in digits, in any of the ways a system reads; ``None`` where it is a name."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))  # 127.1, 0x7f000001, 2130706433
    except OSError:
        return None
