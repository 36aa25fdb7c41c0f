"""The verbs of who wants to know: what stands where, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.verbs.options import (
    DEFAULT,
    AsJson,
    AsOf,
    ConfigFile,
    VerbFirst,
    WhatFirst,
    moment_asked,
)

verbs = typer.Typer()
PANEL = "Look"


@verbs.command(rich_help_panel=PANEL)
def status(
    config: ConfigFile = DEFAULT,
    as_of: AsOf = "",
    fail_on: Annotated[
        str,
        typer.Option(
            help="Exit 3 if a control is failed; `stale`: or stale; `missing`: or has no evidence."
        ),
    ] = "",
    json: AsJson = False,
) -> None:
    """Say where the controls stand and what needs a person now."""
    from flows.status import show

    raise typer.Exit(show(config, moment_asked(as_of), fail_on=fail_on, as_json=json))


@verbs.command(rich_help_panel=PANEL)
def sources(
    name: Annotated[str, typer.Argument(help="One source: its last attempts.")] = "",
    config: ConfigFile = DEFAULT,
    json: AsJson = False,
) -> None:
    """Say how each source does; exit 3 if one is not well."""
    from flows.sources import show

    raise typer.Exit(show(config, name, as_json=json))


@verbs.command(rich_help_panel=PANEL)
def coverage(
    config: ConfigFile = DEFAULT,
    as_of: AsOf = "",
    json: AsJson = False,
) -> None:
    """Compare what is registered with what was collected; exit 3 if something is missing."""
    from flows.coverage import show

    raise typer.Exit(show(config, moment_asked(as_of), as_json=json))


@verbs.command(rich_help_panel=PANEL)
def consistency(
    config: ConfigFile = DEFAULT,
    as_of: AsOf = "",
    json: AsJson = False,
) -> None:
    """Hold registers against each other and the evidence; exit 3 if something does not fit."""
    from flows.consistency import show

    raise typer.Exit(show(config, moment_asked(as_of), as_json=json))


@verbs.command(rich_help_panel=PANEL)
def query(
    sql: Annotated[
        str, typer.Argument(metavar="[SQL]", help="One SELECT over the documented views.")
    ] = "",
    config: ConfigFile = DEFAULT,
    as_of: AsOf = "",
    form: Annotated[str, typer.Option("--format", help="table, csv or json.")] = "table",
    saved: Annotated[str, typer.Option(help="Instead: a saved question, by its name.")] = "",
    values: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="NAME=VALUE", help="What to fill in; repeatable."),
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Show the saved questions.")] = False,
) -> None:
    """Ask the lake in SQL, your own or a saved question: read-only, no files, no network."""
    from flows.query import asked_for, list_saved, run

    if listed:
        raise typer.Exit(list_saved(config))
    question = asked_for(config, sql, saved, values or [])
    raise typer.Exit(run(config, question, moment_asked(as_of), form))


@verbs.command(rich_help_panel=PANEL)
def explain(
    what: Annotated[
        str, typer.Argument(metavar="ID", help="An item id (or its start) or control.")
    ],
    config: ConfigFile = DEFAULT,
    as_of: AsOf = "",
) -> None:
    """Say why an item speaks to its controls, or what a control has and lacks."""
    from flows.explain import explain as tell

    raise typer.Exit(tell(config, what, typer.echo, moment_asked(as_of)))


@verbs.command(rich_help_panel=PANEL)
def compare(
    first: Annotated[str, typer.Argument(help="The earlier moment, as --as-of takes it; a pack.")],
    second: Annotated[str, typer.Argument(help="The later one; left out: now.")] = "",
    config: ConfigFile = DEFAULT,
    key: Annotated[
        str, typer.Option(help="Whose packs they are: the public key (vkey), or its file.")
    ] = "",
    json: AsJson = False,
) -> None:
    """Say what changed between two moments or packs; exit 3 if a control stands worse."""
    from evidence.errors import ConfigError
    from flows.compare import run

    if not first:
        raise ConfigError("compare needs the earlier moment, such as 2026-11-01T00:00:00Z")
    raise typer.Exit(run(config, first, second, key=key, as_json=json))


@verbs.command(rich_help_panel=PANEL)
def trace(
    about: Annotated[
        str,
        typer.Argument(metavar="[NAME]", help="An AI system, model version or risk; else all."),
    ] = "",
    config: ConfigFile = DEFAULT,
    as_of: AsOf = "",
    form: Annotated[
        str, typer.Option("--format", help="tree, json, or a picture: mermaid, dot.")
    ] = "tree",
    json: AsJson = False,
) -> None:
    """Show a system's life, from requirement to change, and each broken edge; exit 3 if any."""
    from flows.trace import show

    raise typer.Exit(show(config, about, moment_asked(as_of), "json" if json else form))


laws = typer.Typer(
    cls=VerbFirst, no_args_is_help=False,
    help="What law says of time; `law clocks`: whom to tell of which incident, and by when.",
)  # fmt: skip
verbs.add_typer(laws, name="law", rich_help_panel=PANEL)


@laws.command("show")
def law_show(
    config: ConfigFile = DEFAULT,
    json: AsJson = False,
) -> None:
    """Show editions, from when laws apply, by when to tell whom, and how long to keep.

    Exit 3 if a retention class keeps less than a floor and gives no basis.
    """
    from flows.law import show

    raise typer.Exit(show(config, as_json=json))


@laws.command("clocks")
def law_clocks(
    config: ConfigFile = DEFAULT,
    as_of: AsOf = "",
    json: AsJson = False,
) -> None:
    """Say whom law asks to tell of which incident, by when, and whether somebody did.

    Exit 3 if a time is over, nobody says since when something is known, or of which kind it is.
    """
    from flows.notification_told import show

    raise typer.Exit(show(config, moment_asked(as_of), as_json=json))


frameworks = typer.Typer(
    cls=WhatFirst, no_args_is_help=True,
    help="What the same evidence carries of other frameworks (framework eu-ai-act), and what not.",
)  # fmt: skip
verbs.add_typer(frameworks, name="framework", rich_help_panel=PANEL)


@frameworks.command("show")
def framework_show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its id, or the start of it.")],
    config: ConfigFile = DEFAULT,
    as_of: AsOf = "",
    form: Annotated[str, typer.Option("--format", help="table, csv or json.")] = "table",
) -> None:
    """Show each requirement: what carries it, by the weakest link, and what stays open."""
    from flows.framework import show

    raise typer.Exit(show(config, name, moment_asked(as_of), form))


@frameworks.command("list")
def framework_list(config: ConfigFile = DEFAULT, as_of: AsOf = "") -> None:
    """Show all frameworks and how much of each is carried."""
    from flows.framework import list_all

    raise typer.Exit(list_all(config, moment_asked(as_of)))


@frameworks.command("diff")
def framework_diff(
    old: Annotated[str, typer.Argument(help="The framework, or edition, from which.")],
    new: Annotated[str, typer.Argument(help="The one to which; left out: the same, today.")] = "",
    config: ConfigFile = DEFAULT,
    as_of: AsOf = "",
) -> None:
    """Show what an upgrade changes; with --as-of, since then. Exit 1 if anything differs."""
    from flows.framework import differ

    raise typer.Exit(differ(config, old, new or old, moment_asked(as_of)))


rules = typer.Typer(no_args_is_help=True, help="The rules: what they cover, leave and change.")
verbs.add_typer(rules, name="rules", rich_help_panel=PANEL)


@rules.command("test")
def rules_test(config: ConfigFile = DEFAULT) -> None:
    """Hold every rule against its examples, and name the needs that none serves."""
    from flows.rules import test

    raise typer.Exit(test(config))


@rules.command("queue")
def rules_queue(config: ConfigFile = DEFAULT) -> None:
    """Show the items that no rule takes, and those taken for two things; exit 3 if any."""
    from flows.rules import queue

    raise typer.Exit(queue(config))


@rules.command("diff")
def rules_diff(
    old: Annotated[str, typer.Argument(help="`today`, `shipped`, a folder or a moment.")],
    new: Annotated[str, typer.Argument(help="The same; left out: today.")] = "today",
    config: ConfigFile = DEFAULT,
) -> None:
    """Show which items would gain or lose which controls; nothing is changed. Exit 1 if any."""
    from flows.rules import differ

    raise typer.Exit(differ(config, old, new))


@rules.command("sql")
def rules_sql(
    dialect: Annotated[str, typer.Option(help="duckdb, spark or trino.")] = "duckdb",
    config: ConfigFile = DEFAULT,
) -> None:
    """Print the query by which items are tagged, to run it elsewhere over a relation `items`."""
    from flows.rules import sql

    raise typer.Exit(sql(config, dialect))


@rules.command("schema")
def rules_schema() -> None:
    """Print the JSON Schema of rule files, for an editor."""
    from mappings.schemas import schema

    typer.echo(schema("rules"), nl=False)


@frameworks.command("schema")
def framework_schema() -> None:
    """Print the JSON Schema of framework and review files, for an editor."""
    from mappings.schemas import schema

    typer.echo(schema("frameworks"), nl=False)
