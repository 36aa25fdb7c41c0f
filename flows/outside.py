"""What the configuration keeps outside the lake: witnesses of its seals, and the time authority."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from evidence.errors import ConfigError, LakeError
from evidence.secret import Secret

if TYPE_CHECKING:
    from flows.config import Config
    from storage.witness import Witness

BRANCH = "checkpoints"
_ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|[^/]+:")


@dataclass(frozen=True, slots=True)
class WitnessAt:
    """One [[witness]]: `to` says where (a path, `git+…#branch`, `mailto:…`, `s3://…`).

    The rest is how a bucket is reached; what is not given comes from the environment.
    """

    to: str
    every: timedelta = field(default_factory=timedelta)
    endpoint: str = ""
    region: str = ""
    access_key: Secret = field(default_factory=lambda: Secret(""))
    secret_key: Secret = field(default_factory=lambda: Secret(""))
    session_token: Secret = field(default_factory=lambda: Secret(""))


@dataclass(frozen=True, slots=True)
class Anchor:
    """[anchor]: the RFC 3161 time authority, when it is asked, and the PEM file of certificates
    (its root, with intermediates it does not send) by which its answers are checked."""

    url: str
    roots: Path
    schedule: str = "15 * * * *"
    user: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))


def witnesses(config: Config) -> tuple[Witness, ...]:
    """The configured witnesses, [ledger] witness first. Raises ConfigError naming all mistakes."""
    from storage.witness import FileWitness

    found, mistakes = list["Witness"]([FileWitness(config.witness)]), list[str]()
    for given in config.witnesses:
        try:
            found.append(_witness(config, given))
        except ConfigError as error:
            mistakes += [f"{config.file}: {mistake}" for mistake in error.mistakes]
    if mistakes:
        raise ConfigError(*mistakes)
    return tuple(found)


def _witness(config: Config, given: WitnessAt) -> Witness:
    from storage.witness import FileWitness
    from storage.witness_git import GitWitness
    from storage.witness_mail import MailWitness

    if given.to.startswith("git+"):
        repository, _, branch = given.to.removeprefix("git+").partition("#")
        at = _repository(config, given.to, repository)
        return GitWitness(at, branch or BRANCH, _cache(), every=given.every)
    if given.to.startswith("mailto:"):
        if config.mail is None:
            raise ConfigError(f"[[witness]] {given.to}: say in [mail] which server takes the mail")
        return MailWitness(given.to.removeprefix("mailto:"), config.mail, every=given.every)
    if given.to.startswith("s3://"):
        return _bucket(given)
    if _ELSEWHERE.match(given.to):
        kinds = "a path, git+REPOSITORY#BRANCH, s3://BUCKET/PREFIX or mailto:ADDRESS"
        raise ConfigError(f"[[witness]] {given.to!r} is no witness that is known: write {kinds}")
    path = config.folder / Path(given.to).expanduser()
    return FileWitness(path.resolve(), given.every, f"the witness {given.to}")


def _bucket(given: WitnessAt) -> Witness:
    from storage.bucket import Access
    from storage.place import place_of
    from storage.witness_bucket import BucketWitness

    access = Access(
        endpoint=given.endpoint or None, region=given.region or None,
        key=_told(given.access_key), secret=_told(given.secret_key),
        token=_told(given.session_token),
    )  # fmt: skip
    try:
        return BucketWitness(place_of(given.to, access=access), given.every)
    except LakeError as error:
        raise ConfigError(f"[[witness]] {error}") from error


def _told(secret: Secret) -> Secret | None:
    return secret if secret.reveal() else None


def _repository(config: Config, to: str, repository: str) -> str:
    if re.search(r"://[^/@]*:[^/@]*@", repository):
        raise ConfigError("[[witness]] git+…: no password in an address; use git's own credentials")
    if not repository:
        raise ConfigError(f"[[witness]] {to!r} names no repository")
    if _ELSEWHERE.match(repository):
        return repository
    return str((config.folder / Path(repository).expanduser()).resolve())


def _cache() -> Path:
    """Where copies of remote repositories may lie; they can be thrown away."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser() / "headwater" / "witness"
