"""The verbs of documents: policies and procedures rendered, compared, approved and printed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.verbs.options import DEFAULT, AsJson, By, ConfigFile, VerbFirst

verbs = typer.Typer()
PANEL = "Look"

documents = typer.Typer(
    cls=VerbFirst, help="Policies and procedures that say what is really done, and what is not.",
)  # fmt: skip
verbs.add_typer(documents, name="documents", rich_help_panel=PANEL)


@documents.command("list")
def documents_list(
    config: ConfigFile = DEFAULT,
    json: AsJson = False,
) -> None:
    """Show which documents there are templates for, and which controls ask for them."""
    from flows.documents import show_templates

    raise typer.Exit(show_templates(config, as_json=json))


@documents.command("render")
def documents_render(
    folder: Annotated[Path, typer.Argument(help="Where documents are kept in git.")],
    only: Annotated[
        list[str] | None, typer.Option("--only", help="A template's name; repeatable. Else all.")
    ] = None,
    again: Annotated[
        bool,
        typer.Option("--again", help="Also over files that are there: git shows what changed."),
    ] = False,
    config: ConfigFile = DEFAULT,
) -> None:
    """Write drafts of documents from the registers and from what headwater.toml has running."""
    from flows.documents import write

    raise typer.Exit(write(config, folder, only or [], typer.echo, again=again))


@documents.command("drift")
def documents_drift(
    config: ConfigFile = DEFAULT,
    json: AsJson = False,
) -> None:
    """Show what collected documents say that is not so any more, then and now; exit 3 if any."""
    from flows.documents import show_drift

    raise typer.Exit(show_drift(config, as_json=json))


@documents.command("approve")
def documents_approve(
    file: Annotated[Path, typer.Argument(help="The document, or a register with --record.")],
    by: By,
    record: Annotated[str, typer.Option(help="The id of the record that is approved.")] = "",
) -> None:
    """Print what a person commits to approve this very text: one record, with its digest."""
    from flows.approve import approve

    raise typer.Exit(approve(file, by, record))


@documents.command("approvals")
def documents_approvals(
    config: ConfigFile = DEFAULT,
    json: AsJson = False,
) -> None:
    """Show which texts ask for approval, who gave it, of whom they wait; exit 3 if any waits."""
    from flows.approve import show

    raise typer.Exit(show(config, as_json=json))


@documents.command("print")
def documents_print(
    file: Annotated[Path, typer.Argument(help="A document in Markdown.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A new .html or .pdf file.")],
) -> None:
    """Write a document as HTML that loads nothing, or as PDF, with what it is and lacks."""
    from flows.paper import write

    raise typer.Exit(write(file, output))
