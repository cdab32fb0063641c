"""A headless Chromium, driven through its debugging pipe."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
TIMEOUT = 60


def find_browser():
    """RETURNS (Optional[str]): The path of a Chromium, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """One tab of a browser, in which everything runs that is tested.

    profile (Path): An empty folder for the browser's files.
    """

    def __init__(self, profile):
        # Higher than 4, where the browser has its ends of the pipes.
        ours_in, theirs_out = (fcntl.fcntl(f, fcntl.F_DUPFD, 10) for f in os.pipe())
        theirs_in, ours_out = (fcntl.fcntl(f, fcntl.F_DUPFD, 10) for f in os.pipe())
        self.incoming, self.outgoing = ours_in, ours_out

        def connect():
            os.dup2(theirs_in, 3)
            os.dup2(theirs_out, 4)

        options = ["--headless", "--no-sandbox", "--disable-gpu", "--mute-audio"]
        options += ["--hide-scrollbars", "--force-color-profile=srgb"]
        options += ["--disable-dev-shm-usage"]
        self.process = subprocess.Popen(
            [
                find_browser(),
                *options,
                "--remote-debugging-pipe",
                f"--user-data-dir={profile}",
                "about:blank",
            ],
            pass_fds=(3, 4),
            preexec_fn=connect,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (theirs_in, theirs_out):
            os.close(end)
        self.session = None
        self.n_calls = 0
        self.buffer = b""
        self.events = []
        targets = self.call("Target.getTargets")["targetInfos"]
        target = next(t["targetId"] for t in targets if t["type"] == "page")
        self.session = self.call(
            "Target.attachToTarget", targetId=target, flatten=True
        )["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        """Call a method of the DevTools protocol, and keep the events until its result.

        method (str): The method.
        RETURNS (Dict[str, Any]): The result.
        """
        self.n_calls += 1
        message = {"id": self.n_calls, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.outgoing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") != self.n_calls:
                self.events.append(answer)
            elif "error" in answer:
                raise RuntimeError(f"{method}: {answer['error']}")
            else:
                return answer["result"]

    def open(self, path, width=1200, height=900, **media):
        """Open a page.

        path (Path): The file.
        width (int): The width of the window.
        height (int): The height of the window.
        **media (str): Features of the medium, with _ for -.
        """
        features = [{"name": k.replace("_", "-"), "value": v} for k, v in media.items()]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.resize(width, height)
        self.events.clear()
        self.call("Page.navigate", url=path.as_uri())
        while not any(e["method"] == "Page.loadEventFired" for e in self.events):
            self.events.append(self._receive())
        self.settle()

    def resize(self, width, height=900):
        """Give the window another size."""
        size = {"width": width, "height": height}
        self.call(
            "Emulation.setDeviceMetricsOverride",
            **size,
            deviceScaleFactor=1,
            mobile=False,
        )

    def run(self, script):
        """Run JavaScript in the page.

        script (str): An expression, which may await. `root` is the page's shadow root.
        RETURNS (Any): Its value.
        """
        root = "document.querySelector('body > div')?.shadowRoot"
        result = self.call(
            "Runtime.evaluate",
            expression=f"(async (root) => {{ return {script} }})({root})",
            awaitPromise=True,
            returnByValue=True,
        )
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"]["exception"]["description"])
        return result["result"].get("value")

    def settle(self):
        """Wait until what has been changed is drawn."""
        frames = "requestAnimationFrame(() => requestAnimationFrame(resolve))"
        self.run(f"await new Promise((resolve) => {frames})")

    def center(self, selector):
        """The middle of an element, scrolled to where it is seen."""
        element = f"root.querySelector({json.dumps(selector)})"
        self.run(f"{element}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
        self.settle()
        box = self.run(f"{element}.getClientRects()[0].toJSON()")
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def hover(self, selector):
        """Move the mouse to an element."""
        x, y = self.center(selector)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        self.settle()

    def click(self, selector):
        """Click on an element."""
        x, y = self.center(selector)
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call(
                "Input.dispatchMouseEvent",
                **{"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1},
            )
        self.settle()

    def press(self, key, code=0):
        """Press a key."""
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                **{"type": kind, "key": key, "windowsVirtualKeyCode": code},
            )
        self.settle()

    def write(self, text):
        """Write into what has the focus."""
        self.call("Input.insertText", text=text)
        self.settle()

    def screenshot(self, path):
        """Save a PNG of what can be seen."""
        data = self.call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))

    def close(self):
        """End the browser."""
        self.session = None
        self.call("Browser.close")
        self.process.wait(TIMEOUT)
        os.close(self.incoming)
        os.close(self.outgoing)

    def _receive(self):
        until = time.monotonic() + TIMEOUT
        while b"\0" not in self.buffer:
            wait = until - time.monotonic()
            if wait <= 0 or not select.select([self.incoming], [], [], wait)[0]:
                raise TimeoutError("The browser does not answer.")
            data = os.read(self.incoming, 1 << 20)
            if not data:
                raise ConnectionError("The browser has ended.")
            self.buffer += data
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)
