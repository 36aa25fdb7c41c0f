"""What the query page asks, answered by the same locks as `headwater query`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dashboards.answers import Answered
from dashboards.questions import Asked, Questions, Saved, View, Wanted
from evidence.errors import ConfigError, LakeError
from evidence.excerpt import Excerpt
from flows.config import Config, now
from flows.given import given
from flows.moment import Moment, moment, parse_as_of, told_untagged
from flows.query import json_value, named_items, rows_digest
from mappings.questions import Question, load_questions
from storage.apart import ask_apart
from storage.checkpoints import checkpoint_of
from storage.dictionary import dictionary
from storage.lake import Lake
from storage.question import Answer


def questions(config: Config) -> Questions:
    """The query page of this configuration."""

    def answer(asked: Asked, excerpt: Excerpt, gone: Callable[[], bool]) -> Answered:
        return answered(config, asked, excerpt, gone)

    return Questions(lambda: saved(config), _views, answer)


def saved(config: Config) -> tuple[Saved, ...]:
    """The saved questions. Raises MappingError."""
    return tuple(
        Saved(
            one.name, one.title, one.sql, one.empty,
            tuple(Wanted(p.name, p.type, p.what, p.default) for p in one.parameters),
        )
        for one in load_questions(config.own_questions).values()
    )  # fmt: skip


def _views() -> tuple[View, ...]:
    return tuple(View(doc.name, doc.shows, doc.columns, doc.example) for doc in dictionary())


def answered(
    config: Config, asked: Asked, excerpt: Excerpt, gone: Callable[[], bool] = lambda: False
) -> Answered:
    """The answer to one question of what is in the excerpt.

    Raises ConfigError, LakeError, MappingError: one sentence.
    """
    question = _question(config, asked)
    sql = question.sql if question else asked.sql
    values: Mapping[str, Any] = question.values(asked.values) if question else {}
    lake, past = Lake.open(config.lake, clock=now), parse_as_of(asked.as_of)
    shown = told_untagged(lake, moment(lake, config, past))
    views = shown.views() if past else {"mapping_digest": shown.mapping.rules.digest}
    beside = given(lake, shown, sql, excerpt=excerpt)
    answer = ask_apart(
        config.lake, sql, values, **views, dimensions=beside, excerpt=excerpt, gone=gone
    )
    return _told(lake, shown, answer, sql, values, question, excerpt)


def _question(config: Config, asked: Asked) -> Question | None:
    if not asked.name:
        if not asked.sql.strip():
            raise ConfigError("write one SELECT over the views")
        return None
    known = load_questions(config.own_questions)
    if asked.name not in known:
        raise ConfigError(f"there is no saved question {asked.name[:60]!r}")
    return known[asked.name]


def _told(
    lake: Lake, shown: Moment, answer: Answer, sql: str, values: Mapping[str, Any],
    question: Question | None, excerpt: Excerpt,
) -> Answered:  # fmt: skip
    sealed, root = _sealed(lake, shown.size)
    return Answered(
        sql=sql.strip(), columns=answer.columns,
        rows=tuple(tuple(json_value(value) for value in row) for row in answer.rows),
        truncated=answer.truncated, as_of=shown.token, version=shown.version, sealed=sealed,
        root=root, mapping=shown.mapping.digest,
        result="" if answer.truncated else rows_digest(answer),
        name=question.name if question else "", title=question.title if question else "",
        empty=question.empty if question else "",
        values={name: json_value(value) for name, value in values.items()},
        notes=shown.notes, excerpt=excerpt, named=named_items(answer),
    )  # fmt: skip


def _sealed(lake: Lake, size: int | None) -> tuple[int, str]:
    try:
        checkpoint = checkpoint_of(lake, size)
    except LakeError:
        return 0, ""
    return (checkpoint.size, checkpoint.root.hex()) if checkpoint else (0, "")
