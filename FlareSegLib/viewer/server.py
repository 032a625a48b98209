"""A server for one page and one reader: on loopback, behind a link that opens once.

The link stands on the browser's command line, where other users of the machine can read it. It is therefore taken
from the first who asks, and leads to a path that only the browser learns.
"""

from __future__ import annotations

import os
import secrets
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ..errors import FlareSegError
from .content import Resource

LOOPBACK = "127.0.0.1"
NAMES = (LOOPBACK, "localhost")
POLL_S = 0.2
PATIENCE_S = 30
IDLE_S = 3600.0

#: The page may load what lies beside it, and nothing else; NiiVue's font and textures are data inside its own file.
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data: blob:; "
          "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")

HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class PageServer(ThreadingHTTPServer):
    """Serves `resources` by their exact names, from memory.

    Parameters
    ----------
    resources : dict
        `Resource` by name; the empty name is the page.
    port : int
        0 for any that is free.

    Raises
    ------
    FlareSegError
        "bad_option" where the port cannot be had.
    """

    allow_reuse_address = os.name == "posix"  # elsewhere it lets others listen on the same port
    allow_reuse_port = False
    timeout = POLL_S

    def __init__(self, resources: dict[str, Resource], port: int = 0):
        self.resources = resources
        self.key = secrets.token_urlsafe(32)
        self._ticket: str | None = secrets.token_urlsafe(32)
        self._unsent = set(resources)
        self._last_request = time.monotonic()
        self._lock = threading.Lock()
        self._stopped = False
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except (OSError, OverflowError) as error:
            raise FlareSegError("bad_option", f"Port {port} cannot be used; leave --port out or name a free "
                                              "one.") from error
        self.link = f"http://{LOOPBACK}:{self.server_port}/{self._ticket}"
        self._hosts = {f"{name}:{self.server_port}" for name in NAMES}

    def server_bind(self) -> None:
        """Bind without HTTPServer's look-up of the machine's name: no network is needed."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, self.socket.getsockname()[1]

    def serve(self, once: bool = False, idle_s: float = IDLE_S) -> None:
        """Answer requests until `idle_s` seconds bring none that is let in, or everything has been sent (`once`).

        Threads answer; the one that calls only waits.
        """
        while not self._stopped and time.monotonic() - self._last_request < idle_s and (self._unsent or not once):
            self.handle_request()

    def stop(self) -> None:
        """Let `serve`, in another thread, come to an end."""
        self._stopped = True

    def knows_host(self, hosts: list[str]) -> bool:
        """Whether a request names this very server: another name for 127.0.0.1 is DNS rebinding."""
        return len(hosts) == 1 and hosts[0].lower() in self._hosts

    def redeem(self, ticket: str) -> bool:
        """Whether this is the ticket, which is void from now on."""
        with self._lock:
            if self._ticket is None or not _same(ticket, self._ticket):
                return False
            self._ticket = None
            self._last_request = time.monotonic()
            return True

    def resource(self, key: str, name: str) -> Resource | None:
        """What has that name, for those who have the key."""
        return self.resources.get(name) if _same(key, self.key) else None

    def sent(self, name: str) -> None:
        """Take note that a resource has left as a whole."""
        with self._lock:
            self._unsent.discard(name)
            self._last_request = time.monotonic()

    def handle_error(self, request: object, client_address: object) -> None:
        """A reader that went away is no failure, and no request is ever logged."""


class _Handler(BaseHTTPRequestHandler):
    """GET of /TICKET leads to /KEY/; /KEY/NAME is a resource; anything else is not found."""

    server: PageServer
    timeout = PATIENCE_S

    def do_GET(self) -> None:
        if not self.server.knows_host(self.headers.get_all("Host", [])):
            return self._not_found()
        match self.path.split("/"):
            case ["", ticket] if self.server.redeem(ticket):
                self._answer(303, Resource("text/plain", b""), {"Location": f"/{self.server.key}/"})
            case ["", key, name] if (resource := self.server.resource(key, name)) is not None:
                self._answer(200, resource)
                self.server.sent(name)
            case _:
                self._not_found()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Other methods and malformed requests learn nothing more than anybody else."""
        self._not_found()

    def version_string(self) -> str:
        return "flareseg"

    def log_message(self, *arguments: object) -> None:
        """Say nothing: a path holds the key."""

    def _not_found(self) -> None:
        self._answer(404, Resource("text/plain; charset=utf-8", b"Not found. The link opens once; start flareseg view "
                                                               b"again.\n"))

    def _answer(self, status: int, resource: Resource, headers: dict[str, str] | None = None) -> None:
        self.close_connection = True
        self.send_response(status)
        for name, value in (HEADERS | (headers or {})).items():
            self.send_header(name, value)
        self.send_header("Content-Type", resource.kind)
        self.send_header("Content-Length", str(len(resource.body)))
        self.end_headers()
        self.wfile.write(resource.body)


def _same(one: str, other: str) -> bool:
    """Compare in constant time."""
    return secrets.compare_digest(one.encode(), other.encode())
