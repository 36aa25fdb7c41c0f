"""The verbs of who keeps registers: are they right, and does an editor know their fields."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

verbs = typer.Typer()
PANEL = "Set up and collect"

registers = typer.Typer(no_args_is_help=True, help="Registers and documents kept in git.")
verbs.add_typer(registers, name="registers", rich_help_panel=PANEL)


@registers.command("check")
def check(
    folder: Annotated[Path, typer.Argument(help="The repository, or a copy of it.")] = Path(),
    below: Annotated[
        str, typer.Option("--registers", help="Its folder of registers.")
    ] = "registers",
    documents: Annotated[str, typer.Option(help="Its folder of documents.")] = "documents",
) -> None:
    """Read the files as they lie there, committed or not: exit 1 if one is wrong, with its line."""
    from collectors._git.register_items import Places
    from flows.register_check import check_folder

    raise typer.Exit(check_folder(folder, Places(below, documents), typer.echo))


@registers.command("schemas")
def schemas(
    folder: Annotated[Path, typer.Argument(help="Where to write them, such as ../schemas.")],
) -> None:
    """Write the JSON Schema of each register, by which an editor completes and checks."""
    from flows.starters import write_schemas

    for line in write_schemas(folder):
        typer.echo(line)
