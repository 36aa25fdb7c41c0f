"""What GitHub enforces on a branch: the classic protection and the rulesets that apply to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from collectors._github.json import Api
from collectors._json import array, obj, text
from collectors._review.host import absent
from collectors._review.protection import Protection
from evidence.errors import SourceError

_CLASSIC, _RULESETS = "branch protection", "rulesets"


def protection(api: Api, repository: str, branch: str) -> Protection:
    """The rules in force on a branch, as far as the key may read them. Raises SourceError."""
    at = f"/repos/{repository}"
    what = f"{repository} {branch}"
    try:
        shown = api.get(f"{at}/branches/{quote(branch, '')}", what)
    except SourceError as error:
        if not absent(error):
            raise
        # For some keys a branch that is not there looks the same as one they may not see.
        return Protection(branch, exists=False, unread=(f"branch: HTTP {error.status}",))
    unread: list[str] = []
    classic = _classic(api, f"{at}/branches/{quote(branch, '')}/protection", shown, unread)
    rules = _rules(api, f"{at}/rules/branches/{quote(branch, '')}", what, unread)
    return _together(branch, classic, rules, tuple(unread), what)


def _classic(
    api: Api, path: str, branch: Mapping[str, Any], unread: list[str]
) -> dict[str, Any] | None:
    """None where there is none, or (then it is added to `unread`) where it is not shown."""
    if branch.get("protected") is False:
        return None
    try:
        return api.get(path, _CLASSIC)
    except SourceError as error:
        if not absent(error):
            raise
        if "Branch not protected" not in str(error):
            unread.append(f"{_CLASSIC}: HTTP {error.status}")
        return None


def _rules(api: Api, path: str, what: str, unread: list[str]) -> list[dict[str, Any]]:
    try:
        return api.every(path, f"{what}: rules")
    except SourceError as error:
        if not absent(error):
            raise
        unread.append(f"{_RULESETS}: HTTP {error.status}")
        return []


def _together(
    branch: str, classic: dict[str, Any] | None, rules: list[dict[str, Any]],
    unread: tuple[str, ...], what: str,
) -> Protection:  # fmt: skip
    """Both kinds of rules add up: the strictest of each holds."""
    known = not unread
    reviews = obj((classic or {}).get("required_pull_request_reviews") or {}, what)
    asked = [_parameters(rule, what) for rule in rules if rule.get("type") == "pull_request"]
    types = {str(rule.get("type")) for rule in rules}
    status = obj((classic or {}).get("required_status_checks") or {}, what)
    tests = [
        _parameters(rule, what) for rule in rules if rule.get("type") == "required_status_checks"
    ]
    least = [int(reviews.get("required_approving_review_count", 1))] if reviews else []
    least += [int(one.get("required_approving_review_count", 0)) for one in asked]

    def holds(in_classic: object, in_rules: bool) -> bool | None:
        return True if in_classic or in_rules else (False if known else None)

    return Protection(
        branch=branch, unread=unread, rules=_origins(classic, rules),
        required_approvals=max(least, default=0),
        stale_dismissed=holds(
            reviews.get("dismiss_stale_reviews"), _any(asked, "dismiss_stale_reviews_on_push")
        ),
        last_push_approved=holds(
            reviews.get("require_last_push_approval"), _any(asked, "require_last_push_approval")
        ),
        author_excluded=True,  # GitHub refuses an approval of one's own pull request, always
        code_owners=holds(
            reviews.get("require_code_owner_reviews"), _any(asked, "require_code_owner_review")
        ),
        required_checks=_contexts(status, tests, what),
        up_to_date=holds(status.get("strict"), _any(tests, "strict_required_status_checks_policy")),
        signed=holds(_on(classic, "required_signatures"), "required_signatures" in types),
        force_push=_allowed(classic, "allow_force_pushes", "non_fast_forward" in types, known),
        deletion=_allowed(classic, "allow_deletions", "deletion" in types, known),
        administrators_bound=_on(classic, "enforce_admins") if classic else None,
        # Who may pass a ruleset by is shown to those who may edit it only.
        bypass=_excepted(reviews) if known and not rules else None,
    )  # fmt: skip


def _parameters(rule: Mapping[str, Any], what: str) -> dict[str, Any]:
    return obj(rule.get("parameters") or {}, f"{what}: rule")


def _any(parameters: Iterable[Mapping[str, Any]], name: str) -> bool:
    return any(bool(one.get(name)) for one in parameters)


def _on(classic: Mapping[str, Any] | None, name: str) -> bool:
    return obj((classic or {}).get(name) or {}, name).get("enabled") is True


def _allowed(
    classic: Mapping[str, Any] | None, name: str, forbidden: bool, known: bool
) -> bool | None:
    """A protected branch can be neither forced nor deleted unless its protection says so."""
    if forbidden or (classic and not _on(classic, name)):
        return False
    return True if known else None


def _contexts(
    status: Mapping[str, Any], tests: Iterable[Mapping[str, Any]], what: str
) -> tuple[str, ...]:
    what = f"{what}: required checks"
    found = {str(name) for name in array(status.get("contexts"), what)}
    rows = [*array(status.get("checks"), what)]
    for one in tests:
        rows += array(one.get("required_status_checks"), what)
    found |= {text(obj(row, what), "context", what) for row in rows}
    return tuple(sorted(found))


def _origins(classic: object, rules: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    found = {f"ruleset {rule.get('ruleset_id')} of {rule.get('ruleset_source')}" for rule in rules}
    return tuple(sorted(found | ({_CLASSIC} if classic else set())))


def _excepted(reviews: Mapping[str, Any]) -> tuple[str, ...]:
    allowed = obj(reviews.get("bypass_pull_request_allowances") or {}, "bypass")
    names = (("users", "login"), ("teams", "slug"), ("apps", "slug"))
    return tuple(
        sorted(
            f"{group[:-1]} {text(obj(row, group), name, group)}"
            for group, name in names
            for row in array(allowed.get(group), group)
        )
    )
