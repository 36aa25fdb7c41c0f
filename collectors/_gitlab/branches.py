"""What GitLab enforces on a branch: its protection, and the approval rules of its project."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote

from collectors._gitlab.json import Api
from collectors._json import array, obj, text
from collectors._review.host import absent
from collectors._review.protection import Protection
from collectors._review.pull import Repository
from evidence.errors import SourceError

_BRANCHES, _RULES, _SETTINGS = "protected branches", "approval rules", "approval settings"
_SCANS = "report_approver"
"""Rules that ask for approval only where a scan finds something."""


def protection(api: Api, of: Repository, branch: str) -> Protection:
    """The rules in force on a branch, as far as the key may read them. Raises SourceError."""
    unread: list[str] = []
    place = f"/projects/{of.id}"
    shown = _object(api, f"{place}/repository/branches/{quote(branch, '')}", "branch", unread)
    if unread:
        return Protection(branch, exists=False, unread=tuple(unread))
    if shown.get("protected") is False:  # whoever may push at all may push past every approval
        return Protection(branch, force_push=True, deletion=True)
    guarded = _matching(_rows(api, f"{place}/protected_branches", _BRANCHES, unread), branch)
    rules = _rows(api, f"{place}/approval_rules", _RULES, unread) or []
    settings = _object(api, f"{place}/approvals", _SETTINGS, unread)
    project = api.get(place, of.name)
    applied = [rule for rule in rules if _applies(rule, branch)]
    return Protection(
        branch=branch, unread=tuple(unread), rules=_origins(guarded or [], applied),
        required_approvals=max((_least(rule) for rule in applied), default=0),
        stale_dismissed=_told(settings, "reset_approvals_on_push"),
        author_excluded=_opposite(_told(settings, "merge_requests_author_approval")),
        committers_excluded=_told(settings, "merge_requests_disable_committers_approval"),
        code_owners=_one(guarded, "code_owner_approval_required"),
        required_checks=("pipeline",) * bool(project.get("only_allow_merge_if_pipeline_succeeds")),
        force_push=_one(guarded, "allow_force_push"), deletion=None if guarded is None else False,
        bypass=None if guarded is None else _pushers(guarded),
    )  # fmt: skip


def _rows(api: Api, path: str, what: str, unread: list[str]) -> list[dict[str, Any]] | None:
    try:
        return api.every(path, what)
    except SourceError as error:
        if not absent(error):
            raise
        unread.append(f"{what}: HTTP {error.status}")
        return None


def _object(api: Api, path: str, what: str, unread: list[str]) -> dict[str, Any]:
    try:
        return api.get(path, what)
    except SourceError as error:
        if not absent(error):
            raise
        unread.append(f"{what}: HTTP {error.status}")
        return {}


def _matching(rows: list[dict[str, Any]] | None, branch: str) -> list[dict[str, Any]] | None:
    """The protections of a branch by its name or a wildcard; None where they are not shown."""
    if rows is None:
        return None
    return [row for row in rows if fnmatchcase(branch, text(row, "name", _BRANCHES))]


def _applies(rule: Mapping[str, Any], branch: str) -> bool:
    named = [obj(row, _RULES).get("name") for row in array(rule.get("protected_branches"), _RULES)]
    everywhere = rule.get("applies_to_all_protected_branches") is True or not named
    matches = everywhere or any(fnmatchcase(branch, str(name)) for name in named)
    return matches and rule.get("rule_type") != _SCANS


def _least(rule: Mapping[str, Any]) -> int:
    return int(rule.get("approvals_required") or 0)


def _told(settings: Mapping[str, Any], name: str) -> bool | None:
    value = settings.get(name)
    return value if isinstance(value, bool) else None


def _opposite(value: bool | None) -> bool | None:
    return None if value is None else not value


def _one(guarded: list[dict[str, Any]] | None, name: str) -> bool | None:
    """Of several protections of one branch the most permissive counts, as GitLab has it, except
    for code owners, where any asks."""
    return None if guarded is None else any(row.get(name) is True for row in guarded)


def _pushers(guarded: list[dict[str, Any]]) -> tuple[str, ...]:
    """Who may push to the branch without a merge request."""
    levels = [
        obj(level, _BRANCHES)
        for row in guarded
        for level in array(row.get("push_access_levels"), _BRANCHES)
    ]
    return tuple(sorted({str(one.get("access_level_description")) for one in levels if _may(one)}))


def _may(level: Mapping[str, Any]) -> bool:
    named = any(level.get(who) for who in ("user_id", "group_id", "deploy_key_id"))
    return named or level.get("access_level") != 0


def _origins(guarded: list[dict[str, Any]], applied: list[dict[str, Any]]) -> tuple[str, ...]:
    found = {f"protected branch {row.get('name')}" for row in guarded}
    return tuple(sorted(found | {f"approval rule {rule.get('name')}" for rule in applied}))
