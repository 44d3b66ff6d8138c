# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The card of a run: what the cell shows without anything of ours in the browser.

Everything a program said is text, and is escaped. Colours come from JupyterLab's variables where
they exist, else from what is around, so that the card reads in light and dark.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

_MOST = 30  # rows of a section
_LONGEST = 300  # characters of a value
_POINTS = 120  # of a sparkline

# of YYYYMMDDTHHMMSS.ffffff
_TIME_PARTS = ((0, 4), (4, 6), (6, 8), (9, 11), (11, 13), (13, 15), (16, 22))

_BORDER = "var(--jp-border-color2, rgba(128,128,128,.4))"
_MUTED = "opacity:.7"
_BRAND = "var(--jp-brand-color1, #1976d2)"
_ERROR = "var(--jp-error-color1, #d32f2f)"
_OK = "var(--jp-success-color1, #388e3c)"


def html(record: dict[str, Any]) -> str:
    """Return the card of a full record as HTML that needs nothing but itself."""
    run = record["run"]
    failed = "error" in run
    state, colour = ("failed", _ERROR) if failed else ("published", _OK)
    parts = [
        f'<div class="dotscience-run" style="border:1px solid {_BORDER};border-left:3px solid '
        f"{colour};border-radius:3px;padding:8px 12px;margin:4px 0;max-width:60em;"
        'font-size:13px;line-height:1.5;color:inherit;background:transparent">',
        '<div style="display:flex;gap:.6em;align-items:baseline;flex-wrap:wrap">',
        f'<strong style="font-size:14px">{escape(run.get("description") or "Run")}</strong>',
        f'<span style="color:{colour}">{state}</span>',
        f'<span style="{_MUTED}">{escape(_when(run))}</span>',
        f'<code style="{_MUTED};background:transparent" title="{escape(record["id"])}">'
        f"{escape(record['id'][:8])}</code></div>",
    ]
    if failed:
        said = record.get("traceback") or run["error"]
        parts.append(
            f'<div style="color:{_ERROR};white-space:pre-wrap;'
            f'overflow-wrap:anywhere">{escape(_short(said))}</div>'
        )
    series = record.get("series") or {}
    sections = [
        ("Metrics", [(k, v, series.get(k)) for k, v in sorted(run["summary"].items())]),
        ("Parameters", [(k, v, None) for k, v in sorted(run["parameters"].items())]),
        ("Labels", [(k, v, None) for k, v in sorted(run["labels"].items())]),
    ]
    parts.append('<div style="display:flex;flex-wrap:wrap;gap:0 2.5em">')
    parts += [_table(title, rows) for title, rows in sections if rows]
    parts += [
        _files(title, run[key]) for title, key in (("Inputs", "input"), ("Outputs", "output"))
    ]
    parts.append("</div></div>")
    return "".join(parts)


def text(record: dict[str, Any]) -> str:
    """Return the card as plain text."""
    run = record["run"]
    state = "failed" if "error" in run else "published"
    lines = [
        f"Run {record['id'][:8]} {state}: {_plain(run.get('description') or 'no description')}"
    ]
    if "error" in run:
        lines.append(f"  error: {_plain(record.get('traceback') or run['error'])}")
    for title, key in (("metrics", "summary"), ("parameters", "parameters"), ("labels", "labels")):
        values = sorted(run[key].items())
        if values:
            shown = ", ".join(f"{_plain(k)} = {_plain(v)}" for k, v in values[:_MOST])
            lines.append(f"  {title}: {shown}{_more(len(values))}")
    for title, key in (("inputs", "input"), ("outputs", "output")):
        if run[key]:
            shown = ", ".join(_plain(path) for path in run[key][:_MOST])
            lines.append(f"  {title}: {shown}{_more(len(run[key]))}")
    return "\n".join(lines)


def escape(value: object) -> str:
    """Return a text for use in HTML, in elements and in quoted attributes."""
    return (
        _sendable(str(value))
        .replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace('"', "&quot;")
        .replace("'", "&#x27;")
    )


def numbers(encoded: str) -> list[float]:
    """Return the float64 numbers of (the end of) a series: base64, little-endian."""
    from binascii import a2b_base64
    from struct import unpack

    data = a2b_base64(encoded)
    count = len(data) // 8
    return list(unpack(f"<{count}d", data[len(data) - count * 8 :]))


def sparkline(values: list[float], width: int = 90, height: int = 18) -> str:
    """Return a small line of a series as SVG; nothing for fewer than two finite points."""
    size = max(1, len(values) // _POINTS)
    shown: list[tuple[int, float]] = []
    for start in range(0, len(values), size):
        part = values[start : start + size]
        total = sum(part)
        if total - total != 0:  # there is something in it that is not finite, or a huge number
            part = [v for v in part if v - v == 0]
        if part:
            # the extremes of each part, so that no spike is lost
            low, high = min(part), max(part)
            shown += sorted({(start + part.index(low), low), (start + part.index(high), high)})
    if len(shown) < 2:
        return ""
    low, high = min(v for _, v in shown), max(v for _, v in shown)
    # halved before they are subtracted: the span of two floats may be no float
    span = high / 2 - low / 2 or 1.0
    last = max(len(values) - 1, 1)
    path = " ".join(
        f"{i / last * (width - 2) + 1:.1f},"
        f"{height - 2 - (v / 2 - low / 2) / span * (height - 4):.1f}"
        for i, v in shown
    )
    return (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{len(values)} points" style="vertical-align:middle;margin-left:.6em">'
        f'<polyline points="{path}" fill="none" stroke="{_BRAND}" stroke-width="1.2"/></svg>'
    )


def _table(title: str, rows: list[tuple[str, str, Any]]) -> str:
    cells = "".join(
        f'<tr style="background:transparent"><td style="text-align:left;padding:0 1em 0 0;'
        f'{_MUTED};vertical-align:top">{escape(_short(name))}</td>'
        f'<td style="text-align:left;padding:0;overflow-wrap:anywhere">{escape(_short(value))}'
        f"{_drawn(series)}</td></tr>"
        for name, value, series in rows[:_MOST]
    )
    return (
        f'<div style="margin-top:6px"><div style="font-weight:600">{title}</div>'
        f'<table style="border-collapse:collapse;margin:0;font-size:inherit">{cells}</table>'
        f"{_more_html(len(rows))}</div>"
    )


def _drawn(series: dict[str, Any] | None) -> str:
    return sparkline(numbers(series["values"])) if series else ""


def _files(title: str, paths: list[str]) -> str:
    if not paths:
        return ""
    items = "".join(
        f'<div style="overflow-wrap:anywhere">{escape(_short(path))}</div>'
        for path in paths[:_MOST]
    )
    return (
        f'<div style="margin-top:6px"><div style="font-weight:600">{title}</div>{items}'
        f"{_more_html(len(paths))}</div>"
    )


def _when(run: dict[str, Any]) -> str:
    """Return how long a run took, from the times of its text."""
    start, end = run.get("start"), run.get("end")
    if not start or not end:
        return ""
    seconds = (_moment(end) - _moment(start)).total_seconds()
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _moment(text: str) -> datetime:
    # not strptime, whose first use imports and compiles a lot
    from datetime import datetime

    year, month, day, hour, minute, second, micro = (int(text[i:j]) for i, j in _TIME_PARTS)
    return datetime(year, month, day, hour, minute, second, micro)


def _more(count: int) -> str:
    return f" ... and {count - _MOST} more" if count > _MOST else ""


def _more_html(count: int) -> str:
    return f'<div style="{_MUTED}">{_more(count).strip()}</div>' if count > _MOST else ""


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "\u2026"


def _sendable(text: str) -> str:
    """Return a text without lone surrogates, which cannot be sent to a browser."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _plain(value: object) -> str:
    """Return a text on one line, without what a terminal would act on."""
    text = _sendable(_short(value))
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " for c in text)
