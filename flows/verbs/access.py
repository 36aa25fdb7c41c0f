"""The verbs of who lets others look."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.verbs.options import DEFAULT, By, ConfigFile

verbs = typer.Typer()
PANEL = "Look"
accesses = typer.Typer(no_args_is_help=True, help="Who may look, until when, and who read what.")
verbs.add_typer(accesses, name="access", rich_help_panel=PANEL)


@accesses.command("list")
def access_list(config: ConfigFile = DEFAULT) -> None:
    """Show who may read what until when; exit 3 if an access is over and still in the file."""
    from flows.access import show

    raise typer.Exit(show(config))


@accesses.command("token")
def access_token() -> None:
    """Make a token, to hand over, and its digest, for the file. Neither is kept."""
    from flows.access import new_token

    new_token(typer.echo)


@accesses.command("end")
def access_end(
    person: Annotated[str, typer.Argument(help="The subject, or as `access list` calls them.")],
    by: By,
    why: Annotated[str, typer.Option(help="The reason; stands in the record.")],
    config: ConfigFile = DEFAULT,
) -> None:
    """End all sessions of a person at this machine's boards; exit 1 while that waits to land."""
    from flows.sessions import end_session

    raise typer.Exit(end_session(config, person, by, why, typer.echo))
