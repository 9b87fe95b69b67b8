"""R's model formulas, read: text such as ``~ x + factor(g) + I(x^2)`` becomes terms, and terms a design matrix.

Wilkinson GN, Rogers CE. Symbolic description of factorial models for analysis of variance. Appl Stat 1973;22:392-399.
doi:10.2307/2346786. Factors are coded by treatment contrasts; a factor is coded in full where its margin is absent
(Chambers JM, Hastie TJ. Statistical Models in S, 1992, section 2.4.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

from metagrove.core.errors import SpecError

__all__ = [
    "Binary",
    "Call",
    "Expression",
    "Name",
    "Number",
    "RandomTerm",
    "Terms",
    "Text",
    "Unary",
    "deparse",
    "expression",
    "random_term",
    "sides",
    "terms",
    "variables",
]


@dataclass(frozen=True, slots=True)
class Name:
    """A column's name."""

    text: str


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted text."""

    text: str


@dataclass(frozen=True, slots=True)
class Unary:
    """A sign, a negation or a pair of parentheses (`sign` is then "(")."""

    sign: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands and the operator between them."""

    sign: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments; `keys[i]` is the name given to argument i, "" where it has none."""

    function: str
    arguments: tuple[Expression, ...]
    keys: tuple[str, ...]


Expression: TypeAlias = Name | Number | Text | Unary | Binary | Call

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|`(?P<quoted>[^`]+)`"
    r"|(?P<name>(?:[^\W\d]|\.(?!\d))[\w.]*)|\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'"
    r"|(?P<sign>%in%|\*\*|==|!=|<=|>=|[-+*/^:()|~,=<>!&]))"
)
#: Binding strength of R's operators, left and right; right-associative where the right one is smaller.
_BINDING = {
    "~": (10, 11),
    "|": (20, 21),
    "&": (22, 23),
    **dict.fromkeys(("==", "!=", "<", ">", "<=", ">="), (30, 31)),
    "+": (40, 41),
    "-": (40, 41),
    "*": (50, 51),
    "/": (50, 51),
    "%in%": (60, 61),
    ":": (70, 71),
    "^": (91, 90),
}
_UNARY = {"-": 80, "+": 80, "!": 25, "~": 10}


class _Reader:
    """Tokens of one formula with a position; `expression(0)` reads it to the end."""

    __slots__ = ("at", "text", "tokens")

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.tokens: list[tuple[str, str]] = []
        position, body = 0, text.rstrip()
        while position < len(body):
            match = _TOKEN.match(body, position)
            if match is None or match.lastgroup is None:
                raise SpecError(f"formula '{text}': '{body[position:].strip()[:12]}' cannot be read")
            kind = match.lastgroup
            self.tokens.append((kind, "^" if match[kind] == "**" else match[kind]))
            position = match.end()

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def take(self) -> tuple[str, str]:
        token = self.peek()
        self.at += 1
        return token

    def expect(self, sign: str) -> None:
        kind, found = self.take()
        if (kind, found) != ("sign", sign):
            raise SpecError(f"formula '{self.text}': '{sign}' expected where '{found or 'the end'}' stands")

    def operand(self) -> Expression:
        kind, text = self.take()
        if kind == "number":
            return Number(text)
        if kind in ("double", "single"):
            return Text(text)
        if kind in ("name", "quoted"):
            return self.call(text) if kind == "name" and self.peek() == ("sign", "(") else Name(text)
        if kind == "sign" and text == "(":
            inner = self.expression(0)
            self.expect(")")
            return Unary("(", inner)
        if kind == "sign" and text in _UNARY:
            return Unary(text, self.expression(_UNARY[text]))
        raise SpecError(f"formula '{self.text}': a name or number is missing before '{text or 'the end'}'")

    def call(self, function: str) -> Call:
        self.expect("(")
        arguments: list[Expression] = []
        keys: list[str] = []
        while self.peek() != ("sign", ")"):
            key = ""
            if self.peek()[0] == "name" and self.tokens[self.at + 1 : self.at + 2] == [("sign", "=")]:
                key = self.take()[1]
                self.take()
            keys.append(key)
            arguments.append(self.expression(0))
            if self.peek() == ("sign", ","):
                self.take()
            elif self.peek() != ("sign", ")"):
                self.expect(")")
        self.expect(")")
        return Call(function, tuple(arguments), tuple(keys))

    def expression(self, strength: int) -> Expression:
        left = self.operand()
        while True:
            kind, sign = self.peek()
            if kind != "sign" or sign not in _BINDING or _BINDING[sign][0] < strength:
                return left
            self.take()
            left = Binary(sign, left, self.expression(_BINDING[sign][1]))


def expression(text: str) -> Expression:
    """The tree of a formula.

    >>> deparse(expression("~ x+factor( g )*I(x^2 - mean(x))"))
    '~x + factor(g) * I(x^2 - mean(x))'
    """
    reader = _Reader(text)
    tree = reader.expression(0)
    if reader.peek()[0] != "end":
        raise SpecError(f"formula '{text}': '{reader.peek()[1]}' was not expected here")
    return tree


def deparse(tree: Expression) -> str:
    """The text of a tree, spaced as R prints it."""
    match tree:
        case Name(text) | Number(text):
            return text
        case Text(text):
            return f'"{text}"'
        case Unary("(", operand):
            return f"({deparse(operand)})"
        case Unary(sign, operand):
            return f"{sign}{deparse(operand)}"
        case Binary(("^" | ":") as sign, left, right):
            return f"{deparse(left)}{sign}{deparse(right)}"
        case Binary(sign, left, right):
            return f"{deparse(left)} {sign} {deparse(right)}"
        case Call(function, arguments, keys):
            inner = (f"{key} = {deparse(a)}" if key else deparse(a) for key, a in zip(keys, arguments, strict=True))
            return f"{function}({', '.join(inner)})"


def variables(tree: Expression) -> Iterator[str]:
    """The columns a tree speaks of, in order of appearance, repeats included."""
    match tree:
        case Name(text):
            yield text
        case Unary(_, operand):
            yield from variables(operand)
        case Binary(_, left, right):
            yield from variables(left)
            yield from variables(right)
        case Call(_, arguments, _):
            for argument in arguments:
                yield from variables(argument)


Term: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """A formula's right-hand side: whether it has an intercept, its terms, and each factor's tree by its text."""

    intercept: bool
    terms: tuple[Term, ...]
    factors: Mapping[str, Expression]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns the terms need."""
        return tuple(dict.fromkeys(name for tree in self.factors.values() for name in variables(tree)))


def sides(text: str) -> tuple[str | None, Expression]:
    """The left-hand side of a formula as text (None where there is none) and the tree of its right-hand side.

    >>> sides("yi ~ x")[0], sides("~ x")[0]
    ('yi', None)
    """
    match expression(text):
        case Unary("~", operand):
            return None, operand
        case Binary("~", left, right):
            return deparse(left), right
        case tree:
            return None, tree


def _merged(left: Term, right: Term) -> Term:
    return tuple(dict.fromkeys(left + right))


def _union(left: list[Term], right: list[Term]) -> list[Term]:
    union: dict[frozenset[str], Term] = {}
    for term in left + right:
        union.setdefault(frozenset(term), term)
    return list(union.values())


class _Expansion:
    """Terms of a tree; () stands for the intercept and is kept in `intercept`."""

    __slots__ = ("factors", "intercept")

    def __init__(self) -> None:
        self.intercept = True
        self.factors: dict[str, Expression] = {}

    def of(self, tree: Expression) -> list[Term]:
        match tree:
            case Number("1"):
                self.intercept = True
                return []
            case Number("0"):
                self.intercept = False
                return []
            case Unary("(", operand):
                return self.of(operand)
            case Unary("-", operand):
                return self.without([], operand)
            case Unary("+", operand):
                return self.of(operand)
            case Binary("+", left, right):
                first = self.of(left)
                return _union(first, self.of(right))
            case Binary("-", left, right):
                return self.without(self.of(left), right)
            case Binary("*", left, right):
                a, b = self.of(left), self.of(right)
                return _union(_union(a, b), [_merged(s, t) for s, t in product(a, b)])
            case Binary(":", left, right):
                return _union([], [_merged(s, t) for s, t in product(self.of(left), self.of(right))])
            case Binary("/", left, right):
                a = self.of(left)
                whole: Term = tuple(dict.fromkeys(name for term in a for name in term))
                return _union(a, [_merged(whole, t) for t in self.of(right)])
            case Binary("^", left, Number(power)):
                return self.power(self.of(left), power)
            case Name() | Call():
                text = deparse(tree)
                self.factors[text] = tree
                return [(text,)]
        raise SpecError(f"'{deparse(tree)}' is not a term of a formula; arithmetic goes inside I()")

    def without(self, have: list[Term], tree: Expression) -> list[Term]:
        match tree:
            case Number("1"):
                self.intercept = False
                return have
            case Number("0"):
                self.intercept = True
                return have
        inner = _Expansion()
        gone = {frozenset(term) for term in inner.of(tree)}
        return [term for term in have if frozenset(term) not in gone]

    @staticmethod
    def power(base: list[Term], power: str) -> list[Term]:
        if not power.isdigit() or not 1 <= int(power) <= 6:
            raise SpecError(
                f"'^{power}' in a formula: the power is a whole number from 1 to 6; arithmetic goes inside I()"
            )
        have = base
        for _ in range(int(power) - 1):
            have = _union(have, _union([], [_merged(s, t) for s, t in product(have, base)]))
        return have


def terms(text: str) -> Terms:
    """The terms of a one- or two-sided formula, main effects first, then by order.

    >>> terms("~ a*b + I(x^2) - 1")
    Terms(intercept=False, terms=(('a',), ('b',), ('I(x^2)',), ('a', 'b')), factors=...)
    """
    reading = _Expansion()
    found = reading.of(sides(text)[1])
    place = {name: i for i, name in enumerate(reading.factors)}
    ordered = tuple(sorted((tuple(sorted(term, key=place.__getitem__)) for term in found), key=len))
    used = {name for term in ordered for name in term}
    return Terms(reading.intercept, ordered, {k: v for k, v in reading.factors.items() if k in used})


@dataclass(frozen=True, slots=True)
class RandomTerm:
    """One random effect: ``~ inner | outer`` (`inner` is None for ``~ 1 | outer``); `outer` lists nested names, a/b."""

    text: str
    inner: Expression | None
    outer: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns the term needs."""
        inside = variables(self.inner) if self.inner is not None else ()
        return tuple(dict.fromkeys((*inside, *self.outer)))


def random_term(text: str) -> RandomTerm:
    """A random effect from its formula.

    >>> random_term("~ 1 | district/school").outer
    ('district', 'school')
    """
    tree = sides(text)[1]
    while isinstance(tree, Unary) and tree.sign == "(":
        tree = tree.operand
    if not (isinstance(tree, Binary) and tree.sign == "|"):
        raise SpecError(f"random '{text}': write '~ 1 | study', '~ 1 | district/school' or '~ outcome | study'")
    outer: list[str] = []
    right = tree.right
    while isinstance(right, Binary) and right.sign == "/" and isinstance(right.right, Name):
        outer.insert(0, right.right.text)
        right = right.left
    if not isinstance(right, Name):
        raise SpecError(f"random '{text}': '{deparse(tree.right)}' is not a column, nor columns nested by '/'")
    inner = None if tree.left == Number("1") else tree.left
    if inner is not None and outer:
        raise SpecError(f"random '{text}': an inner factor goes with one outer column; found '{deparse(tree.right)}'")
    return RandomTerm(text, inner, (right.text, *outer))
