# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The XML that S3 clients send and are answered with."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias
from urllib.parse import quote
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from .errors import S3Error

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
MAX_BODY = 4 << 20
"""Bytes of a document that a client may send."""

Content: TypeAlias = "str | Iterable[tuple[str, Content]]"
"""A text, or elements with theirs."""

# what XML 1.0 has no way to hold is written as S3 does it; lines' ends would be changed by readers
_SPECIAL = re.compile("[&<>\"'\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}


def render(name: str, content: Content, *, namespace: bool = True, declare: bool = True) -> str:
    """Return a document whose root element has a name."""
    attribute = f' xmlns="{NAMESPACE}"' if namespace else ""
    start = DECLARATION if declare else ""
    return f"{start}<{name}{attribute}>{_inside(content)}</{name}>"


def error(code: str, message: str, details: Iterable[tuple[str, str]]) -> str:
    """Return the document that tells of an error."""
    return render("Error", [("Code", code), ("Message", message), *details], namespace=False)


def url_encoded(text: str) -> str:
    """Return a key as it is listed where the client asks for encoding-type=url."""
    return quote(text.encode("utf-8", "surrogatepass"), safe="/-_.~*")


def parse(body: bytes, root: str) -> Element:
    """Return the root of a document that a client sent, namespaces taken off.

    Raises
    ------
    S3Error
        MalformedXML if it is not one of that name, or has a document type or entities.
    """
    try:
        found: Element = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise _malformed() from None
    for element in found.iter():
        element.tag = element.tag.rpartition("}")[2]
    if found.tag != root:
        raise _malformed()
    return found


def child(element: Element, name: str) -> str | None:
    """Return the text of an element's only child of a name; None if there is none.

    Raises
    ------
    S3Error
        MalformedXML if there are several, or it has children of its own.
    """
    found = element.findall(name)
    if not found:
        return None
    if len(found) > 1 or len(found[0]):
        raise _malformed()
    return found[0].text or ""


def require(element: Element, name: str) -> str:
    """Return :func:`child`; raise S3Error (MalformedXML) if there is none."""
    text = child(element, name)
    if text is None:
        raise _malformed()
    return text


def _malformed() -> S3Error:
    return S3Error(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published "
        "schema. Nothing was changed.",
    )


def _inside(content: Content) -> str:
    if isinstance(content, str):
        return _SPECIAL.sub(_escaped, content)
    return "".join(f"<{name}>{_inside(inner)}</{name}>" for name, inner in content)


def _escaped(match: re.Match[str]) -> str:
    letter = match[0]
    return _NAMED.get(letter) or f"&#x{ord(letter):X};"
