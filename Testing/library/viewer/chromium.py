"""Headless Chromium with software WebGL, steered over its debugging pipe: nothing but the standard library."""

from __future__ import annotations

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import time
from typing import Self

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
READS, WRITES = 3, 4  # file descriptors of --remote-debugging-pipe
ABOVE_BOTH = 10
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-sync",
         "--no-first-run", "--no-default-browser-check", "--disable-extensions", "--disable-domain-reliability",
         "--disable-features=OptimizationHints,MediaRouter,Translate", "--no-pings", "--mute-audio")
SOFTWARE_GL = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")


class Chromium:
    """One browser with one page; a context manager.

    `events` holds everything that the page reported: (method, parameters).
    """

    def __init__(self, profile, size: tuple[int, int]):
        self.events: list[tuple[str, dict]] = []
        self._numbers = itertools.count(1)
        self._unread = b""
        self._session: str | None = None
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        command = [CHROMIUM, "--headless=new", *root, *QUIET, *SOFTWARE_GL, "--remote-debugging-pipe",
                   f"--user-data-dir={profile}", "--window-size={},{}".format(*size), "about:blank"]
        self._process, self._to, self._from = _with_pipe(command)
        target = next(each for each in self.call("Target.getTargets")["targetInfos"] if each["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1,
                  mobile=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        os.close(self._to)
        self._process.terminate()
        self._process.wait(30)
        os.close(self._from)

    def call(self, method: str, **parameters) -> dict:
        """Call a method of the DevTools protocol and return its result."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            if "method" in answer:
                self.events.append((answer["method"], answer.get("params", {})))

    def open(self, url: str) -> None:
        """Go to a page."""
        self.call("Page.navigate", url=url)

    def evaluate(self, expression: str):
        """The JSON value of an expression in the page; promises are awaited."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"].get("exception", {}).get("description", "failed"))
        return result["result"].get("value")

    def wait_for(self, expression: str, patience_s: float = 90.0) -> None:
        """Wait until an expression is true in the page."""
        end = time.monotonic() + patience_s
        while not self.evaluate(expression):
            if time.monotonic() > end:
                raise TimeoutError(f"{expression} never came true; the page said {self.complaints()}")
            time.sleep(0.1)

    def click(self, x: float, y: float) -> None:
        """Press and release the left button at a place of the window, in pixels."""
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def screenshot(self) -> bytes:
        """PNG of the window."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def requests(self) -> list[str]:
        """Addresses of all requests so far."""
        return [event["request"]["url"] for method, event in self.events if method == "Network.requestWillBeSent"]

    def complaints(self) -> list[str]:
        """Errors and warnings of the page, its scripts and the policies that it runs under."""
        found = []
        for method, event in self.events:
            if method == "Runtime.exceptionThrown":
                details = event["exceptionDetails"]
                found.append(details.get("exception", {}).get("description", details["text"]))
            elif method == "Runtime.consoleAPICalled" and event["type"] in ("error", "warning", "assert"):
                found.append(" ".join(str(each.get("value", each.get("description"))) for each in event["args"]))
            elif method == "Log.entryAdded" and event["entry"]["level"] in ("error", "warning"):
                found.append(event["entry"]["text"])
        return found

    def _message(self, patience_s: float = 120.0) -> dict:
        while b"\0" not in self._unread:
            if not select.select([self._from], [], [], patience_s)[0]:
                raise TimeoutError("Chromium does not answer")
            chunk = os.read(self._from, 1 << 20)
            if not chunk:
                raise RuntimeError("Chromium has ended")
            self._unread += chunk
        text, self._unread = self._unread.split(b"\0", 1)
        return json.loads(text)


def _with_pipe(command: list[str]) -> tuple[subprocess.Popen, int, int]:
    """Start a command with pipes at the descriptors 3 and 4; return it, where to write and where to read."""
    theirs_in, to = os.pipe()
    back, theirs_out = os.pipe()

    def place() -> None:
        import fcntl

        high = [fcntl.fcntl(each, fcntl.F_DUPFD, ABOVE_BOTH) for each in (theirs_in, theirs_out)]
        for each, number in zip(high, (READS, WRITES)):
            os.dup2(each, number)

    process = subprocess.Popen(command, preexec_fn=place, close_fds=False,  # noqa: PLW1509 (no threads here)
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(theirs_in)
    os.close(theirs_out)
    return process, to, back
