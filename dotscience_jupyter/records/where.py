# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The language that filters runs: ``metrics.accuracy > 0.9 and parameters.model = 'svm'``.

Text becomes tokens, tokens a tree; :mod:`.expressions` makes SQL with bound values of the tree.
Nothing is ever evaluated as code, and length, nesting and size are limited. ``docs/records.md``
describes the language for users.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn

from .errors import RecordsError

MAX_LENGTH = 4000
MAX_NESTING = 50
MAX_TERMS = 200
MAX_SORTS = 8

KINDS = {
    "parameters": "parameter",
    "parameter": "parameter",
    "params": "parameter",
    "param": "parameter",
    "metrics": "metric",
    "metric": "metric",
    "summary": "metric",
    "labels": "label",
    "label": "label",
}
COLUMNS = {
    "description": "text",
    "status": "text",
    "error": "text",
    "author": "text",
    "file": "text",
    "authority": "text",
    "commit": "id",
    "id": "id",
    "started": "time",
    "ended": "time",
    "created": "time",
    "seconds": "number",
}
"""The fields that are not parameters, metrics or labels, and how they compare."""

OPERATORS = {"=": "=", "==": "=", "!=": "!=", "<>": "!=", "~": "~"} | {
    each: each for each in ("<", "<=", ">", ">=")
}
_KEYWORDS = frozenset({"and", "or", "not", "in", "is", "null", "true", "false"})

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
  | (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
  | (?P<operator><=|>=|<>|!=|==|[=<>~(),])
  | (?P<word>[^\W\d][^\s()=!<>~,'"]*)
    """,
    re.VERBOSE,
)

_PLAIN = re.compile(r"""[^\s()=!<>~,'"]+""")  # names that need no quotes after a dot

Value = float | str | bool | None


class WhereError(RecordsError):
    """A filter or sort that cannot be understood: what is wrong, and where.

    Attributes
    ----------
    text : str
        What was to be understood.
    position : int
        Index into it, from 0, of what is wrong; its length where something is missing at the end.
    """

    def __init__(self, message: str, text: str, position: int) -> None:
        super().__init__(message)
        self.text = text
        self.position = position

    def pointer(self, width: int = 72) -> str:
        """Return the text around the position and, on a second line, a caret below it."""
        start = max(0, min(self.position - width // 2, len(self.text) - width))
        shown = re.sub(r"\s", " ", self.text[start : start + width])
        return f"{shown}\n{' ' * (self.position - start)}^"


@dataclass(frozen=True, slots=True)
class Field:
    """What is compared: a column (kind "column"), or a parameter, metric or label by name."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as it stands in the text. ``source`` is how it was written (text: without quotes)."""

    value: Value
    source: str
    position: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """``field operator literal``; false where the run has no such value."""

    field: Field
    operator: str  # = != < <= > >= ~
    literal: Literal


@dataclass(frozen=True, slots=True)
class In:
    """``field in (literal, ...)``."""

    field: Field
    literals: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class IsNull:
    """``field is null``: the run has no such value, or the value is None."""

    field: Field


@dataclass(frozen=True, slots=True)
class Not:
    """``not node``."""

    node: Node


@dataclass(frozen=True, slots=True)
class And:
    """All of them."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of them."""

    nodes: tuple[Node, ...]


Node = Comparison | In | IsNull | Not | And | Or


@dataclass(frozen=True, slots=True)
class Sort:
    """One field to sort by; runs without it come last either way."""

    field: Field
    descending: bool


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # number, text, operator, word, keyword, end
    text: str
    position: int


def parse_where(text: str) -> Node | None:
    """Return the tree of a filter, None for an empty one. Raise WhereError if it is none."""
    parser = _Parser(text)
    if parser.token.kind == "end":
        return None
    node = parser.disjunction()
    if parser.token.kind != "end":
        parser.fail(f"Expected 'and' or 'or' before {parser.shown()}")
    return node


def parse_sort(text: str) -> list[Sort]:
    """Return the fields of ``metrics.accuracy desc, started``. Raise WhereError if it is wrong."""
    parser = _Parser(text)
    sorts: list[Sort] = []
    while parser.token.kind != "end":
        if len(sorts) >= MAX_SORTS:
            parser.fail(f"More than {MAX_SORTS} fields to sort by")
        field = parser.field()
        direction = parser.token.text.lower() if parser.token.kind == "word" else ""
        if direction in ("asc", "desc"):
            parser.next()
        sorts.append(Sort(field, direction == "desc"))
        if parser.token.kind != "end":
            parser.expect(",", "a comma between the fields to sort by (asc or desc after a field)")
            if parser.token.kind == "end":
                parser.fail("A field to sort by is missing after the comma")
    return sorts


def parse_field(text: str) -> Field:
    """Return the field that a text such as ``metrics.accuracy`` names. Raise WhereError if none."""
    parser = _Parser(text)
    field = parser.field()
    if parser.token.kind != "end":
        parser.fail(f"Expected one field, found {parser.shown()} after it")
    return field


def write_field(field: Field) -> str:
    """Return how a field is written in filters and sorts; odd names are quoted.

    >>> write_field(Field("parameter", "lr")), write_field(Field("metric", "top 5"))
    ('parameters.lr', 'metrics."top 5"')
    """
    if field.kind == "column":
        return field.name
    name = field.name
    if not _PLAIN.fullmatch(name):
        name = '"' + name.replace('"', '""') + '"'
    return f"{field.kind}s.{name}"


def tokens(text: str) -> tuple[list[tuple[str, str, int]], int]:
    """Return (kind, text, position) of each token, and where a text ends that is none.

    Kinds are ``number``, ``text``, ``operator``, ``word`` and ``keyword``.
    """
    found = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            break
        kind = match.lastgroup
        if kind == "word" and match[0].lower() in _KEYWORDS:
            kind = "keyword"
        if kind != "space":
            found.append((kind, match[0], position))
        position = match.end()
    return found, position


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        if len(text) > MAX_LENGTH:
            raise WhereError(f"Longer than {MAX_LENGTH} characters", text, MAX_LENGTH)
        self._tokens = self._tokenize()
        self._depth = 0
        self._terms = 0
        self.next()

    def next(self) -> _Token:
        """Go on to the next token and return it."""
        self.token = next(self._tokens)
        return self.token

    def fail(self, message: str, position: int | None = None) -> NoReturn:
        """Raise WhereError at the present token, or at a position."""
        raise WhereError(message, self._text, self.token.position if position is None else position)

    def shown(self) -> str:
        """Return the present token for a message."""
        return "the end" if self.token.kind == "end" else self.token.text[:40]

    def expect(self, operator: str, what: str) -> None:
        """Go past an operator, or fail for the want of it."""
        if self.token.kind != "operator" or self.token.text != operator:
            self.fail(f"Expected {what}, found {self.shown()}")
        self.next()

    def disjunction(self) -> Node:
        """Return the tree of ``a or b or ...``."""
        nodes = [self._conjunction()]
        while self._keyword("or"):
            nodes.append(self._conjunction())
        return nodes[0] if len(nodes) == 1 else Or(tuple(nodes))

    def field(self) -> Field:
        """Return the field of ``metrics.accuracy``, ``parameters."learning rate"`` or a column."""
        token = self.token
        if token.kind not in ("word", "keyword"):
            self.fail(f"Expected a field such as metrics.accuracy or status, found {self.shown()}")
        head, dot, name = token.text.partition(".")
        kind = KINDS.get(head.lower())
        if kind and dot:
            self.next()
            if not name:
                after = token.position + len(token.text)
                if self.token.kind != "text" or self.token.position != after:
                    self.fail(f"Expected a name right after {token.text}", after)
                name = _unquote(self.token.text)
                self.next()
            return Field(kind, name)
        if token.text.lower() not in COLUMNS:
            self.fail(
                f"There is no field {token.text[:40]}; there are parameters.NAME, metrics.NAME, "
                f"labels.NAME, {', '.join(COLUMNS)}"
            )
        self.next()
        return Field("column", token.text.lower())

    def _tokenize(self) -> Iterator[_Token]:
        found, end = tokens(self._text)
        for token in found:
            yield _Token(*token)
        if end < len(self._text):
            what = self._text[end]
            closing = f"The closing {what} is missing" if what in "'\"" else ""
            raise WhereError(
                closing or f"Unexpected {self._text[end : end + 20].split()[0]}", self._text, end
            )
        while True:
            yield _Token("end", "", len(self._text))

    def _keyword(self, word: str) -> bool:
        """Go past a keyword if it is the present token."""
        if self.token.kind != "keyword" or self.token.text.lower() != word:
            return False
        self.next()
        return True

    def _conjunction(self) -> Node:
        nodes = [self._negation()]
        while self._keyword("and"):
            nodes.append(self._negation())
        return nodes[0] if len(nodes) == 1 else And(tuple(nodes))

    def _negation(self) -> Node:
        self._depth += 1
        if self._depth > MAX_NESTING:
            self.fail(f"Nested more than {MAX_NESTING} levels deep")
        node: Node
        if self._keyword("not"):
            node = Not(self._negation())
        elif self.token.kind == "operator" and self.token.text == "(":
            self.next()
            node = self.disjunction()
            self.expect(")", "a closing parenthesis")
        else:
            node = self._comparison()
        self._depth -= 1
        return node

    def _comparison(self) -> Node:
        field = self.field()
        if self._keyword("is"):
            negated = self._keyword("not")
            if not self._keyword("null"):
                self.fail(f"Expected null, found {self.shown()}")
            self._count()
            return Not(IsNull(field)) if negated else IsNull(field)
        if self._keyword("in"):
            return In(field, self._list(field))
        if self._keyword("not"):
            if not self._keyword("in"):
                self.fail(f"Expected 'in', found {self.shown()}")
            return Not(In(field, self._list(field)))
        operator = OPERATORS.get(self.token.text) if self.token.kind == "operator" else None
        if operator is None:
            self.fail(
                "Expected a comparison (= != < <= > >= ~, in, is null) after the field, "
                f"found {self.shown()}"
            )
        self.next()
        literal = self._literal()
        if literal.value is None:
            if operator not in ("=", "!="):
                self.fail("null compares with 'is null' and 'is not null' only", literal.position)
            return IsNull(field) if operator == "=" else Not(IsNull(field))
        self._check(field, operator, literal)
        return Comparison(field, operator, literal)

    def _list(self, field: Field) -> tuple[Literal, ...]:
        self.expect("(", "an opening parenthesis after 'in'")
        literals = []
        while True:
            literal = self._literal()
            if literal.value is None:
                self.fail("null cannot be in a list; use 'is null'", literal.position)
            self._check(field, "=", literal)
            literals.append(literal)
            if self.token.text == ")" and self.token.kind == "operator":
                self.next()
                return tuple(literals)
            self.expect(",", "a comma or a closing parenthesis")

    def _literal(self) -> Literal:
        self._count()
        token = self.token
        word = token.text.lower()
        value: Value
        if token.kind == "number":
            value, source = float(token.text), token.text
        elif token.kind == "text":
            value = source = _unquote(token.text)
        elif token.kind == "keyword" and word in ("true", "false", "null"):
            value, source = {"true": True, "false": False, "null": None}[word], word
        elif token.kind == "word":
            self.fail(f"Expected a number or a text; put text into quotes: '{token.text[:40]}'")
        else:
            self.fail(
                f"Expected a number, a text in quotes, true, false or null, found {self.shown()}"
            )
        self.next()
        return Literal(value, source, token.position)

    def _count(self) -> None:
        self._terms += 1
        if self._terms > MAX_TERMS:
            self.fail(f"More than {MAX_TERMS} comparisons")

    def _check(self, field: Field, operator: str, literal: Literal) -> None:
        """Refuse comparisons that could never be true because of the field's nature."""
        nature = COLUMNS[field.name] if field.kind == "column" else ""
        if nature == "number" and (isinstance(literal.value, bool | str) or operator == "~"):
            self.fail(f"{field.name} is a number and compares with numbers only", literal.position)
        if nature == "time":
            if operator == "~" or not isinstance(literal.value, str):
                self.fail(_TIME_HINT.format(field.name), literal.position)
            try:
                parse_time(literal.value)
            except ValueError:
                self.fail(_TIME_HINT.format(field.name), literal.position)


_TIME_HINT = "{} is a time; compare it with a date or time in quotes, such as '2026-01-31T18:00'"


def parse_time(text: str) -> datetime:
    """Return the time of an ISO 8601 text, UTC without a zone. Raise ValueError if it is none."""
    time = datetime.fromisoformat(text.strip())
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _unquote(text: str) -> str:
    quote = text[0]
    return text[1:-1].replace(quote * 2, quote)
