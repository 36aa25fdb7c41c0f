"""One request for one page: the configuration's templates filled with what is known by then."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urljoin

from collectors._answers import Reply
from collectors._rest.answer import header_of
from collectors._rest.pages import first_step
from collectors._rest.paths import Scope, expression, found, text
from collectors._rest.settings import Endpoint
from collectors.http import Http, clean
from evidence.errors import SourceBroken, SourceBusy
from evidence.secret import Secret

_HOLE = re.compile(r"\{(since|until|size|token|page|offset|last|each|parent\.[^{}]+)\}")
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Asking:
    """An endpoint for one object: `scope` holds the parent and the object, `since` and `until` the
    marks as they are sent ('': none yet), `secret` the body's fields that carry keys."""

    http: Http
    endpoint: Endpoint
    scope: Scope
    since: str = ""
    until: str = ""
    secret: Mapping[str, Secret] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Where the list begins, below the source's address."""
        return self._path(first_step(self.endpoint))

    @property
    def what(self) -> str:
        """The question in words, for people."""
        since = f" since {self.since}" if self.since else ""
        until = f" until {self.until}" if self.until else ""
        return f"{self.endpoint.method} {clean(self.path)}{since}{until}"

    def page(self, step: Mapping[str, Any]) -> Reply:
        """The answer for one step of paging: `url`, or values for the holes and for `param`.

        Raises SourceError, also where an answer with status 200 tells an error.
        """
        if self.endpoint.inside:
            parent = self.scope.parent
            return Reply(parent.record if parent else None, 200, {}, "")
        reply = self._asked(step)
        self._refuse_error(reply)
        return reply

    def _asked(self, step: Mapping[str, Any]) -> Reply:
        end, added = self.endpoint, self._added(step)
        named = {header_of(where): text(value) for where, value in added if header_of(where)}
        added = [(where, value) for where, value in added if not header_of(where)]
        if "url" in step:
            base = f"{self.http.base_url.rstrip('/')}{self._path(step)}"
            return self.http.get(urljoin(base, step["url"]), headers=named)
        if end.method == "GET":
            return self.http.get(self._path(step), self._filled(step, end.params, added), named)
        query = urlencode(self._filled(step, end.params, []), doseq=True)
        where = f"{self._path(step)}?{query}" if query else self._path(step)
        keys = {name: key.reveal() for name, key in self.secret.items()}
        body = self._filled(step, end.body, added) | keys
        if end.form:
            return self.http.post_form(where, {k: text(v) for k, v in body.items()}, named)
        return self.http.post(where, body, safe=True, headers=named)

    def _added(self, step: Mapping[str, Any]) -> list[tuple[str, Any]]:
        """What paging and `since` add to the request, and where."""
        end, paging, holes = self.endpoint, self.endpoint.paging, self._holes(step)
        value = step.get(_STEP[paging.style])
        added = [(paging.size_param, paging.size), (paging.param, value)]
        if end.since:
            added += [(end.since.param, holes["since"]), (end.since.until, holes["until"])]
        return [(where, value) for where, value in added if where and value not in (None, "")]

    def _filled(
        self, step: Mapping[str, Any], given: Mapping[str, Any], added: list[tuple[str, Any]]
    ) -> dict[str, Any]:
        """The templates of `given` filled, with what is `added`."""
        holes = self._holes(step)
        made = {k: v for k, one in given.items() if (v := _fill(one, holes)) is not _MISSING}
        for where, value in added:
            _put(made, where, value)
        return made

    def _holes(self, step: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "size": self.endpoint.paging.size, "since": self._mark(self.since),
            "until": self._mark(self.until, plain=True), "each": self.scope.each, "": self.scope,
            **step,
        }  # fmt: skip

    def _mark(self, mark: str, *, plain: bool = False) -> Any:
        """A mark in its template; by itself, in a body of JSON, one that counts is a number."""
        since = self.endpoint.since
        if since is None or not mark:
            return None
        if not plain and since.template != "{since}":
            return since.template.replace("{since}", mark)
        numeric = since.send in {"epoch", "epoch_ms", "number"} and mark.lstrip("-").isdigit()
        return int(mark) if numeric else mark

    def _path(self, step: Mapping[str, Any]) -> str:
        holes = self._holes(step)
        return str(_HOLE.sub(lambda hole: self._in_path(hole[1], holes), self.endpoint.path))

    def _in_path(self, hole: str, holes: Mapping[str, Any]) -> str:
        if hole == "each":
            return quote(self.scope.each, safe="/%")
        value = text(_known(hole, holes))
        if value in {"", ".", ".."}:
            raise SourceBroken(f"{self.endpoint.path}: nothing can stand for {{{hole}}}", what=hole)
        return quote(value, safe="")

    def _refuse_error(self, reply: Reply) -> None:
        if not self.endpoint.error:
            return
        told = found(reply.data, self.endpoint.error)
        if not told:
            return
        said = clean(self.http.auth.mask(str(told)))
        if any(word.casefold() in str(told).casefold() for word in self.endpoint.busy_if):
            raise SourceBusy(f"{self.what}: {said}", what=self.endpoint.name)
        raise SourceBroken(
            f"{self.what}: the answer tells an error: {said}", what=self.endpoint.name
        )


_STEP = {
    "none": "", "link": "", "url": "", "token": "token", "relay": "token", "page": "page",
    "offset": "offset", "keyset": "last",
}  # fmt: skip


def _parent(scope: Scope, hole: str) -> Any:
    if scope.parent is None:
        return None
    return expression(hole.removeprefix("parent."))(scope.parent)


def _fill(value: Any, holes: Mapping[str, Any]) -> Any:
    """The value with its holes filled; _MISSING where a hole that is all of it stays empty."""
    if isinstance(value, Mapping):
        filled = {k: v for k, one in value.items() if (v := _fill(one, holes)) is not _MISSING}
        return filled if filled or not value else _MISSING
    if isinstance(value, list | tuple):
        return [v for one in value if (v := _fill(one, holes)) is not _MISSING]
    if not isinstance(value, str) or "{" not in value:
        return value
    if whole := _HOLE.fullmatch(value):
        known = _known(whole[1], holes)
        return _MISSING if known in (None, "") else known
    return _HOLE.sub(lambda hole: text(_known(hole[1], holes)), value)


def _known(hole: str, holes: Mapping[str, Any]) -> Any:
    return _parent(holes[""], hole) if hole.startswith("parent.") else holes.get(hole)


def _put(into: dict[str, Any], where: str, value: Any) -> None:
    """Set a key; dots lead into tables of a body (`variables.after`)."""
    head, _, rest = where.partition(".")
    if rest and isinstance(into.get(head, {}), dict):
        inner = dict(into.get(head, {}))
        _put(inner, rest, value)
        into[head] = inner
    else:
        into[where] = value
