"""Random effects as people write them ("~ 1 | district/school", "~ outcome | trial") turned into model components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metagrove.core.errors import DataError, MethodError, SpecError, UnknownName
from metagrove.core.values import Array
from metagrove.pooling.multilevel.distances import DISTANCES, SPATIAL, spatial_structure
from metagrove.pooling.multilevel.marginal_likelihood import Component
from metagrove.pooling.multilevel.structures import STRUCTURES, slopes
from metagrove.pooling.regression.design import factor_levels, formula_design
from metagrove.pooling.regression.formula import Call, Name, RandomTerm, deparse, random_term

__all__ = ["components", "parsed_terms", "structures_for"]


def parsed_terms(random: str | Sequence[str] | None) -> list[RandomTerm]:
    """The random effects of one formula or a list of them."""
    if random is None:
        return []
    return [random_term(text) for text in ([random] if isinstance(random, str) else random)]


def structures_for(terms: Sequence[RandomTerm], struct: str | Sequence[str]) -> list[str]:
    """The structure's code of each term with an inner factor, "" for the others; at most two terms may have one."""
    asked = [struct] if isinstance(struct, str) else list(struct)
    codes, used = [], 0
    for term in terms:
        if term.inner is None:
            codes.append("")
            continue
        if used == 2:
            raise SpecError("at most two random terms may have an inner factor")
        code = asked[min(used, len(asked) - 1)]
        if code not in STRUCTURES and code not in SPATIAL:
            raise UnknownName(STRUCTURES.kind, code, [*STRUCTURES, *SPATIAL])
        codes.append(code)
        used += 1
    return codes


def _codes(columns: Mapping[str, ArrayLike], names: Sequence[str], k: int) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Index and label of each effect's level of one column, or of several crossed ones."""
    parts = []
    for name in names:
        if name not in columns:
            raise UnknownName("column", name, list(columns))
        values = np.asarray(columns[name])
        if values.shape != (k,):
            raise DataError(f"random effects: column '{name}' has {values.size} values for {k} effects")
        labels = factor_levels(values)
        place = {label: i for i, label in enumerate(labels)}
        keys = [f"{v:.15g}" if isinstance(v, (float, np.floating)) else _plain(v) for v in values]
        parts.append(([place[key] for key in keys], labels))
    combined = list(zip(*(codes for codes, _ in parts), strict=True))
    distinct = sorted(set(combined))
    place_of = {key: i for i, key in enumerate(distinct)}
    names_of = tuple("/".join(parts[j][1][index] for j, index in enumerate(key)) for key in distinct)
    return np.array([place_of[key] for key in combined], dtype=np.intp), names_of


def _plain(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "TRUE" if value else "FALSE"
    return str(value)


def _known(R: Any, labels: Sequence[str], name: str) -> Array:
    """The levels' known correlation matrix, in the order of `labels`, as a correlation matrix."""
    order = getattr(R, "index", None)
    matrix = np.asarray(R, dtype=float)
    if order is not None:
        place = {str(key): i for i, key in enumerate(order)}
        lacking = [label for label in labels if label not in place]
        if lacking:
            raise DataError(f"R['{name}'] has no row for '{lacking[0]}'")
        index = [place[label] for label in labels]
        matrix = matrix[np.ix_(index, index)]
    if matrix.shape != (len(labels), len(labels)):
        raise DataError(f"R['{name}'] has shape {matrix.shape}; '{name}' has {len(labels)} levels")
    if not np.allclose(matrix, matrix.T):
        raise DataError(f"R['{name}'] is not symmetric")
    scale = np.sqrt(np.diag(matrix))
    return np.asarray(matrix / np.outer(scale, scale))


def _intercepts(term: RandomTerm, columns: Mapping[str, ArrayLike], k: int, R: Mapping[str, Any]) -> list[Component]:
    found = []
    for depth in range(1, len(term.outer) + 1):
        names = term.outer[:depth]
        label = "/".join(names)
        codes, levels = _codes(columns, names, k)
        known = _known(R[label], levels, label) if label in R else None
        found.append(
            Component(label, np.ones((k, 1)), STRUCTURES["ID"], np.zeros(1), ("",), codes, levels, known=known)
        )
    return found


#: A code of DISTANCES, a function of coordinates, a matrix, or a list of these.
Dist: TypeAlias = Any


def _spatial(term: RandomTerm, struct: str, columns: Mapping[str, ArrayLike], k: int, dist: Dist) -> Component:
    """Effects at places: the inner part is one or more columns of coordinates, or of names with `dist` a matrix."""
    assert term.inner is not None
    outer, groups = _codes(columns, term.outer, k)
    names = [name for name in term.columns if name not in term.outer]
    if not isinstance(dist, str) and not callable(dist):
        codes, levels = _codes(columns, tuple(names), k)
        distances = _matrix_for(dist, levels)
    else:
        places = np.column_stack([_coordinate(columns[name], name) for name in names])
        distinct, codes = np.unique(places, axis=0, return_inverse=True)
        codes = codes.ravel()
        levels = tuple("/".join(f"{value:g}" for value in place) for place in distinct)
        distances = np.asarray((DISTANCES[dist] if isinstance(dist, str) else dist)(distinct), dtype=float)
    J = len(levels)
    if distances.shape != (J, J) or not np.isfinite(distances).all() or (distances < 0).any():
        raise DataError(
            f"random '{term.text}': dist gives {distances.shape}; {J} places need a ({J}, {J}) of distances"
        )
    Z = np.zeros((k, J))
    Z[np.arange(k), codes] = 1.0
    name = f"{deparse(term.inner)} | {term.outer[0]}"
    return Component(
        name, Z, spatial_structure(struct, distances), np.arange(J, dtype=float), levels, outer, groups,
        distances=distances,
    )  # fmt: skip


def _listed(dist: Dist) -> bool:
    """Whether `dist` is a list with one entry for each term with an inner part."""
    return isinstance(dist, (list, tuple)) and all(isinstance(d, str) or callable(d) or np.ndim(d) == 2 for d in dist)


def _coordinate(values: ArrayLike, name: str) -> Array:
    try:
        found = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise DataError(
            "a coordinate is a number; give dist= a matrix of distances for named places", column=name
        ) from None
    return found


def _matrix_for(dist: ArrayLike, levels: Sequence[str]) -> Array:
    """A matrix of distances in the order of the levels, by its row names where it has them."""
    order = getattr(dist, "index", None)
    matrix = np.asarray(dist, dtype=float)
    if order is None:
        return matrix
    place = {str(key): i for i, key in enumerate(order)}
    lacking = [level for level in levels if level not in place]
    if lacking:
        raise DataError(f"dist has no row for '{lacking[0]}'")
    index = [place[level] for level in levels]
    return np.asarray(matrix[np.ix_(index, index)])


def _inner(term: RandomTerm, struct: str, columns: Mapping[str, ArrayLike], k: int) -> Component:
    outer, groups = _codes(columns, term.outer, k)
    assert term.inner is not None
    if slopes(struct):
        design = formula_design(f"~ {deparse(term.inner)}", columns, k)
        levels, Z, times = design.names, design.X, np.arange(design.p, dtype=float)
    else:
        inside = term.inner
        while isinstance(inside, Call) and inside.function in ("factor", "as.factor") and len(inside.arguments) == 1:
            inside = inside.arguments[0]
        if not isinstance(inside, Name):
            raise SpecError(f"random '{term.text}': the inner part is one column; for slopes use struct='GEN'")
        codes, levels = _codes(columns, (inside.text,), k)
        times = _positions(columns[inside.text], levels, struct)
        Z = np.zeros((k, len(levels)))
        Z[np.arange(k), codes] = 1.0
    if len(levels) < 2 and struct not in ("ID", "DIAG", "GEN", "GDIAG"):
        raise MethodError(
            f"random '{term.text}': one inner level ('{levels[0]}') has no correlation; use '~ 1 | {term.outer[0]}'"
        )
    name = f"{deparse(term.inner)} | {term.outer[0]}"
    return Component(name, Z, STRUCTURES[struct], times, tuple(levels), outer, groups)


def _alike(one: NDArray[np.intp], other: NDArray[np.intp]) -> bool:
    """Whether two codings group the effects in the same way."""
    together = np.unique(np.column_stack([one, other]), axis=0).shape[0]
    return bool(together == np.unique(one).size == np.unique(other).size)


def _positions(values: ArrayLike, levels: Sequence[str], struct: str) -> Array:
    if struct != "CAR":
        return np.arange(len(levels), dtype=float)
    try:
        return np.array([float(level) for level in levels])
    except ValueError:
        raise DataError("struct 'CAR' needs a numeric inner column: the times") from None


def components(
    terms: Sequence[RandomTerm],
    structs: Sequence[str],
    columns: Mapping[str, ArrayLike],
    k: int,
    R: Mapping[str, Any] | None = None,
    dist: Dist = "euclidean",
) -> tuple[list[Component], list[Component]]:
    """The components without and with an inner factor, in the order they were written.

    `R` holds known correlation matrices of groupings; `dist` says how distances between places are measured: a code of
    DISTANCES, a function of coordinates (J, d), or a matrix whose index names the places; a list for several terms.

    Raises
    ------
    MethodError where two groupings have the same levels, so that their variances cannot be told apart.
    """
    plain: list[Component] = []
    inner: list[Component] = []
    measures = list(dist) if _listed(dist) else [dist] * max(len(terms), 1)
    for term, struct in zip(terms, structs, strict=True):
        if term.inner is None:
            plain += _intercepts(term, columns, k, R or {})
        elif struct in SPATIAL:
            if len(measures) <= len(inner):
                raise DataError(f"dist has {len(measures)} entries for {len(inner) + 1} terms with an inner part")
            inner.append(_spatial(term, struct, columns, k, measures[len(inner)]))
        else:
            inner.append(_inner(term, struct, columns, k))
    for i, one in enumerate(plain):
        for other in plain[:i]:
            if one.known is None and other.known is None and _alike(one.outer, other.outer):
                raise MethodError(
                    f"random effects of '{other.name}' and '{one.name}' group the effects alike; their variances "
                    "cannot be told apart"
                )
    return plain, inner
