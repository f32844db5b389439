"""Elements of the page: escaped text, tables, figures and sections. Nothing outside the page is loaded."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

from autohier.text import shown


class Html(str):
    """Markup that holds no unescaped text of a user."""

    __slots__ = ()


_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 76rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; border-bottom: 1px solid #ddd; }
table { border-collapse: collapse; font-size: .87rem; display: block; overflow-x: auto; }
th, td { padding: .2rem .6rem; border-bottom: 1px solid #eee; text-align: left; vertical-align: top; }
th { font-weight: 600; } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
pre { white-space: pre-wrap; font-size: .87rem; background: #f6f6f6; padding: .6rem; }
figure { margin: 1rem 0; } figcaption { font-size: .87rem; color: #555; } img { max-width: 100%; }
.headline { font-size: 1.15rem; } .note { color: #555; font-size: .87rem; }
.bar { background: #2171b5; height: .7rem; display: inline-block; }
""".strip()


def text(value: object) -> Html:
    """Return any text, escaped, with its control characters shown; markup stays."""
    return value if isinstance(value, Html) else Html(escape(shown(str(value)), quote=True))


def join(parts: Iterable[Html]) -> Html:
    """Return several elements, one after the other."""
    return Html("\n".join(parts))


def paragraph(value: object, *, style: str = "") -> Html:
    """Return a paragraph of text; nothing if it is empty."""
    attribute = f' class="{escape(style)}"' if style else ""
    return Html(f"<p{attribute}>{text(value)}</p>" if str(value) else "")


def lines(value: str) -> Html:
    """Return text whose line breaks are kept; nothing if it is empty."""
    return Html(f"<pre>{text(value)}</pre>" if value else "")


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], numbers: Iterable[str] = ()) -> Html:
    """Return a table of text.

    Args:
        headings: one for each column.
        rows: cells, as text or `Html`.
        numbers: headings of the columns that hold numbers.
    """
    styles = [' class="n"' if heading in set(numbers) else "" for heading in headings]
    head = "".join(f"<th{style}>{text(each)}</th>" for each, style in zip(headings, styles, strict=True))
    body = "\n".join(_row(cells, styles) for cells in rows)
    return Html(f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>")


def _row(cells: Sequence[object], styles: Sequence[str]) -> str:
    inner = "".join(f"<td{style}>{text(cell)}</td>" for cell, style in zip(cells, styles, strict=True))
    return f"<tr>{inner}</tr>"


def figure(name: str, content: bytes, media_type: str, caption: str) -> Html:
    """Return a picture that the page holds itself.

    Args:
        name: id of the figure in the page.
        content: bytes of the picture.
        media_type: e.g. "image/png".
        caption: text below the picture, which also describes it to those who do not see it.
    """
    data = base64.b64encode(content).decode("ascii")
    picture = f'<img src="data:{media_type};base64,{data}" alt="{text(caption)}">'
    return Html(
        f'<figure id="figure-{escape(name)}">{picture}<figcaption>{text(caption)}</figcaption></figure>'
    )


def details(summary: str, body: Html) -> Html:
    """Return content that is folded until the reader opens it."""
    return Html(f"<details><summary>{text(summary)}</summary>{body}</details>")


def section(name: str, title: str, *body: Html) -> Html:
    """Return a section with a title; nothing if it has no content."""
    content = join(each for each in body if each)
    return Html(
        f'<section id="{escape(name)}"><h2>{text(title)}</h2>\n{content}\n</section>' if content else ""
    )


def empty_section(name: str, title: str, reason: str) -> Html:
    """Return a section that says why it has no content."""
    return section(name, title, paragraph(reason, style="note"))


def page(title: str, body: Iterable[Html]) -> str:
    """Return the whole page."""
    content = join(each for each in body if each)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{text(title)}</h1>\n"
        f"{content}\n</body>\n</html>\n"
    )
