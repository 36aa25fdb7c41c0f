"""A drawn page read back: its tags, ids, links and text, as a browser without eyes sees them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import unquote

VOID = {"meta", "link", "br", "wbr", "input", "img"}


@dataclass
class Page(HTMLParser):
    """`Page.read(html)`; `tags` holds (name, attributes) in document order."""

    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    style: str = ""

    @classmethod
    def read(cls, document: str) -> Page:
        page = cls()
        HTMLParser.__init__(page)
        page.feed(document)
        page.close()
        assert page.open == [], f"left open: {page.open}"
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        opened = self.open.pop()
        assert opened == tag, f"</{tag}> closes <{opened}>"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.style += data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        """All text with white space folded."""
        return " ".join("".join(self.words).split())

    @property
    def ids(self) -> list[str]:
        """Every id, in order, repeats included."""
        return [attributes["id"] for _, attributes in self.tags if "id" in attributes]

    def links(self) -> list[str]:
        """Every href of an anchor."""
        return [a["href"] for tag, a in self.tags if tag == "a"]

    def broken(self) -> list[str]:
        """Links and references into the page that lead nowhere."""
        ids = set(self.ids)
        hrefs = [a["href"] for _, a in self.tags if a.get("href", "").startswith("#")]
        named = [
            name
            for _, a in self.tags
            for key in ("aria-labelledby", "aria-describedby")
            for name in a.get(key, "").split()
        ]
        return [t for t in (*(unquote(h[1:]) for h in hrefs), *named) if t not in ids]
