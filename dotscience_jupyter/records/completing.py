# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How a filter may go on where somebody is typing it.

The text before the cursor is read leniently: what cannot be understood there is passed over, so
that there are suggestions in the middle of a filter that is wrong elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .columns import ColumnFacts
from .where import KINDS, MAX_LENGTH, OPERATORS, Field, WhereError, parse_where, tokens, write_field

MOST = 100
"""So many suggestions at most."""

_REST = re.compile(r"""[^\s()=!<>~,'"]*""")
_NUMBER_OPERATORS = ("=", "!=", "<", "<=", ">", ">=")
_OPERATORS = {
    "number": _NUMBER_OPERATORS,
    "time": (">=", "<", ">", "<=", "=", "!="),
    "bool": ("=", "!="),
    "text": ("=", "!=", "~"),
    "mixed": (*_NUMBER_OPERATORS, "~"),
}
_MEANINGS = {
    "=": "is",
    "!=": "is not",
    "<": "less than",
    "<=": "at most",
    ">": "more than",
    ">=": "at least",
    "~": "contains",
    "in (": "is one of",
    "not in (": "is none of",
    "is null": "has no value",
    "is not null": "has a value",
}
_TOKEN_VALUES = ("number", "text")
_LITERALS = frozenset({"true", "false", "null"})


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One way to go on: what to put in place of ``start`` to ``end``."""

    text: str
    label: str
    kind: str  # field, parameter, metric, label, operator, value, keyword
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Completion:
    """How a filter may go on, and what is wrong with it as it stands."""

    start: int
    end: int
    items: list[Suggestion]
    error: str
    position: int  # -1 where nothing is wrong


@dataclass(slots=True)
class _State:
    """What has been read before the place where something is to be suggested."""

    expects: str = "term"  # term, operator, in, list, item, next, value, null, joint
    field: Field | None = None
    depth: int = 0


def complete(text: str, cursor: int, columns: Sequence[ColumnFacts]) -> Completion:
    """Return how a filter may go on at a position.

    Parameters
    ----------
    text : str
        The filter as it stands; anything at all.
    cursor : int
        Index into it, from 0; positions beyond either end mean that end.
    columns : sequence of ColumnFacts
        What runs have.
    """
    error, position = _wrong(text)
    cursor = min(max(0, cursor), len(text))
    if len(text) > MAX_LENGTH:
        return Completion(cursor, cursor, [], error, position)
    start, end, state = _place(text, cursor)
    typed = text[start:cursor]
    items = _suggestions(state, typed, columns)
    return Completion(start, end, items[:MOST], error, position)


def _wrong(text: str) -> tuple[str, int]:
    try:
        parse_where(text)
    except WhereError as error:
        return str(error), error.position
    return "", -1


def _place(text: str, cursor: int) -> tuple[int, int, _State]:
    """Return what a suggestion replaces, and what was read before it."""
    before, rest = tokens(text[:cursor])
    start = cursor
    quote = ""
    if rest < cursor:
        # in the middle of a quoted text, or behind something that no filter has
        start = rest
        quote = text[start] if text[start] in "'\"" else ""
        if not quote:
            start = cursor
        elif before and _opens_name(before[-1][1], before[-1][2], start):
            start = before.pop()[2]
    elif before and before[-1][0] in ("word", "keyword", "number"):
        _, word, position = before[-1]
        if position + len(word) == cursor:
            start = position
            before.pop()
    end = cursor
    if quote:
        closing = text.find(quote, cursor)
        if closing >= 0 and not re.search(r"\s", text[cursor:closing]):
            end = closing + 1
    elif start < cursor:
        match = _REST.match(text, cursor)
        end = match.end() if match else cursor
    return start, end, _read(before)


def _opens_name(word: str, position: int, quote: int) -> bool:
    """Return whether a word such as ``parameters.`` takes the quoted name right behind it."""
    head, dot, name = word.partition(".")
    return bool(dot) and not name and head.lower() in KINDS and position + len(word) == quote


def _read(found: Sequence[tuple[str, str, int]]) -> _State:
    state = _State()
    index = 0
    while index < len(found):
        kind, text, position = found[index]
        index += 1
        word = text.lower() if kind == "keyword" else ""
        if state.expects == "term" and kind in ("word", "keyword") and word != "not":
            name = None
            if index < len(found) and found[index][0] == "text":
                quoted = found[index]
                if _opens_name(text, position, quoted[2]):
                    name = quoted[1]
                    index += 1
            state.field = _field(text, name)
            state.expects = "operator"
        else:
            _step(state, kind, text, word)
    return state


def _field(word: str, quoted: str | None) -> Field:
    head, dot, name = word.partition(".")
    kind = KINDS.get(head.lower())
    if kind is None or not dot:
        return Field("column", word.lower())
    if quoted is not None:
        name = quoted[1:-1].replace(quoted[0] * 2, quoted[0])
    return Field(kind, name)


def _step(state: _State, kind: str, text: str, word: str) -> None:
    """Go on by one token that is no field."""
    literal = kind in _TOKEN_VALUES or word in _LITERALS or kind == "word"
    expects = state.expects
    if word in ("and", "or"):
        state.expects = "term"
    elif expects == "term":
        state.depth += text == "("
    elif expects == "operator":
        if kind == "operator" and text in OPERATORS:
            state.expects = "value"
        else:
            state.expects = {"in": "list", "not": "in", "is": "null"}.get(word, expects)
    elif expects == "in":
        state.expects = "list" if word == "in" else expects
    elif expects == "list":
        state.expects = "item" if text == "(" else expects
    elif expects == "item":
        state.expects = "next" if literal else expects
    elif expects == "next":
        state.expects = {",": "item", ")": "joint"}.get(text, expects)
    elif expects == "value":
        state.expects = "joint" if literal else expects
    elif expects == "null":
        state.expects = "joint" if word == "null" else expects
    elif text == ")":
        state.depth = max(0, state.depth - 1)


def _suggestions(state: _State, typed: str, columns: Sequence[ColumnFacts]) -> list[Suggestion]:
    facts = next((each for each in columns if each.field == state.field), None)
    match state.expects:
        case "term":
            words = [Suggestion("not", "not", "keyword", "the opposite of what follows")]
            return _matching(typed, [*map(_field_suggestion, columns), *words])
        case "operator":
            kind = facts.type if facts is not None else "mixed"
            found = [*_OPERATORS[kind], "in (", "not in (", "is null", "is not null"]
            return _matching(typed, [Suggestion(o, o, "operator", _MEANINGS[o]) for o in found])
        case "in":
            return _matching(typed, [Suggestion("in (", "in (", "operator", _MEANINGS["in ("])])
        case "list":
            return _matching(typed, [Suggestion("(", "(", "operator", "the values")])
        case "null":
            words = [Suggestion(w, w, "keyword") for w in ("null", "not null")]
            return _matching(typed, words)
        case "next":
            return [Suggestion(",", ",", "operator", "one more"), Suggestion(")", ")", "operator")]
        case "value" | "item":
            return [] if facts is None else _matching(typed, _values(facts))
    words = [Suggestion(word, word, "keyword") for word in ("and", "or")]
    if state.depth:
        words.append(Suggestion(")", ")", "keyword"))
    return _matching(typed, words)


def _field_suggestion(facts: ColumnFacts) -> Suggestion:
    key = write_field(facts.field)
    kind = "field" if facts.field.kind == "column" else facts.field.kind
    runs = "1 run" if facts.runs == 1 else f"{facts.runs:,} runs"
    return Suggestion(key, key, kind, f"{facts.type}, {runs}")


def _values(facts: ColumnFacts) -> list[Suggestion]:
    if facts.type == "bool":
        return [Suggestion(word, word, "value") for word in ("true", "false")]
    values = list(facts.values)
    if facts.field == Field("column", "status"):
        values = list(dict.fromkeys([*values, "succeeded", "failed"]))
    if facts.type != "number":
        return [Suggestion(quoted(text), text, "value") for text in values]
    found = [Suggestion(text, text, "value") for text in values]
    for number, detail in ((facts.maximum, "highest"), (facts.minimum, "lowest")):
        if number is not None and len(values) == 0:
            found.append(Suggestion(repr(number), repr(number), "value", detail))
    return found


def quoted(text: str) -> str:
    """Return a text as a value in a filter.

    >>> quoted("o'neill")
    "'o''neill'"
    """
    return "'" + text.replace("'", "''") + "'"


def _matching(typed: str, found: Sequence[Suggestion]) -> list[Suggestion]:
    """Return those that fit what is typed: beginnings, then beginnings of names, then the rest."""
    wanted = typed.lower().replace('"', "").replace("'", "")
    if not wanted:
        return list(found)
    ranks: tuple[list[Suggestion], ...] = ([], [], [])
    for each in found:
        label = each.label.lower().replace('"', "").replace("'", "")
        if label.startswith(wanted):
            ranks[0].append(each)
        elif label.partition(".")[2].startswith(wanted):
            ranks[1].append(each)
        elif wanted in label:
            ranks[2].append(each)
    return [each for rank in ranks for each in rank]
