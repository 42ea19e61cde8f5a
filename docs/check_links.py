"""Checks the built site without a network: every local link, anchor and picture is there.

    python docs/check_links.py docs/_build/html

Nothing but links that a reader clicks may point elsewhere: a page that loads a script, a font or a
picture from another host would not work offline. Exit code 1 where something is broken.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("source", "src"), ("iframe", "src")}
META = {"canonical", "license", "author"}


class Page(HTMLParser):
    """What a page links to, what it loads, and the anchors that it has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes a tag's anchor and target."""
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        for name in ("src", "href"):
            if (tag, name) in LOADED and name in found and found.get("rel") not in META:
                self.loaded.append(found[name])


def find_broken(site: Path) -> list[str]:
    """Returns a line for each local target that is missing, and for each remote one that is loaded.

    Args:
        site: folder of the built pages.
    """
    found = sorted(p for p in site.rglob("*.html") if "_static" not in p.parts)
    pages = {path.resolve(): Page(path) for path in found}
    broken = []
    for path, page in pages.items():
        name = path.relative_to(site.resolve())
        for target in page.links + page.loaded:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                if target in page.loaded and parts.scheme != "data":
                    broken.append(f"{name}: loads {target}")
                continue
            at = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            at = at / "index.html" if at.is_dir() else at
            if not at.exists():
                broken.append(f"{name}: no {target}")
            elif (
                parts.fragment and at in pages and unquote(parts.fragment) not in pages[at].anchors
            ):
                broken.append(f"{name}: no anchor {target}")
    return broken


def main() -> int:
    """Prints what is broken."""
    broken = find_broken(Path(sys.argv[1]))
    sys.stdout.write("".join(f"{line}\n" for line in broken))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
