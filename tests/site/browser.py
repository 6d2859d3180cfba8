"""A real browser, Debian's chromium, driven over its own protocol (chromedevtools.github.io/devtools-protocol)."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-extensions",
]
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32}


class Page:
    """One tab. `requests` are the addresses that it asked for, `errors` what its console reported."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._loaded = 0
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """One call; its result."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            said = json.loads(self._socket.recv(timeout=30))
            if said.get("id") == self._number:
                if "error" in said:
                    raise RuntimeError(f"{method}: {said['error']}")
                return said["result"]
            self._take(said)

    def _take(self, said: dict[str, Any]) -> None:
        about = said.get("params", {})
        if said.get("method") == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])
        elif said.get("method") == "Page.loadEventFired":
            self._loaded += 1
        elif said.get("method") == "Runtime.exceptionThrown":
            self.errors.append(str(about["exceptionDetails"]))
        elif said.get("method") == "Log.entryAdded" and about["entry"]["level"] == "error":
            self.errors.append(about["entry"]["text"])
        elif said.get("method") == "Page.javascriptDialogOpening":
            self.errors.append(f"a dialog: {about['message']}")
            self._socket.send(
                json.dumps({"id": 0, "method": "Page.handleJavaScriptDialog", "params": {"accept": True}})
            )

    def open(self, address: str) -> float:
        """Go there and wait until it is loaded; the seconds that took."""
        before, began = self._loaded, time.monotonic()
        self.call("Page.navigate", url=address)
        while self._loaded == before:
            self._take(json.loads(self._socket.recv(timeout=30)))
        return time.monotonic() - began

    def run(self, script: str) -> Any:
        """The value of an expression."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(json.dumps(found["exceptionDetails"])[:2000])
        return found["result"].get("value")

    def press(self, key: str, times: int = 1) -> None:
        """A key, as a person presses it."""
        text = "\r" if key == "Enter" else key if len(key) == 1 else ""
        about = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS.get(key, ord(key[0].upper()))}
        for _ in range(times):
            self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **about)
            self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def type(self, text: str) -> None:
        """Words, into what has the focus."""
        for letter in text:
            self.press(letter)

    def size(self, width: int, height: int, *, mobile: bool = False) -> None:
        """The window."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def scheme(self, name: str) -> None:
        """`light` or `dark`."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def media(self, name: str) -> None:
        """`print` or `screen`, dark as a person's system may be; an empty name undoes it."""
        features = [{"name": "prefers-color-scheme", "value": "dark"}] if name else []
        self.call("Emulation.setEmulatedMedia", media=name, features=features)

    def printed(self) -> bytes:
        """The page as a PDF on A4, as the browser's own dialogue makes it: without background colours."""
        paper = {"paperWidth": 8.27, "paperHeight": 11.69, "preferCSSPageSize": True, "printBackground": False}
        return base64.b64decode(self.call("Page.printToPDF", **paper)["data"])

    def scripts(self, *, on: bool) -> None:
        """Whether pages may run scripts."""
        self.call("Emulation.setScriptExecutionDisabled", value=not on)

    def picture(self, path: Path, *, height: int | None = None) -> None:
        """A PNG of the window, or of the page down to `height`."""
        if height is not None:
            width = self.run("innerWidth")
            self.size(width, height, mobile=width < 600)
        shot = self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """A fresh browser with one tab; `folder` holds its profile."""
    assert CHROMIUM is not None
    profile = folder / "profile"
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = profile / "DevToolsActivePort"
        deadline = time.monotonic() + 60
        while not (port.is_file() and port.read_text().count("\n")):
            assert process.poll() is None and time.monotonic() < deadline, "chromium did not start"
            time.sleep(0.05)
        number, path = port.read_text().split("\n")[:2]
        with connect(f"ws://127.0.0.1:{number}{path}", max_size=2**28, proxy=None) as root:
            yield Page(_tab(root, int(number)))
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


def _tab(root: ClientConnection, port: int) -> ClientConnection:
    root.send(json.dumps({"id": 1, "method": "Target.createTarget", "params": {"url": "about:blank"}}))
    while True:
        said = json.loads(root.recv(timeout=30))
        if said.get("id") == 1:
            target = said["result"]["targetId"]
            return connect(f"ws://127.0.0.1:{port}/devtools/page/{target}", max_size=2**28, proxy=None)
