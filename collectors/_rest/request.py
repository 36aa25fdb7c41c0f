"""One request for one page: the configuration's templates filled with what is known by then."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urljoin

from collectors._answers import Reply
from collectors._rest.paths import Scope, expression, found, text
from collectors._rest.settings import Endpoint
from collectors.http import Http, clean
from evidence.errors import SourceBroken, SourceBusy
from evidence.secret import Secret

_HOLE = re.compile(r"\{(since|size|token|page|offset|last|each|parent\.[^{}]+)\}")
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Asking:
    """An endpoint for one object: `scope` holds the parent and the object, `since` the mark as it
    is sent ('': none yet), `secret` the form field that carries the key, if one does."""

    http: Http
    endpoint: Endpoint
    scope: Scope
    since: str = ""
    secret: Mapping[str, Secret] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Where the list is, below the source's address."""
        return str(_HOLE.sub(lambda hole: self._in_path(hole[1]), self.endpoint.path))

    @property
    def what(self) -> str:
        """The question in words, for people."""
        since = f" since {self.since}" if self.since else ""
        return f"{self.endpoint.method} {clean(self.path)}{since}"

    def page(self, step: Mapping[str, Any]) -> Reply:
        """The answer for one step of paging: `url`, or values for the holes and for `param`.

        Raises SourceError, also where an answer with status 200 tells an error.
        """
        end = self.endpoint
        if "url" in step:
            reply = self.http.get(
                urljoin(f"{self.http.base_url.rstrip('/')}{self.path}", step["url"])
            )
        elif end.method == "GET":
            reply = self.http.get(self.path, self._params(step, end.params))
        else:
            query = urlencode(self._params({}, end.params, bare=True), doseq=True)
            where = f"{self.path}?{query}" if query else self.path
            body = self._params(step, end.body) | {k: v.reveal() for k, v in self.secret.items()}
            if end.form:
                reply = self.http.post_form(where, {k: text(v) for k, v in body.items()})
            else:
                reply = self.http.post(where, body, safe=True)
        self._refuse_error(reply)
        return reply

    def _params(
        self, step: Mapping[str, Any], given: Mapping[str, Any], *, bare: bool = False
    ) -> dict[str, Any]:
        """The templates of `given` filled, with what paging and `since` add (unless `bare`)."""
        holes = self._holes(step)
        made = {k: v for k, one in given.items() if (v := _fill(one, holes)) is not _MISSING}
        end, paging = self.endpoint, self.endpoint.paging
        if bare:
            return made
        if paging.size_param:
            _put(made, paging.size_param, paging.size)
        if paging.param and (value := step.get(_STEP[paging.style])) not in (None, ""):
            _put(made, paging.param, value)
        if end.since and end.since.param and self.since:
            _put(made, end.since.param, holes["since"])
        return made

    def _holes(self, step: Mapping[str, Any]) -> dict[str, Any]:
        since = self.endpoint.since
        told = since.template.replace("{since}", self.since) if since and self.since else None
        size = self.endpoint.paging.size
        return {"size": size, "since": told, "each": self.scope.each, "": self.scope, **step}

    def _in_path(self, hole: str) -> str:
        if hole == "each":
            return quote(self.scope.each, safe="/%")
        value = text(_parent(self.scope, hole)) if hole.startswith("parent.") else ""
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
