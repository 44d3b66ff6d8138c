# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The pages of signing in: a form, a key, an error. No script, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from html import escape

DAYS = {"30": "30 days", "90": "90 days", "365": "a year"}
"""For how long a key may be good, by the number of days."""

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 40rem; margin: 3rem auto; padding: 0 1rem; }
label { display: block; margin: 1rem 0; }
input, select { display: block; font: inherit; margin-top: .25rem; padding: .3rem; width: 100%;
  box-sizing: border-box; }
button { font: inherit; padding: .4rem 1rem; }
code { display: block; padding: .7rem; border: 1px solid; overflow-wrap: anywhere;
  user-select: all; }
"""

_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; sandbox allow-forms"
)
"""The pages' Content-Security-Policy.

``sandbox`` gives them an origin of their own: other users' servers, whose pages often share
JupyterHub's origin, can open these but not look into them.
"""


def choose(user: str, action: str, ticket: str) -> str:
    """Return the page that asks what the key is to be called, and for how long it is good."""
    options = "".join(
        f'<option value="{days}"{" selected" if days == "90" else ""}>{words}</option>'
        for days, words in DAYS.items()
    )
    return _page(
        "An API key for the command line",
        f"<p>You are <strong>{escape(user)}</strong> on this hub. A key lets a program be you: the "
        "command line on your laptop, a CI job. JupyterLab in JupyterHub needs none.</p>"
        f'<form method="post" action="{escape(action)}">'
        f'<input type="hidden" name="ticket" value="{escape(ticket)}">'
        '<label>What is it for?<input name="name" value="laptop" maxlength="100" required></label>'
        f'<label>It is good for<select name="days">{options}</select></label>'
        "<button>Make the key</button></form>",
    )


def made(user: str, key: str, days: str, url: str) -> str:
    """Return the page that shows a key, this once."""
    return _page(
        "Your API key",
        f"<p>This is the key of <strong>{escape(user)}</strong>, good for {DAYS[days]}. It is "
        f"shown this once.</p><code>{escape(key)}</code>"
        "<p>Give it to the program that asks for it, such as</p>"
        f"<code>jupyter dotscience login {escape(url)}</code>"
        "<p>Whoever has the key can do what you can. You can close this page now.</p>",
    )


def failed(message: str, again: str) -> str:
    """Return the page that tells of an error."""
    return _page(
        "That did not work",
        f'<p role="alert">{escape(message)}</p><p><a href="{escape(again)}">Begin again</a></p>',
    )


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{title} - Dotscience hub</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{title}</h1>{body}</main></body></html>\n"
    )
