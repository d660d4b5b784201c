"""The link at the foot of an e-mail: a page with one button, and what the button does (RFC 8058)."""

from html import escape

from coachline.api import Caller
from coachline.database import as_caller
from coachline.notifications.catalogue import BY_NAME

# Nothing is loaded, the form goes back to where it came from, and no other site shows the page in a frame.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # the address holds the token
    "X-Robots-Tag": "noindex",
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{heading}</title>
<style>
body {{ margin: 0; padding: 48px 16px; background: #f4f5f7; color: #1c2430; font: 17px/1.5 system-ui, sans-serif }}
main {{ max-width: 30rem; margin: 0 auto; padding: 32px; background: #fff; border-radius: 8px }}
h1 {{ margin: 0 0 12px; font-size: 22px; line-height: 1.3 }}
button {{ padding: 12px 22px; border: 0; border-radius: 6px; background: #0b5563; color: #fff; font: inherit }}
button:focus-visible {{ outline: 3px solid #e0a100; outline-offset: 2px }}
</style>
</head>
<body>
<main>
<h1>{heading}</h1>
<p>{text}</p>{form}
</main>
</body>
</html>
"""
# To the page's own address, token and all; what RFC 8058 has a mail program send is sent by the button, too.
_FORM = '\n<form method="post"><button name="List-Unsubscribe" value="One-Click">Stop these e-mails</button></form>'


def asking(caller: Caller, token: str) -> str:
    """The page that asks, and changes nothing; 400 link_invalid."""
    title = _title(as_caller(caller).read("get_unsubscription", token=token)["type"])
    text = f"You will get no more e-mails about: {title}. In the app you are told as before."
    return _PAGE.format(heading="Stop these e-mails?", text=escape(text), form=_FORM)


def stopping(caller: Caller, token: str) -> str:
    """Switch the type's e-mails off, and the page that says so; 400 link_invalid."""
    title = _title(as_caller(caller).write("unsubscribe", token=token)["type"])
    text = f"You get no more e-mails about: {title}. You can switch them on again in your settings."
    return _PAGE.format(heading="Done", text=escape(text), form="")


def _title(kind: str) -> str:
    return BY_NAME[kind].title if kind in BY_NAME else kind.replace("_", " ")
