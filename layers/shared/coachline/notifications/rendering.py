"""A notification as it is read: a title and a sentence in the app, text and HTML in an e-mail, from one source."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from coachline.notifications.catalogue import BY_NAME
from coachline.notifications.text import Text
from coachline.notifications.texts import TEXTS
from coachline.notifications.values import Values, values_of

_UNKNOWN = Text("A notification", "Something happened that this version has no words for.")
_STYLE = {
    "page": "margin:0;padding:24px 12px;background:#f4f5f7",
    "card": "max-width:560px;margin:0 auto;padding:28px;background:#ffffff;border-radius:8px;color:#1c2430;"
    "font:16px/1.5 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif",
    "brand": "margin:0 0 20px;font-size:14px;font-weight:bold;color:#0b5563",
    "h1": "margin:0 0 12px;font-size:21px;line-height:1.3",
    "p": "margin:0 0 14px",
    "th": "padding:4px 16px 4px 0;text-align:left;vertical-align:top;font-weight:normal;white-space:nowrap;"
    "color:#55606e",
    "td": "padding:4px 0;vertical-align:top",
    "a": "display:inline-block;margin:8px 0 4px;padding:11px 20px;background:#0b5563;color:#ffffff;border-radius:6px;"
    "text-decoration:none;font-weight:bold",
    "foot": "max-width:560px;margin:16px auto 0;padding:0 28px;color:#55606e;"
    "font:13px/1.5 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif",
    "link": "color:#0b5563",
}
# For mail programs that follow the reader's dark mode; the others show what stands in the elements themselves.
_DARK = """@media (prefers-color-scheme: dark) {
body { background: #10151b !important }
main { background: #1c2430 !important; color: #e8ecf1 !important }
th, footer { color: #a9b4c2 !important }
.brand, footer a { color: #7cc7d3 !important }
.action { background: #17808f !important }
}"""


@dataclass(frozen=True)
class Letter:
    """The words of an e-mail."""

    subject: str
    text: str
    html: str


def in_app(row: Mapping[str, Any]) -> dict[str, Any]:
    """A `list_notifications` row with its `title`, `body` and `link`, a path of the web front end or None."""
    text = TEXTS.get(row["type"], _UNKNOWN)
    values = _values(row)
    link = text.action[1].format_map(values) if text.action else None
    return {**row, "title": text.subject.format_map(values), "body": text.lead.format_map(values), "link": link}


def letter(row: Mapping[str, Any], *, web: str, unsubscribe: str | None) -> Letter:
    """The e-mail of a `deliver_notifications` row; `unsubscribe` is the link that stops this type, if it can be."""
    text, values = TEXTS[row["type"]], _values(row)
    subject, lead, *more = (part.format_map(values) for part in (text.subject, text.lead, *text.more))
    facts = [(label, value) for label, form in text.facts if (value := form.format_map(values))]
    action = (text.action[0], web + text.action[1].format_map(values)) if text.action else None
    title = BY_NAME[row["type"]].title
    return Letter(
        subject,
        _as_text(lead, more, facts, action, _footer(title, unsubscribe)),
        _as_html(subject, lead, more, facts, action, _footer(title, unsubscribe)),
    )


def _values(row: Mapping[str, Any]) -> Values:
    where = {name: row[name] for name in ("timezone", "locale")}
    return values_of(row["payload"], row["names"], reader=row["user_id"], **where)


def _footer(title: str, unsubscribe: str | None) -> tuple[str, str | None]:
    if unsubscribe is None:
        return "This message cannot be switched off.", None
    return f"Coachline sends you e-mails about: {title}.", unsubscribe


def _as_text(
    lead: str,
    more: list[str],
    facts: list[tuple[str, str]],
    action: tuple[str, str] | None,
    footer: tuple[str, str | None],
) -> str:
    blocks = [lead]
    if facts:
        blocks.append("\n".join(f"{label}: {value}" for label, value in facts))
    blocks += more
    if action:
        blocks.append(f"{action[0]}: {action[1]}")
    blocks.append(f"-- \n{footer[0]}" + (f"\nStop these e-mails: {footer[1]}" if footer[1] else ""))
    return "\n\n".join(blocks) + "\n"


def _as_html(  # noqa: PLR0917 - the parts of a letter, in their order
    subject: str,
    lead: str,
    more: list[str],
    facts: list[tuple[str, str]],
    action: tuple[str, str] | None,
    footer: tuple[str, str | None],
) -> str:
    def element(name: str, content: str) -> str:
        return f'<{name} style="{_STYLE[name]}">{content}</{name}>'

    rows = "".join(
        f'<tr><th scope="row" style="{_STYLE["th"]}">{escape(label)}</th>{element("td", escape(value))}</tr>\n'
        for label, value in facts
    )
    parts = [
        f'<p class="brand" style="{_STYLE["brand"]}">Coachline</p>',
        element("h1", escape(lead)),
        f'<table style="margin:0 0 14px;border-collapse:collapse">\n{rows}</table>' if rows else "",
        *(element("p", escape(paragraph)) for paragraph in more),
        f'<a class="action" href="{escape(action[1])}" style="{_STYLE["a"]}">{escape(action[0])}</a>' if action else "",
    ]
    said, link = footer
    stop = f'<br><a href="{escape(link)}" style="{_STYLE["link"]}">Stop these e-mails</a>' if link else ""
    body = "\n".join(part for part in parts if part)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(subject)}</title>
<style>
{_DARK}
</style>
</head>
<body style="{_STYLE["page"]}">
<main style="{_STYLE["card"]}">
{body}
</main>
<footer style="{_STYLE["foot"]}">{escape(said)}{stop}</footer>
</body>
</html>
"""
