"""A real Redmine, Debian's, on a copy of its database: what is installed is not touched."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.ports import free_port

HOME = Path("/usr/share/redmine")
_INSTALLED = Path("/var/lib/dbconfig-common/sqlite3/redmine/instances/default/redmine_default")
_SEED = """
Setting.rest_api_enabled = 1
Issue.destroy_all
Project.destroy_all
User.where(login: "headwater").destroy_all
admin = User.find_by_login("admin")
admin.must_change_passwd = false
admin.save!(validate: false)
reader = User.new(firstname: "Head", lastname: "Water", mail: "headwater@x.example")
reader.login = "headwater"
reader.password = reader.password_confirmation = "a-password-of-length"
reader.save!
{"credit" => false, "open" => true}.each do |name, open|
  project = Project.create!(name: name, identifier: name, is_public: open,
                            trackers: Tracker.all, enabled_module_names: ["issue_tracking"])
  Member.create!(project: project, principal: reader, roles: [Role.givable.last])
end
puts "KEYS #{admin.api_key} #{reader.api_key}"
"""

asked = pytest.mark.skipif(
    os.environ.get("HEADWATER_REDMINE") != "1",
    reason="set HEADWATER_REDMINE=1, as root, where Debian's redmine, redmine-sqlite and puma are "
    "installed (docs/rest_api.md)",
)


class Redmine:
    """Projects `credit` (private) and `open`, and a reader who is a member of both. Runs until
    `close`; `key` is the reader's."""

    def __init__(self, folder: Path) -> None:
        database = folder / "redmine.sqlite3"
        shutil.copyfile(_INSTALLED, database)
        self.environment = os.environ | {
            "BUNDLER_VERSION": "2.3.15", "RAILS_ENV": "production", "X_DEBIAN_SITEID": "default",
            "RAILS_LOG_TO_STDOUT": "1", "DATABASE_URL": f"sqlite3:{database}",
        }  # fmt: skip
        seed = folder / "seed.rb"
        seed.write_text(_SEED)
        command = ["bin/rails", "runner", str(seed)]
        done = subprocess.run(
            command, cwd=HOME, env=self.environment, capture_output=True, text=True, timeout=240
        )
        told = [line for line in done.stdout.splitlines() if line.startswith("KEYS ")]
        assert told, done.stdout + done.stderr
        _, self.admin, self.key = told[0].split()
        self.url = f"http://127.0.0.1:{free_port()}"
        self.process = self._served(folder / "served.log")

    def _served(self, file: Path) -> subprocess.Popen[bytes]:
        where = self.url.replace("http", "tcp")
        command = ["puma", "-b", where, "-e", "production", "--dir", str(HOME)]
        with file.open("wb") as log:
            process = subprocess.Popen(
                command, cwd=HOME, env=self.environment, stdout=log, stderr=log
            )
        while process.poll() is None:
            try:
                requests.get(self.url, timeout=60)
            except requests.ConnectionError:
                time.sleep(0.2)
                continue
            return process
        raise AssertionError(file.read_text())

    def call(self, method: str, path: str, **sent: Any) -> Any:
        """What the administrator asks of Redmine's own API; the answer's JSON, if it has one."""
        headers = {"X-Redmine-API-Key": self.admin}
        answer = requests.request(
            method, f"{self.url}{path}", headers=headers, timeout=60, json=sent or None
        )
        assert answer.ok, answer.text
        return answer.json() if answer.text.strip() else None

    def raised(self, project: str, subject: str) -> int:
        """A new issue; its number."""
        issue = {"project_id": project, "subject": subject, "tracker_id": 1, "priority_id": 4}
        return int(self.call("POST", "/issues.json", issue=issue)["issue"]["id"])

    def close(self) -> None:
        """Stop serving."""
        self.process.kill()
        self.process.wait()
