"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from flows.moment import Asked

ConfigFile = Annotated[
    Path, typer.Option("--config", "-c", envvar="HEADWATER_CONFIG", help="The configuration file.")
]
AsOf = Annotated[
    str,
    typer.Option(
        "--as-of",
        help="A past moment with a zone, such as 2026-11-01T00:00:00Z, or @12345: the first "
        "12345 items of the ledger, or both: 2026-11-01T00:00:00Z@12345, or freeze:NAME.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]
By = Annotated[str, typer.Option(help="Who says so; stands in the record.")]

DEFAULT = Path("headwater.toml")


def moment_asked(text: str) -> Asked | None:
    """What `--as-of` asks for; None without. Raises ConfigError."""
    from flows.moment import parse_as_of

    return parse_as_of(text)


class WhatFirst(TyperGroup):
    """`correct ID …` is `correct item ID …`: what is no verb belongs to the first of the verbs."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = [next(iter(self.commands)), *args]
        return super().parse_args(ctx, args)


class VerbFirst(WhatFirst):
    """`suggest -c FILE` is `suggest propose -c FILE`: without a verb the first of them is meant."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] != "--help"):
            args = [next(iter(self.commands)), *args]
        return super().parse_args(ctx, args)
