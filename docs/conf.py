"""How Sphinx builds these pages: ``sphinx-build -W docs site``. Neither the build nor a reader's browser fetches anything."""

import posixpath
import re

from pygments.lexers.special import TextLexer

import medclassify

project = "medclassify"
author = "the medclassify developers"
release = medclassify.__version__
root_doc = "README"
extensions = ["myst_parser"]
exclude_patterns = ["make"]
html_theme = "furo"
html_title = f"medclassify {release}"
html_copy_source = False
myst_heading_anchors = 4


def _with_navigation(_app: object, name: str, source: list[str]) -> None:
    """An index (README.md) is the navigation: its sections list their pages, so a page without a row there is an error."""
    folder = posixpath.dirname(name)
    if posixpath.basename(name) != "README":
        return
    for title, section in re.findall(r"^#+ ([^\n]+)\n(.*?)(?=^#|\Z)", source[0], flags=re.MULTILINE | re.DOTALL):
        pages = re.findall(r"^\|[^\n]*\]\(([\w/-]+)\.md\)", section, flags=re.MULTILINE)
        if pages:
            caption = "" if folder else f":caption: {title}\n"
            source[0] += f"\n```{{toctree}}\n:hidden:\n{caption}\n" + "\n".join(pages) + "\n```\n"


def _without_links_out(_app: object, name: str, source: list[str]) -> None:
    """What lies beside docs/ in the repository is named on the site, not linked; a contract test follows those links."""

    def kept(link: re.Match[str]) -> str:
        outside = posixpath.normpath(posixpath.join(posixpath.dirname(name), link[2])).startswith("../")
        return link[1] if outside else link[0]

    source[0] = re.sub(r"(?<!!)\[([^\]]*)\]\(([^)#\s]+)[^)]*\)", kept, source[0])


def setup(app: object) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _without_links_out)  # type: ignore[attr-defined]
    app.connect("source-read", _with_navigation)  # type: ignore[attr-defined]
    app.add_lexer("csv", TextLexer)  # type: ignore[attr-defined]
