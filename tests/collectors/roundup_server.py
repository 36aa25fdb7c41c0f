"""A real Roundup: its tracker on sqlite, behind its WSGI application, in a process of its own."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests

from tests.ports import free_port

ADMIN = ("admin", "password-of-the-admin")
_SERVE = """
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server
from roundup.cgi.wsgi_handler import RequestDispatcher

class Quiet(WSGIRequestHandler):
    def log_message(self, *told):
        pass

app = RequestDispatcher(sys.argv[1])
make_server("127.0.0.1", int(sys.argv[2]), app, handler_class=Quiet).serve_forever()
"""
_ADMINISTER = "from roundup.scripts.roundup_admin import run; run()"


class Roundup:
    """A tracker of the classic template in `home`. Runs from `start` until `close`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.site = f"http://127.0.0.1:{self.port}/"
        self.url = self.site + "rest/data"
        self.running: subprocess.Popen[bytes] | None = None
        self._administer("install", "classic", "sqlite")
        self.configure(web=self.site, domain="tracker.example", host="localhost", backend="sqlite")
        self.configure(password_pbkdf2_default_rounds=1000)  # every call signs in
        self._administer("initialise", ADMIN[1])

    def configure(self, **settings: object) -> None:
        """Write settings of the tracker's config.ini, each of which is there once."""
        file = self.home / "config.ini"
        text = file.read_text()
        for name, value in settings.items():
            line = re.compile(rf"^#?{name} = .*$", re.M)
            text, count = line.subn(f"{name} = {value}", text, count=1)
            assert count == 1, name
        file.write_text(text)

    def start(self) -> None:
        """Serve; returns when it answers."""
        command = [sys.executable, "-c", _SERVE, str(self.home), str(self.port)]
        with (self.home / "served.log").open("ab") as log:
            self.running = subprocess.Popen(command, stdout=log, stderr=log)
        while self.running.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                    return
            except OSError:
                continue
        raise AssertionError((self.home / "served.log").read_text())

    def close(self) -> None:
        """Stop serving."""
        if self.running is not None:
            self.running.kill()
            self.running.wait()
            self.running = None

    def create(self, kind: str, **values: Any) -> str:
        """A new item of a class, over the tracker's own API; its id."""
        made = self._changed("POST", kind, json=values)
        return str(made["data"]["id"])

    def change(self, kind: str, number: str, **values: Any) -> None:
        """Set properties of an item."""
        self._changed("PUT", f"{kind}/{number}", json=values)

    def retire(self, kind: str, number: str) -> None:
        """What Roundup does in place of deletion."""
        self._changed("DELETE", f"{kind}/{number}", json={})

    def _changed(self, method: str, path: str, **sent: Any) -> Any:
        headers = {"X-Requested-With": "rest", "Origin": self.site[:-1], "Referer": self.site}
        if method != "POST":
            held = requests.get(f"{self.url}/{path}", auth=ADMIN, timeout=60)
            headers["If-Match"] = held.headers["ETag"]
        answer = requests.request(
            method, f"{self.url}/{path}", auth=ADMIN, headers=headers, timeout=60, **sent
        )
        assert answer.ok, answer.text
        return answer.json()

    def _administer(self, *words: str) -> None:
        command = [sys.executable, "-c", _ADMINISTER, "-i", str(self.home), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
