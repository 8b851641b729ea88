"""Posting to addresses that users name: which are refused however they are spelt, what is connected to, and when it ends."""

import socket
import ssl
import subprocess
import threading
from pathlib import Path

import httpcore
import pytest
from webhook_receiver import receiving, say

from feedback_miner.errors import InputError
from feedback_miner.outbound import Poster, TargetError, check_target, host_of, is_public

LOCAL = ["127.0.0.1", "127.0.0.2", "::1"]
pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(LOCAL)]

PRIVATE = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "100.100.100.200", "192.0.0.192", "198.18.0.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:a9fe:a9fe", "::127.0.0.1", "::7f00:1", "64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "64:ff9b:1::1", "2002:7f00:1::",
    "2002:a00:1::1", "2001:0:4136:e378:8000:63bf:80ff:fffe", "2001:db8::1", "100::1", "3fff::1",
]  # fmt: skip
PUBLIC = [
    "8.8.8.8",
    "93.184.216.34",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]
SPELLINGS = [
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0", "0.0.0.0", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[fd00:ec2::254]", "169.254.169.254", "0xa9fea9fe", "10.1", "192.168.257",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_known_as_such(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_open_internet_is_known_as_such(address):
    assert is_public(address)


@pytest.mark.parametrize("host", SPELLINGS)
def test_a_private_address_is_refused_in_all_its_spellings(host):
    with pytest.raises(InputError, match="private or local address"):
        check_target(f"https://{host}/hook", allow_private=False)
    with pytest.raises(TargetError, match="private or local address"):
        Poster().post(f"https://{host}/hook", {}, b"{}")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://example.com/", "https://"),
        ("ftp://example.com/", "https://"),
        ("//example.com/", "https://"),
        ("example.com", "https://"),
        ("", "https://"),
        ("https:///path", "name a host"),
        ("https://.", "name a host"),
        ("https://user:word@example.com/", "no user, password"),
        ("https://user@example.com/", "no user, password"),
        ("https://example.com/#part", "fragment"),
        ("https://example.com:0/", "ports are"),
        ("https://example.com:99999/", "ports are"),
        ("https://example.com:port/", "no URL"),
        ("https://exa\x00mple.com/", "no URL"),
        ("https://[::1/", "no URL"),
        ("https://0177.0.0.1/", "no URL"),
        ("https://１２７.0.0.1/", "no URL"),
        ("https://[fe80::1%25eth0]/", "host that cannot be"),
        ("https://exam ple.com/", "host that cannot be"),
        ("https://example.com/" + "a" * 2_000, "longer than"),
    ],
)
def test_an_address_that_cannot_be_is_refused_and_says_why(url, says):
    with pytest.raises(InputError, match=says):
        check_target(url, allow_private=False)


def test_an_address_is_kept_in_its_plain_form():
    assert check_target("HTTPS://Example.COM/a b?c=ä", allow_private=False) == "https://example.com/a%20b?c=%C3%A4"
    assert host_of(check_target("https://例え.jp/", allow_private=False)) == "xn--r8jz45g.jp"


def test_only_where_it_is_allowed_is_a_private_address_posted_to():
    with receiving() as receiver:
        assert Poster(allow_private=True).post(receiver.url, {"X-Kind": "ping"}, b'{"a":1}') == 204
        (request,) = receiver.requests
        assert (request.path, request.body, request.headers["X-Kind"]) == ("/hook", b'{"a":1}', "ping")
        assert request.headers["Host"] == receiver.url.split("/")[2]
        with pytest.raises(TargetError, match="https://"):
            Poster().post(receiver.url, {}, b"")
        assert len(receiver.requests) == 1


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["::ffff:127.0.0.1"], ["fe80::1%eth0"]])
def test_a_name_is_judged_by_every_address_it_has(addresses, monkeypatch):
    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", lambda *_args, **_named: pytest.fail("connected"))
    with pytest.raises(TargetError, match="internal.example leads to a private or local address"):
        Poster(resolve=lambda _host, _port: addresses).post("https://internal.example/hook", {}, b"{}")


def test_a_name_that_changes_its_address_after_the_check_gains_nothing(monkeypatch):
    """The name server answers a public address when it is asked first, and a private one ever after."""
    asked, connected = [], []
    known = socket.getaddrinfo

    def rebinding(host, port, *args, **named):
        if host != "rebind.example":
            return known(host, port, *args, **named)
        if named.get("flags"):
            raise socket.gaierror
        asked.append(host)
        return known("93.184.216.34" if len(asked) == 1 else "127.0.0.1", port, *args, **named)

    def connect(_backend, host, *_args, **_named):
        connected.append(host)
        raise httpcore.ConnectError

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    with pytest.raises(TargetError, match="could not be asked"):
        Poster().post("https://rebind.example/hook", {}, b"{}")
    assert (asked, connected) == (["rebind.example"], ["93.184.216.34"])
    with pytest.raises(TargetError, match="private or local"):
        Poster().post("https://rebind.example/hook", {}, b"{}")
    assert connected == ["93.184.216.34"]


def test_the_next_address_of_a_name_is_tried_where_one_does_not_answer():
    with receiving("127.0.0.2") as receiver:
        poster = Poster(allow_private=True, resolve=lambda _host, _port: ["127.0.0.1", "127.0.0.2"])
        assert poster.post(receiver.url.replace("127.0.0.2", "two.example"), {}, b"") == 204
        assert receiver.requests[0].headers["Host"].startswith("two.example:")


def test_a_name_without_an_address_says_so():
    def nowhere(_host: str, _port: int) -> list[str]:
        raise socket.gaierror

    with pytest.raises(TargetError, match=r"no address was found for gone\.example"):
        Poster(resolve=nowhere).post("https://gone.example/", {}, b"")


def test_a_redirect_is_not_followed():
    with receiving() as receiver, receiving("127.0.0.2") as other:
        receiver.answer = lambda handler: say(handler, 307, Location=other.url)
        assert Poster(allow_private=True).post(receiver.url, {}, b"") == 307
        assert other.requests == []


def test_no_proxy_is_used(monkeypatch):
    with receiving() as receiver, receiving("127.0.0.2") as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert Poster(allow_private=True).post(receiver.url, {}, b"") == 204
        assert proxy.requests == []


def test_a_refused_connection_says_so():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(TargetError, match=r"127\.0\.0\.1 could not be asked \(ConnectionRefusedError\)"):
        Poster(allow_private=True).post(f"http://127.0.0.1:{port}/secret-path", {}, b"")


def test_an_answer_that_is_none_says_so():
    with receiving() as receiver:
        receiver.answer = lambda handler: handler.wfile.write(b"hello there\r\n\r\n")
        with pytest.raises(TargetError, match=r"could not be asked \(RemoteProtocolError\)"):
            Poster(allow_private=True).post(receiver.url, {}, b"")


@pytest.mark.parametrize("drip", [b"", b"X", b"HTTP/1.1 100 Continue\r\n\r\n"], ids=["silence", "drips", "for ever to be continued"])
def test_whoever_answers_too_slowly_is_hung_up_on(drip):
    over = threading.Event()

    def answer(handler):
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n" if drip.startswith(b"H") else b"HTTP/1.1 200 OK\r\nX: ")
        while not over.wait(0.02):
            handler.wfile.write(drip)

    def dripping(handler):
        try:
            answer(handler)
        except OSError:
            over.set()

    with receiving() as receiver:
        receiver.answer = dripping
        try:
            with pytest.raises(TargetError, match="did not answer within 0.3 s"):
                Poster(allow_private=True, whole_s=0.3).post(receiver.url, {}, b"")
        finally:
            over.set()


def test_an_answers_body_is_not_waited_for():
    over = threading.Event()

    def answer(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        over.wait()

    with receiving() as receiver:
        receiver.answer = answer
        try:
            assert Poster(allow_private=True).post(receiver.url, {}, b"") == 200
        finally:
            over.set()


def test_a_certificate_is_checked_for_the_name_and_its_connection_bounded(tmp_path: Path, monkeypatch):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=hooks.example", "-addext", "subjectAltName=DNS:hooks.example"]
    subprocess.run([*make, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def serve() -> None:
            for _ in range(3):
                connection, _ = listening.accept()
                try:
                    with server.wrap_socket(connection, server_side=True) as secure:
                        while not secure.recv(65_536).endswith(b"{}"):  # closed with a part unread, the answer would be lost
                            pass
                        secure.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
                except OSError:
                    connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        here = {"allow_private": True, "resolve": lambda _host, _port: ["127.0.0.1"]}
        with pytest.raises(TargetError, match="SSLCertVerificationError"):
            Poster(**here).post(f"https://hooks.example:{port}/", {}, b"")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert Poster(**here).post(f"https://hooks.example:{port}/", {}, b"{}") == 202
        with pytest.raises(TargetError, match="SSLCertVerificationError"):
            Poster(**here).post(f"https://other.example:{port}/", {}, b"")
        thread.join()
