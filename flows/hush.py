"""What of a pull logs and screens may show: nothing that is hidden at landing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from evidence.errors import SourceBusy, SourceError
from evidence.runs import Gap, Pull
from storage.redaction import Redactor


def told(redactor: Redactor, pull: Pull, hidden: Mapping[str, int]) -> Pull:
    """The record as logs and screens may show it; what landed was redacted by the lake."""
    facts = pull.facts
    gaps = tuple(Gap(redactor.text(gap.what), redactor.text(gap.why)) for gap in facts.gaps)
    return dataclasses.replace(
        pull, error=redactor.text(pull.error), facts=dataclasses.replace(facts, gaps=gaps),
        hidden=dict(hidden),
    )  # fmt: skip


def hushed(redactor: Redactor, error: SourceError | None) -> SourceError | None:
    """The error as logs may show it. One that told a secret loses its causes: they told it too."""
    if error is None:
        return None
    chain, words = error.__cause__, [str(error), error.what]
    while chain is not None:
        words.append(str(chain))
        chain = chain.__cause__ or chain.__context__
    if not any(redactor.reveals(word) for word in words):
        return error
    quiet = type(error)(redactor.text(str(error)), what=redactor.text(error.what))
    if isinstance(error, SourceBusy) and isinstance(quiet, SourceBusy):
        quiet.retry_after = error.retry_after
    return quiet
