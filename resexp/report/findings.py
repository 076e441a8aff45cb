"""The sections of FINDINGS.md on an experiment, as HTML; the part of Markdown that they are written in."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape

INLINE = re.compile(
    r"`(?P<code>[^`]+)`|\*\*(?P<strong>.+?)\*\*|\*(?P<em>.+?)\*|\[(?P<link>.+?)\]\((?P<to>.*?)\)"
)
ITEM = re.compile(r"(?:-|\d+\.) +")


@dataclass(frozen=True)
class Section:
    """A section of FINDINGS.md.

    Args:
        title: its heading.
        tables: those that it links to as tables/<name>.csv, in their order.
        html: what it says.
    """

    title: str
    tables: tuple[str, ...]
    html: Markup


def sections(text: str) -> list[Section]:
    """The sections of a page that link to tables; each with the words that its chapter begins with."""
    found, chapter = [], ""
    for heading, body in re.findall(r"^(##+ [^\n]*)\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL):
        tables = tuple(dict.fromkeys(re.findall(r"\(tables/(\w+)\.csv\)", body)))
        if heading.startswith("## "):
            chapter = "" if tables else body
        if tables:
            found.append(Section(heading.lstrip("# "), tables, html(f"{chapter}\n{body}")))
    return found


def about(found: Iterable[Section], tables: Iterable[str]) -> list[Section]:
    """The sections that link to one of these tables."""
    wanted = set(tables)
    return [section for section in found if wanted.intersection(section.tables)]


def html(text: str) -> Markup:
    """Paragraphs, lists, tables, code, emphasis and links; all else is text.

    Links within the repository would lead nowhere from a page that travels alone: their words stay.
    """
    parts = re.split(r"\n\s*\n", text.replace("+-", "±").strip())
    blocks = [part.splitlines() for part in parts if part]
    return Markup("\n").join(_block(lines) for lines in blocks)


def _block(lines: list[str]) -> Markup:
    if lines[0].startswith("|"):
        return _table(lines)
    if ITEM.match(lines[0]):
        items = re.split(r"\n(?=(?:-|\d+\.) )", "\n".join(lines))
        tag = "ul" if lines[0].startswith("-") else "ol"
        whole = Markup("").join(Markup("<li>{}</li>").format(_inline(ITEM.sub("", i, 1))) for i in items)
        return Markup(f"<{tag}>{{}}</{tag}>").format(whole)
    return Markup("<p>{}</p>").format(_inline("\n".join(lines)))


def _table(lines: list[str]) -> Markup:
    head, _, *rows = ([cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines)
    return Markup('<div class="scroll"><table><thead>{}</thead><tbody>{}</tbody></table></div>').format(
        _row(head, "th"), Markup("").join(_row(row, "td") for row in rows)
    )


def _row(cells: list[str], tag: str) -> Markup:
    verdicts = {"holds": "good", "holds in part": "part", "does not hold": "bad"}
    kinds = [f' class="{verdicts[cell]}"' if cell in verdicts else "" for cell in cells]
    whole = Markup("").join(
        Markup(f"<{tag}{kind}>{{}}</{tag}>").format(_inline(cell))
        for cell, kind in zip(cells, kinds, strict=True)
    )
    return Markup("<tr>{}</tr>").format(whole)


def _inline(text: str) -> Markup:
    """Words with code, emphasis and links."""
    whole, end = Markup(""), 0
    for match in INLINE.finditer(text):
        whole += escape(text[end : match.start()]) + _marked(match)
        end = match.end()
    return whole + escape(text[end:])


def _marked(match: re.Match) -> Markup:
    if match["link"]:
        words = _inline(match["link"])
        if match["to"].startswith(("https://", "http://")):
            return Markup('<a href="{}">{}</a>').format(match["to"], words)
        return words
    tag = match.lastgroup
    inner = escape(match[tag]) if tag == "code" else _inline(match[tag])
    return Markup(f"<{tag}>{{}}</{tag}>").format(inner)
