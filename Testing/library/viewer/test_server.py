"""Who is let in: a link that opens once, exact names, this very host, GET alone."""

import contextlib
import http.client
import socket
import threading
import time

import pytest

from FlareSegLib.errors import FlareSegError
from FlareSegLib.viewer.content import Resource
from FlareSegLib.viewer.server import PageServer

RESOURCES = {"": Resource("text/html", b"<p>page</p>"),
             "ct.nii": Resource("application/octet-stream", bytes(range(256)))}


@pytest.fixture
def server():
    with PageServer(RESOURCES) as server:
        thread = threading.Thread(target=server.serve)
        thread.start()
        yield server
        server.stop()
        thread.join()


def ask(server, path, method="GET", host=None, timeout=10):
    """Send a request exactly as it is given; return status, headers, body."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=timeout)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for one in [f"127.0.0.1:{server.server_port}"] if host is None else host:
        connection.putheader("Host", one)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


def ticket(server):
    return "/" + server.link.rsplit("/", 1)[1]


def test_the_link_opens_once_and_leads_to_the_page(server):
    status, headers, _ = ask(server, ticket(server))
    assert (status, headers["Location"]) == (303, f"/{server.key}/")
    assert server.key not in server.link
    for _ in range(2):  # the page may be reloaded
        assert ask(server, headers["Location"])[::2] == (200, b"<p>page</p>")
    assert ask(server, headers["Location"] + "ct.nii")[2] == bytes(range(256))
    assert ask(server, ticket(server))[0] == 404


def test_of_many_who_take_the_link_at_once_one_gets_in(server):
    statuses = []
    threads = [threading.Thread(target=lambda: statuses.append(ask(server, ticket(server))[0])) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [303] + 11 * [404]


@pytest.mark.parametrize("path", [
    "/", "//", "", "*", "/index.html", "/ct.nii", "/KEY", "/KEY/none", "/KEY/index.html", "/KEY//", "/KEY/./",
    "/KEY/../", "/KEY/../../etc/passwd", "/KEY/%2e%2e/%2e%2e/etc/passwd", "/KEY/..%2fserver.py",
    "/KEY/niivue/", "/KEY/ct.nii/", "/KEY/ct.nii?x", "/KEY/ct.nii%00", "/KEY/CT.nii", "/KEY/\\..\\server.py",
    "/KEYx/", "/key/", "/x/ct.nii", "/TICKET/", "/TICKET/ct.nii", "/TICKETx", "/\xff\xfe/", "http://127.0.0.1/KEY/",
])
def test_anything_else_is_not_found(server, path):
    asked = path.replace("KEY", server.key).replace("TICKET", ticket(server)[1:]).encode("latin-1")
    answer = raw(server, b"GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % (asked, server.server_port))
    assert answer.endswith(b"Not found. The link opens once; start flareseg view again.\n")
    assert answer.startswith(b"HTTP/1.0 404 ") or not path  # a line of two words is HTTP/0.9, without a status
    assert server.key.encode() not in answer
    assert ask(server, ticket(server))[0] == 303, "the ticket was lost to a wrong request"


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "X"])
def test_other_methods_are_not_found(server, method):
    for path in (ticket(server), f"/{server.key}/", f"/{server.key}/ct.nii"):
        status, headers, body = ask(server, path, method)
        assert status == 404 and b"page" not in body and "Location" not in headers
    assert ask(server, ticket(server))[0] == 303


@pytest.mark.parametrize("host", [
    [], ["evil.example"], ["evil.example:PORT"], ["127.0.0.1"], ["127.0.0.1:1"], ["127.0.0.1.evil.example:PORT"],
    ["127.0.0.1:PORT@evil.example"], ["[::1]:PORT"], ["0.0.0.0:PORT"], [""], ["127.0.0.1:PORT", "evil.example"],
])
def test_another_host_is_not_found(server, host):
    """DNS rebinding: a page of the web that makes its own name mean 127.0.0.1."""
    names = [name.replace("PORT", str(server.server_port)) for name in host]
    assert ask(server, f"/{server.key}/", host=names)[0] == 404
    assert ask(server, ticket(server), host=names)[0] == 404
    assert ask(server, ticket(server), host=[f"LOCALHOST:{server.server_port}"])[0] == 303


@pytest.mark.parametrize("junk", [b"\r\n\r\n", b"\0\1\2\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                                  b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
                                  b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n",
                                  b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"])
def test_junk_is_answered_without_a_word_and_harms_nobody(server, junk, capfd):
    answer = raw(server, junk)
    assert answer == b"" or b"Not found" in answer
    assert b"Python" not in answer
    assert ask(server, ticket(server))[0] == 303
    assert capfd.readouterr().err == ""


def test_an_open_connection_keeps_nobody_waiting(server):
    with socket.create_connection(("127.0.0.1", server.server_port)):
        assert ask(server, ticket(server))[0] == 303


def test_what_every_answer_says(server):
    for path in (ticket(server), f"/{server.key}/", f"/{server.key}/ct.nii", "/nothing"):
        _, headers, _ = ask(server, path)
        assert headers["Cache-Control"] == "no-store" and headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none';") and "unsafe" not in policy and "http" not in policy
        assert "Python" not in headers["Server"] and not any(name.startswith("Access-Control") for name in headers)


def test_only_loopback_listens(server):
    assert server.server_address[0] == "127.0.0.1"
    with PageServer(RESOURCES) as other:
        assert other.key != server.key and other.link != server.link
        assert min(len(other.key), len(ticket(other)[1:])) >= 43  # 256 bits


def test_it_ends_when_everything_was_sent():
    with PageServer(RESOURCES) as server:
        thread = threading.Thread(target=server.serve, kwargs={"once": True})
        thread.start()
        for name in ("", "", "ct.nii"):
            assert thread.is_alive()
            ask(server, f"/{server.key}/{name}")
        thread.join(20)
        assert not thread.is_alive()


def test_it_ends_when_nobody_is_let_in():
    with PageServer(RESOURCES) as server:
        thread = threading.Thread(target=server.serve, kwargs={"idle_s": 1.0})
        thread.start()
        end = time.monotonic() + 30
        while thread.is_alive() and time.monotonic() < end:  # who is not let in keeps nothing open
            with contextlib.suppress(OSError):
                ask(server, "/nothing", timeout=1)
        assert not thread.is_alive()


def test_a_port_that_is_taken_or_none_is_told(server):
    for port in (server.server_port, 70_000, -1):
        with pytest.raises(FlareSegError) as failure:
            PageServer(RESOURCES, port)
        assert failure.value.code == "bad_option" and str(port) in str(failure.value)


def raw(server, request: bytes) -> bytes:
    """Send bytes and return all that comes back."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as connection:
        answer = b""
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(1 << 16):
                answer += chunk
        except ConnectionError:  # the server hung up before it had read everything
            pass
        return answer
