"""Design matrices: the columns of a model, from a formula or from numbers given outright."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metagrove.core.errors import DataError, SpecError, UnknownName
from metagrove.core.registry import Registry
from metagrove.core.values import Array
from metagrove.pooling.regression.formula import (
    Binary,
    Call,
    Expression,
    Name,
    Number,
    Term,
    Terms,
    Text,
    Unary,
    deparse,
    terms,
)

__all__ = ["ONE_MEAN", "Design", "check_rank", "factor_levels", "formula_design", "matrix_design"]

Objects = NDArray[np.object_]
INTERCEPT = "intrcpt"
ONE_MEAN = "~ 1"

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "&": np.logical_and,
    "|": np.logical_or,
}

FUNCTIONS: Registry[Callable[[Array], Any]] = Registry("function in a formula")
_R = "R Core Team. R: a language and environment for statistical computing. Vienna, 2022"
for _name, _function, _title in (
    ("log", np.log, "natural logarithm"),
    ("log2", np.log2, "logarithm to base 2"),
    ("log10", np.log10, "logarithm to base 10"),
    ("log1p", np.log1p, "log(1 + x)"),
    ("exp", np.exp, "exponential"),
    ("sqrt", np.sqrt, "square root"),
    ("abs", np.abs, "absolute value"),
    ("round", np.round, "rounded to whole numbers"),
    ("mean", np.mean, "mean of the column"),
    ("median", np.median, "median of the column"),
    ("min", np.min, "least value of the column"),
    ("max", np.max, "greatest value of the column"),
    ("sd", lambda x: np.std(x, ddof=1), "standard deviation of the column"),
    ("scale", lambda x: (x - np.mean(x)) / np.std(x, ddof=1), "centred and divided by the standard deviation"),
):
    FUNCTIONS.put(_name, _function, title=_title, cite=_R)
#: Functions whose value for one study depends on the other studies.
_OF_THE_SAMPLE = {"mean", "median", "min", "max", "sd", "scale"}
_CODING = {"factor", "as.factor", "relevel"}


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """A model's columns.

    Parameters
    ----------
    X : shape (k, p), float.
    names : p names as R prints them, the intercept as "intrcpt".
    intercept : whether the first column is the intercept.
    formula : the text it came from, "" for a matrix.
    assign : for each column the number of its term, 0 the intercept.
    levels : each factor's levels, by its text in the formula.
    dropped : names of interaction columns that the studies at hand cannot tell from the others (empty cells).
    """

    X: Array
    names: tuple[str, ...]
    intercept: bool
    formula: str = ""
    assign: tuple[int, ...] = ()
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was dropped, as sentences."""
        return tuple(
            f"'{name}' was dropped: the studies cannot tell it from the other columns" for name in self.dropped
        )

    @property
    def p(self) -> int:
        """The number of columns."""
        return int(self.X.shape[1])

    def rows_for(self, columns: Mapping[str, ArrayLike]) -> Array:
        """Design rows for new studies, given by raw columns, with the factor levels of the original; shape (m, p)."""
        if not self.formula:
            raise SpecError("the moderators were given as a matrix; give new moderators as a matrix too")
        asked = terms(self.formula)
        for text, tree in asked.factors.items():
            if _depends_on_sample(tree):
                raise SpecError(f"'{text}' depends on all studies; give the coded columns of new studies as numbers")
        size = max((np.size(np.asarray(columns[name])) for name in asked.columns if name in columns), default=1)
        spread = {name: np.broadcast_to(np.asarray(values), (size,)) for name, values in columns.items()}
        whole = formula_design(self.formula, spread, size, levels=self.levels, intercept=self.intercept)
        return whole.X[:, [i for i, name in enumerate(whole.names) if name not in self.dropped]]


def _depends_on_sample(tree: Expression) -> bool:
    match tree:
        case Call(function, arguments, _):
            return function in _OF_THE_SAMPLE or any(_depends_on_sample(a) for a in arguments)
        case Unary(_, operand):
            return _depends_on_sample(operand)
        case Binary(_, left, right):
            return _depends_on_sample(left) or _depends_on_sample(right)
    return False


def _label(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (float, np.floating)):
        return f"{value:.15g}"
    return str(value)


def factor_levels(values: ArrayLike) -> tuple[str, ...]:
    """The distinct values as text: numbers in numeric order, texts alphabetically as R's locale does.

    >>> factor_levels([10, 9, 10]), factor_levels(["b", "A", "a"])
    (('9', '10'), ('a', 'A', 'b'))
    """
    categories = getattr(getattr(values, "cat", values), "categories", None)
    if categories is not None:
        present = {_label(value) for value in np.asarray(values, dtype=object)}
        return tuple(_label(value) for value in categories if _label(value) in present)
    array = np.asarray(values)
    if array.dtype.kind in "biuf":
        return tuple(_label(value) for value in np.unique(array))
    distinct = {_label(value) for value in array}
    return tuple(sorted(distinct, key=lambda text: (text.casefold(), text.swapcase())))


@dataclass(frozen=True, slots=True)
class _Factor:
    """A factor evaluated: level index of each study, and the levels."""

    codes: NDArray[np.intp]
    levels: tuple[str, ...]
    suffixes: tuple[str, ...]


def _as_factor(text: str, values: ArrayLike, levels: Mapping[str, tuple[str, ...]]) -> _Factor:
    known = levels.get(text) or factor_levels(values)
    place = {level: i for i, level in enumerate(known)}
    labels = [_label(value) for value in np.asarray(values)]
    for label in labels:
        if label not in place:
            raise UnknownName(f"level of '{text}'", label, known)
    return _Factor(np.array([place[label] for label in labels], dtype=np.intp), known, known)


def _column(name: str, columns: Mapping[str, ArrayLike]) -> ArrayLike:
    try:
        return columns[name]
    except KeyError:
        raise UnknownName("column", name, [str(key) for key in columns]) from None


def _number(tree: Expression, columns: Mapping[str, ArrayLike]) -> Any:
    """A tree's value, element by element, as numbers, truths or texts."""
    match tree:
        case Name("TRUE" | "T") if tree.text not in columns:
            return True
        case Name("FALSE" | "F") if tree.text not in columns:
            return False
        case Name("pi") if "pi" not in columns:
            return np.pi
        case Name(text):
            return np.asarray(_column(text, columns))
        case Number(text):
            return float(text)
        case Text(text):
            return text
        case Unary("(" | "+", operand):
            return _number(operand, columns)
        case Unary("-", operand):
            return -_number(operand, columns)
        case Unary("!", operand):
            return np.logical_not(_number(operand, columns))
        case Call("I" | "as.numeric" | "c", (argument,), _):
            return _number(argument, columns)
        case Call(function, (argument,), _):
            value = np.asarray(_number(argument, columns), dtype=float)
            with np.errstate(all="ignore"):
                return FUNCTIONS[function](value)
        case Binary(sign, left, right) if sign in _ARITHMETIC:
            a, b = _number(left, columns), _number(right, columns)
            try:
                with np.errstate(all="ignore"):
                    return _ARITHMETIC[sign](a, b)
            except TypeError:
                raise DataError(f"'{deparse(tree)}': texts cannot be calculated with") from None
    raise SpecError(f"'{deparse(tree)}' cannot be evaluated in a formula")


def _value(
    text: str, tree: Expression, columns: Mapping[str, ArrayLike], k: int, levels: Mapping[str, tuple[str, ...]]
) -> Array | _Factor:
    """One variable of a formula: numbers of shape (k,), or a factor."""
    if isinstance(tree, Call) and tree.function in _CODING and tree.arguments:
        source = tree.arguments[0]
        while isinstance(source, Call) and source.function in _CODING and source.arguments:
            source = source.arguments[0]
        inner = _column(source.text, columns) if isinstance(source, Name) else _number(source, columns)
        factor = _as_factor(text, inner, levels)
        return _releveled(tree, factor) if tree.function == "relevel" and text not in levels else factor
    raw = _column(tree.text, columns) if isinstance(tree, Name) else _number(tree, columns)
    array = np.asarray(raw)
    if array.dtype == object and all(isinstance(v, (int, float, np.number)) for v in array.ravel()):
        array = array.astype(float)
    if array.dtype.kind == "b":
        return _as_factor(text, np.broadcast_to(array, (k,)), {text: ("FALSE", "TRUE")})
    if array.dtype.kind not in "iuf" or hasattr(raw, "cat"):
        return _as_factor(text, raw, levels)
    numbers = np.broadcast_to(array.astype(float), (k,))
    if not np.isfinite(numbers).all():
        at = int(np.flatnonzero(~np.isfinite(numbers))[0])
        raise DataError(f"'{text}' is {numbers[at]} for study {at + 1}; a moderator is a finite number")
    return numbers


def _releveled(tree: Call, factor: _Factor) -> _Factor:
    wanted = next((a for a, key in zip(tree.arguments, tree.keys, strict=True) if key == "ref"), None)
    wanted = wanted if wanted is not None or len(tree.arguments) < 2 else tree.arguments[1]
    first = wanted.text if isinstance(wanted, (Text, Number)) else ""
    if first not in factor.levels:
        raise UnknownName(f"level of '{deparse(tree)}'", first, factor.levels)
    order = (first, *(level for level in factor.levels if level != first))
    move = np.array([order.index(level) for level in factor.levels])
    return _Factor(move[factor.codes], order, order)


def _codings(spec: Terms, factors: set[str]) -> list[tuple[Term, dict[str, bool]]]:
    """For each term which of its factors are coded in full (True): those whose margin the earlier terms lack."""
    have = {frozenset(term) for term in spec.terms}
    if spec.intercept:
        have.add(frozenset())
    spanned = set(have)
    plan = []
    for term in spec.terms:
        full = {}
        for name in term:
            if name in factors:
                full[name] = frozenset(term) - {name} not in spanned
        if len(term) == 1 and full.get(term[0]):
            spanned.add(frozenset())  # indicators of every level add up to the intercept
        plan.append((term, full))
    return plan


def _term_columns(
    term: Term, full: Mapping[str, bool], values: Mapping[str, Array | _Factor]
) -> tuple[list[Array], list[str]]:
    parts: list[list[tuple[str, Array]]] = []
    for name in term:
        value = values[name]
        if isinstance(value, _Factor):
            first = 0 if full[name] else 1
            shown = range(first, len(value.levels))
            parts.append([(f"{name}{value.levels[i]}", (value.codes == i).astype(float)) for i in shown])
        else:
            parts.append([(name, value)])
    columns, names = [], []
    for combination in product(*reversed(parts)):
        chosen = tuple(reversed(combination))
        columns.append(np.prod([column for _, column in chosen], axis=0))
        names.append(":".join(label for label, _ in chosen))
    return columns, names


@lru_cache(maxsize=64)
def _one_mean(k: int) -> Design:
    ones = np.ones((k, 1))
    ones.setflags(write=False)
    return Design(ones, (INTERCEPT,), True, ONE_MEAN, (0,))


def formula_design(
    formula: str,
    columns: Mapping[str, ArrayLike],
    k: int,
    *,
    intercept: bool = True,
    levels: Mapping[str, tuple[str, ...]] | None = None,
) -> Design:
    """The design of a formula's right-hand side for `k` studies.

    Parameters
    ----------
    formula : R's notation: `+ - : * / ^`, `I()`, `factor()`, `relevel(x, ref = "b")`, `log()` and other functions.
    columns : each column, k values; texts and truths become factors.
    intercept : False drops the intercept, as ``- 1`` does.
    levels : factor levels to hold to, by the factor's text, where they are already known.

    Interaction columns that earlier columns determine (cells without studies) are dropped and named in the result; main
    effects never are.

    >>> d = formula_design("~ x + factor(g)", {"x": [1.0, 2, 3], "g": ["b", "a", "b"]}, 3)
    >>> d.names
    ('intrcpt', 'x', 'factor(g)b')
    """
    if formula == ONE_MEAN and intercept:
        return _one_mean(k)
    spec = terms(formula)
    if not intercept:
        spec = Terms(False, spec.terms, spec.factors)
    fixed = levels or {}
    values = {text: _value(text, tree, columns, k, fixed) for text, tree in spec.factors.items()}
    known = {text: value.levels for text, value in values.items() if isinstance(value, _Factor)}
    built: list[Array] = [np.ones(k)] if spec.intercept else []
    names = [INTERCEPT] if spec.intercept else []
    assign = [0] if spec.intercept else []
    for number, (term, full) in enumerate(_codings(spec, set(known)), 1):
        more, labels = _term_columns(term, full, values)
        if not more:
            raise DataError(f"'{':'.join(term)}' has the single level '{known[term[0]][0]}'; a moderator varies")
        built += more
        names += labels
        assign += [number] * len(more)
    if not built:
        raise SpecError(f"formula '{formula}' has no terms")
    whole = Design(np.column_stack(built), tuple(names), spec.intercept, formula, tuple(assign), known)
    crossed = {number for number, term in enumerate(spec.terms, 1) if len(term) > 1}
    return whole if levels is not None or not crossed else _without_empty_cells(whole, crossed)


def _without_empty_cells(design: Design, crossed: set[int]) -> Design:
    """The design less the interaction columns (of the terms numbered `crossed`) that earlier columns determine."""
    length = np.linalg.norm(design.X, axis=0)
    basis = np.empty((design.X.shape[0], 0))
    keep = []
    for j in range(design.p):
        column = design.X[:, j] / length[j] if length[j] > 0 else design.X[:, j]
        rest = column - basis @ (basis.T @ column)
        rest -= basis @ (basis.T @ rest)
        new = float(np.linalg.norm(rest))
        if new > 1e-9:
            basis = np.column_stack([basis, rest / new])
        if new > 1e-9 or design.assign[j] not in crossed:
            keep.append(j)
    if len(keep) == design.p:
        return design
    return replace(
        design,
        X=design.X[:, keep],
        names=tuple(design.names[j] for j in keep),
        assign=tuple(design.assign[j] for j in keep),
        dropped=tuple(design.names[j] for j in range(design.p) if j not in keep),
    )


def matrix_design(mods: ArrayLike, k: int, *, intercept: bool = True, names: Sequence[str] | None = None) -> Design:
    """The design of moderators given as numbers: shape (k,) or (k, m), with an intercept put before them.

    A constant column among the moderators stands for the intercept and moves to the front.
    """
    named = names if names is not None else getattr(mods, "columns", None)
    matrix = np.asarray(mods, dtype=float)
    matrix = matrix[:, None] if matrix.ndim == 1 else matrix
    if matrix.ndim != 2 or matrix.shape[0] != k:
        raise DataError(f"moderators have shape {matrix.shape}; {k} studies need {k} rows")
    m = matrix.shape[1]
    labels = (
        [str(name) for name in named]
        if named is not None
        else (["mods"] if m == 1 else [f"X{i + 1}" for i in range(m)])
    )
    ones = (matrix == 1).all(axis=0)
    if ones.any():
        labels = [label for label, one in zip(labels, ones, strict=True) if not one]
        matrix = matrix[:, ~ones]
    has = intercept or bool(ones.any())
    if has:
        matrix = np.column_stack([np.ones(k), matrix])
        labels = [INTERCEPT, *labels]
    return Design(matrix, tuple(labels), has, "", tuple(range(0 if has else 1, len(labels) + (0 if has else 1))))


def check_rank(X: Array, names: Sequence[str]) -> None:
    """Nothing where the columns are independent; else DataError that names a column and what it repeats."""
    length = np.linalg.norm(X, axis=0)
    for name, size in zip(names, length, strict=True):
        if size == 0:
            raise DataError(f"moderator '{name}' is 0 for every study; its coefficient cannot be estimated")
    scaled = X / length
    if np.linalg.matrix_rank(scaled, tol=1e-9) == X.shape[1]:
        return
    for j in range(1, X.shape[1]):
        before = scaled[:, :j]
        share = np.linalg.lstsq(before, scaled[:, j], rcond=None)[0]
        if np.linalg.norm(scaled[:, j] - before @ share) < 1e-8:
            others = [f"'{names[i]}'" for i in range(j) if abs(share[i]) > 1e-6]
            raise DataError(
                f"moderator '{names[j]}' is a combination of {', '.join(others)}: their coefficients cannot be "
                "told apart; leave one of them out"
            )
    raise DataError("the moderators are nearly combinations of one another; leave one of them out or rescale them")
