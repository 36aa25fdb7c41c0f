"""Errors are named by what somebody must do next, and carry the facts as attributes.

HeadwaterError
├── ConfigError          correct headwater.toml (or the environment it points to)
├── InvalidItem          the collector built something that may not be evidence
├── SourceError          a source did not answer as needed
│   ├── SourceBusy       wait and try again: the only one that is retried
│   │   └── SourceOverdue  it did not end in its time: the next run goes on, this one does not
│   ├── SourceRefused    a person must act: key, permission, address
│   └── SourceBroken     the answer has changed shape: the collector must change
├── MappingError         correct a file under mappings/
└── LakeError            the lake cannot be read or written as asked
    ├── LakeConflict     another writer landed first: read the cursor again, redo
    ├── LakeBusy         the store did not answer: wait and try again
    ├── LakeRefused      a person must act: key, permission, address of the store
    └── VerificationFailed   the lake is not what was signed; `findings` says where
"""

from __future__ import annotations

from datetime import timedelta


class HeadwaterError(Exception):
    """Base of all errors that are meant to be read by a person."""


class ConfigError(HeadwaterError):
    """The configuration holds mistakes; `mistakes` lists all of them, one sentence each."""

    def __init__(self, *mistakes: str) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class InvalidItem(HeadwaterError):
    """A value was about to become evidence that may not: naive time, empty subject, not JSON."""


class SourceError(HeadwaterError):
    """A source did not answer as needed. `what` names the item, page or key that failed, `status`
    is that of the HTTP answer (0: there was none)."""

    def __init__(self, message: str, *, what: str = "", status: int = 0) -> None:
        super().__init__(message)
        self.what, self.status = what, status


class SourceBusy(SourceError):
    """The source asks for patience: throttled, down, timed out. Try again."""

    def __init__(
        self, message: str, *, what: str = "", retry_after: timedelta | None = None, status: int = 0
    ) -> None:
        super().__init__(message, what=what, status=status)
        self.retry_after = retry_after


class SourceOverdue(SourceBusy):
    """The source did not end within its time limit: see whether it hangs, or give it more time.

    What it had brought has landed, and the next run goes on from there; to ask again at once would
    only wait as long again.
    """


class SourceRefused(SourceError):
    """The source said no: wrong key, missing permission, unknown address. A person must act."""


class SourceBroken(SourceError):
    """The source answered something this collector does not understand. The code must change."""


class MappingError(HeadwaterError):
    """A mapping file is wrong. `file` and `line` (1-based, 0 when unknown) say where."""

    def __init__(self, message: str, *, file: str = "", line: int = 0) -> None:
        where = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        super().__init__(where + message)
        self.file, self.line = file, line


class LakeError(HeadwaterError):
    """The lake cannot be read or written as asked."""


class LakeConflict(LakeError):
    """Another writer landed for the same source first. Read the cursor again and redo."""


class LakeBusy(LakeError):
    """The store that holds the lake asks for patience: throttled, down, timed out. Try again.

    Whether the last write happened may be unknown: redo from the bookmark, nothing comes twice.
    """


class LakeRefused(LakeError):
    """The store that holds the lake said no: wrong key, missing right, no bucket. A person acts."""


class VerificationFailed(LakeError):
    """The lake is not what was signed. `findings` names each difference; `notes` are signed
    checkpoints that contradict one another, the proof for others."""

    def __init__(self, findings: tuple[str, ...], notes: tuple[str, ...] = ()) -> None:
        super().__init__("\n".join(findings))
        self.findings, self.notes = findings, notes
