"""The example configuration is whole: it loads, and every key that the code knows stands in it."""

from __future__ import annotations

import dataclasses
import pkgutil
import tomllib
from pathlib import Path

import collectors
from dashboards.provider import Provider
from flows._alerts.channel import Channel
from flows._alerts.kinds import KINDS
from flows._alerts.settings import Alerts
from flows.config import Binding, Showing, Verifying, Watching, load
from flows.config_access import AccessTable
from flows.config_reader import TABLES
from flows.config_sources import OWN
from flows.config_values import GIVEN, resolve
from flows.draft_model import Drafting
from flows.outside import Anchor, WitnessAt, witnesses
from flows.suggest_model import Suggest
from mappings.catalogue import load_catalogue
from mappings.overrides import Override
from storage.mail import MailServer
from storage.redaction import Rule
from storage.retention import RetentionClass

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "headwater.toml"
SECRETS = (
    "MLFLOW_PASSWORD", "MLFLOW_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN", "JIRA_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN",
    "SERVICENOW_PASSWORD", "SERVICENOW_KEY", "SERVICENOW_SECRET",
    "FORGE_TOKEN", "GX_DATABASE_URL", "SUGGEST_KEY", "DRAFT_KEY",
    "WALL_SCREEN_TOKEN", "OIDC_CLIENT_SECRET", "SMTP_PASSWORD", "TSA_PASSWORD",
    "SLACK_WEBHOOK", "TEAMS_WEBHOOK", "PAGERDUTY_KEY", "OWN_WEBHOOK", "OWN_WEBHOOK_SECRET",
    "GATEWAY_KEY", "JIRA_WRITE_TOKEN", "GITHUB_WRITE_HEADER", "WITNESS_ACCESS_KEY_ID",
    "WITNESS_SECRET_ACCESS_KEY", "WITNESS_SESSION_TOKEN",
)  # fmt: skip
GIVEN_SECRETS = dict.fromkeys(SECRETS, "a secret that is long enough to sign")
RAW = tomllib.loads(EXAMPLE.read_text())


def test_the_example_loads() -> None:
    config = load(EXAMPLE, GIVEN_SECRETS)
    load_catalogue().expectations(config.overrides)


def test_every_collector_and_each_of_its_settings_is_in_it() -> None:
    shared = {"base", "contract", "http"}
    modules = {m.name for m in pkgutil.iter_modules(collectors.__path__)} - shared
    used = {table["uses"] for table in RAW["source"]}
    assert {u.split(":")[0] for u in used} == {
        f"collectors.{name}" for name in modules if not name.startswith("_")
    }
    for table in RAW["source"]:
        fields = {f.name for f in dataclasses.fields(resolve(table["uses"])) if f.init} - GIVEN
        assert fields == set(table) - set(OWN), table["uses"]


def test_every_setting_of_what_lies_outside_is_in_it() -> None:
    keys = {key for table in RAW["witness"] for key in table}
    assert keys == {f.name for f in dataclasses.fields(WitnessAt)}
    assert set(RAW["mail"]) == {f.name for f in dataclasses.fields(MailServer)}
    assert set(RAW["anchor"]) == {f.name for f in dataclasses.fields(Anchor)}
    assert set(RAW["suggest"]) == {f.name for f in dataclasses.fields(Suggest)}
    assert set(RAW["draft"]) == {f.name for f in dataclasses.fields(Drafting)}
    assert set(RAW["verify"]) == {f.name for f in dataclasses.fields(Verifying)}
    assert set(RAW["login"]) == {f.name for f in dataclasses.fields(Provider)}
    assert set(RAW["law"]) == {f.name for f in dataclasses.fields(Binding)}
    assert set(RAW["board"]) == {f.name for f in dataclasses.fields(Showing)}
    assert set(RAW["watch"]) == {f.name for f in dataclasses.fields(Watching)}
    assert {at.where.partition(":")[0] for at in witnesses(load(EXAMPLE, GIVEN_SECRETS))[1:]} == {
        "git+ssh", "mailto", "s3"
    }  # fmt: skip


def test_every_key_of_access_is_in_it_and_explained() -> None:
    page = (ROOT / "docs/access.md").read_text()
    keys = {key for table in RAW["access"] for key in table}
    fields = {f.name for f in dataclasses.fields(AccessTable)}
    assert keys == fields - {"since"} | {"from"}
    assert [key for key in sorted(fields - {"since"} | {"from"}) if f"`{key}`" not in page] == []


def test_every_key_of_alerts_is_in_it_and_explained() -> None:
    page = (ROOT / "docs/alerts.md").read_text()
    assert set(RAW["alerts"]) == {f.name for f in dataclasses.fields(Alerts)}
    assert {table["kind"] for table in RAW["alert"]} == set(KINDS)
    shared = {f.name for f in dataclasses.fields(Channel)}
    assert {key for table in RAW["alert"] for key in table} >= shared
    for table in RAW["alert"]:
        own = {f.name for f in dataclasses.fields(KINDS[table["kind"]])} - shared
        assert own == set(table) - shared - {"kind"}, table["kind"]
        for key in own | shared | {"kind"}:
            assert f"`{key}`" in page, key


def test_every_table_and_key_is_explained() -> None:
    page = (ROOT / "docs/config.md").read_text()
    assert set(TABLES) == set(RAW)
    for name in TABLES:
        assert f"[{name}]" in page
    keys = {k for name in TABLES if isinstance(RAW[name], dict) for k in RAW[name]}
    keys |= {key for table in RAW["witness"] for key in table}
    for key in keys | {f.name for f in dataclasses.fields(Override)} | set(OWN):
        assert f"`{key}`" in page, key
    assert set(RAW["override"][0]) == {f.name for f in dataclasses.fields(Override)}
    for name, cls in {"redact": Rule, "retention": RetentionClass}.items():
        assert set(RAW[name][0]) == {f.name for f in dataclasses.fields(cls)}
        for key in RAW[name][0]:
            assert f"`{key}`" in page, key
