"""Tables turned round: one row per study, per arm or per comparison; R's `to.long`, `to.wide`, `pairwise`, `contrmat`."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from metagrove.core.errors import DataError
from metagrove.doors.columns import Columns
from metagrove.doors.metafor_effects import escalc

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["contrmat", "pairwise", "to_long", "to_wide"]

_TWO_ARMS = {
    "out1": ("ai", "ci"), "out2": ("bi", "di"), "events": ("x1i", "x2i"), "ptime": ("t1i", "t2i"),
    "mean": ("m1i", "m2i"), "sd": ("sd1i", "sd2i"), "n": ("n1i", "n2i"),
}  # fmt: skip


def to_long(
    *,
    ai: Any = None,
    bi: Any = None,
    ci: Any = None,
    di: Any = None,
    n1i: Any = None,
    n2i: Any = None,
    x1i: Any = None,
    x2i: Any = None,
    t1i: Any = None,
    t2i: Any = None,
    m1i: Any = None,
    m2i: Any = None,
    sd1i: Any = None,
    sd2i: Any = None,
    slab: Any = None,
    group: Sequence[Hashable] = (1, 2),
    vlong: bool = False,
    data: Any = None,
) -> pd.DataFrame:
    """One row per arm of two-arm studies, as metafor's `to.long`.

    Counts give the columns study, group, out1 (events) and out2 (non-events), person-time events and ptime, means mean,
    sd and n. `group` names the arms. With `vlong` counts take one row per cell of the 2x2 table: study, group, outcome
    (1 or 2) and freq.

    Raises
    ------
    DataError where the columns make no two-arm table.

    >>> import metagrove as mg
    >>> mg.to_long(ai=[4, 6], n1i=[123, 306], ci=[11, 29], n2i=[139, 303]).values.tolist()
    [[1, 1, 4, 119], [1, 2, 11, 128], [2, 1, 6, 300], [2, 2, 29, 274]]
    """
    import pandas as pd

    given = {
        "ai": ai, "bi": bi, "ci": ci, "di": di, "n1i": n1i, "n2i": n2i, "x1i": x1i, "x2i": x2i, "t1i": t1i, "t2i": t2i,
        "m1i": m1i, "m2i": m2i, "sd1i": sd1i, "sd2i": sd2i,
    }  # fmt: skip
    columns = Columns(data)
    found = {name: columns.numbers(value, name) for name, value in given.items() if value is not None}
    wanted = _arm_columns(found)
    sizes = {found[name].size for name in found}
    if len(sizes) != 1:
        raise DataError(f"columns of {' and '.join(str(size) for size in sorted(sizes))} rows; all belong to one table")
    k = sizes.pop()
    names = range(1, k + 1) if slab is None else list(columns.raw(slab, "slab"))
    if len(names) != k or len(group) != 2:
        raise DataError(f"{len(names)} labels for {k} studies and {len(group)} names for 2 arms")
    table: dict[str, Any] = {"study": np.repeat(np.array(names, dtype=object), 2), "group": list(group) * k}
    for name in wanted:
        table[name] = _whole(np.column_stack([found[column] for column in _TWO_ARMS[name]]).ravel())
    long = pd.DataFrame(table).infer_objects()
    if not vlong:
        return long
    if "out1" not in wanted:
        raise DataError("vlong takes counts (ai, bi or n1i, ci, di or n2i)")
    cells = long.melt(["study", "group"], ["out1", "out2"], "outcome", "freq", ignore_index=False)
    cells["outcome"] = cells["outcome"].str[-1].astype(int)
    return cells.sort_index(kind="stable").reset_index(drop=True)


def _arm_columns(found: dict[str, Any]) -> tuple[str, ...]:
    """The columns of a long table that the given columns make; totals without non-events give these."""
    for total, rest, events in (("n1i", "bi", "ai"), ("n2i", "di", "ci")):
        if events in found and rest not in found and total in found:
            found[rest] = found[total] - found[events]
    for wanted in (("out1", "out2"), ("events", "ptime"), ("mean", "sd", "n")):
        if all(name in found for column in wanted for name in _TWO_ARMS[column]):
            for name in list(found):
                if not any(name in _TWO_ARMS[column] for column in wanted):
                    del found[name]
            return wanted
    raise DataError(
        f"{', '.join(found) or 'no column'} make no table of two arms; give ai, bi (or n1i), ci, di (or n2i), or x1i, "
        "t1i, x2i, t2i, or m1i, sd1i, n1i, m2i, sd2i, n2i"
    )


def _whole(values: Any) -> Any:
    """Whole numbers as integers."""
    rounded = np.rint(values)
    return rounded.astype(int) if np.isfinite(values).all() and (rounded == values).all() else values


def to_wide(
    data: pd.DataFrame,
    study: str,
    grp: str,
    *,
    ref: Hashable = None,
    grpvars: Sequence[str] = (),
    postfix: tuple[str, str] = ("_1", "_2"),
) -> pd.DataFrame:
    """One row per comparison with a study's reference arm, from one row per arm, as metafor's `to.wide`.

    Parameters
    ----------
    data : a DataFrame with one row per arm.
    study, grp : the columns that name the study and the arm.
    ref : the reference, second in each comparison of a study that has it; others compare with their last arm. By
        default the commonest arm.
    grpvars : columns that belong to the arm (all but `study` and those constant within studies by default); the others
        are kept once.
    postfix : put behind the names of the arms' columns.

    Returns
    -------
    DataFrame with the columns of the study, of both arms, `id` (number of the study), `comp` (the comparison) and
    `design` (all arms of the study). A study with one arm has no comparison and is left out.

    >>> import pandas as pd, metagrove as mg
    >>> arms = pd.DataFrame({"trial": ["A", "A"], "drug": ["x", "pla"], "n": [10, 12]})
    >>> mg.to_wide(arms, "trial", "drug", ref="pla")[["drug_1", "n_1", "drug_2", "n_2", "comp"]].values.tolist()
    [['x', 10, 'pla', 12, 'x-pla']]
    """
    import pandas as pd

    _known(data, (study, grp, *grpvars))
    reference = data[grp].mode().iloc[0] if ref is None else ref
    if not (data[grp] == reference).any():
        raise DataError(f"no arm is called '{reference}'; arms: {', '.join(str(x) for x in data[grp].unique())}")
    twice = data.duplicated([study, grp])
    if twice.any():
        again = data[twice].iloc[0]
        raise DataError(f"study '{again[study]}' has the arm '{again[grp]}' twice; merge its rows first")
    others = [str(c) for c in data if c not in (study, grp)]
    own = list(grpvars) or [c for c in others if data.groupby(study)[c].nunique().gt(1).any()]
    common = [c for c in others if c not in own]
    rows: list[dict[str, Any]] = []
    for number, (_, arms) in enumerate(data.groupby(study, sort=False), 1):
        names = list(arms[grp])
        last = reference if reference in names else names[-1]
        against = arms[arms[grp] == last].iloc[0]
        for _, arm in arms[arms[grp] != last].iterrows():
            row: dict[str, Any] = {study: arm[study]} | {c: arm[c] for c in common}
            for side, end in ((arm, postfix[0]), (against, postfix[1])):
                row |= {f"{c}{end}": side[c] for c in (grp, *own)}
            rows.append(row | {"id": number, "comp": f"{arm[grp]}-{last}", "design": "-".join(map(str, names))})
    return pd.DataFrame(rows)


def _known(data: Any, names: Sequence[str]) -> None:
    missing = [name for name in names if name not in data]
    if missing:
        raise DataError(f"no column '{missing[0]}'. Columns: {', '.join(str(name) for name in data)}.")


def contrmat(data: pd.DataFrame, grp1: str, grp2: str, *, last: Hashable = None, append: bool = False) -> pd.DataFrame:
    """The contrasts of comparisons, one column per treatment (1 for the first, -1 for the second), as `contrmat`.

    `last` names the treatment whose column comes last (left out of a model, it is the reference); by default the
    commonest. With `append` the columns are put behind those of `data`.

    >>> import pandas as pd, metagrove as mg
    >>> mg.contrmat(pd.DataFrame({"a": ["x", "y"], "b": ["y", "z"]}), "a", "b", last="z").values.tolist()
    [[1, -1, 0], [0, 1, -1]]
    """
    import pandas as pd

    _known(data, (grp1, grp2))
    both = pd.concat([data[grp1], data[grp2]])
    if both.isna().any():
        raise DataError(f"a comparison without a treatment in '{grp1}' or '{grp2}'")
    reference = both.mode().iloc[0] if last is None else last
    levels = sorted(both.unique(), key=str)
    if reference not in levels:
        raise DataError(f"no treatment is called '{reference}'; treatments: {', '.join(str(x) for x in levels)}")
    levels = [*(x for x in levels if x != reference), reference]
    columns = {str(x): (data[grp1] == x).astype(int) - (data[grp2] == x).astype(int) for x in levels}
    table = pd.DataFrame(columns, index=data.index)
    return pd.concat([data, table], axis=1) if append else table


_SETS: dict[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    "counts": (("event", "n"), ("ai", "n1i", "ci", "n2i"), "OR"),
    "means": (("mean", "sd", "n"), ("m1i", "sd1i", "n1i", "m2i", "sd2i", "n2i"), "MD"),
    "rates": (("event", "time"), ("x1i", "t1i", "x2i", "t2i"), "IRR"),
}


def pairwise(
    treat: Any,
    *,
    event: Any = None,
    n: Any = None,
    mean: Any = None,
    sd: Any = None,
    time: Any = None,
    studlab: Any = None,
    data: Any = None,
    sm: str = "",
) -> pd.DataFrame:
    """Every comparison of two arms of studies with any number of arms, with its effect; R meta's `pairwise`.

    Parameters
    ----------
    treat : the arm of each row (long data, with `studlab`), or a list of columns, one per arm (wide data; an arm that a
        study does not have is missing).
    event, n : counts; mean, sd, n : means; event, time : person-time. Columns or lists of columns, as `treat`.
    studlab : the study of each row.
    sm : the measure, in escalc's names; by default OR, MD or IRR. Tables with a zero get 0.5 in each cell.

    Returns
    -------
    DataFrame with studlab, treat1, treat2, TE, seTE, the columns of both arms (event1, event2, ...) and `arms`, the
    number of arms of the study. Comparisons of one study with more than two arms share arms and follow from each other:
    take those with one arm, whose covariance `vcalc(..., grp1="treat1", grp2="treat2", w1="n1", w2="n2")` gives for
    `rma_mv`.

    Raises
    ------
    DataError for columns that do not fit together or a study with an arm twice.

    >>> import metagrove as mg
    >>> table = mg.pairwise(["a", "b", "c"], event=[4, 6, 9], n=[50, 50, 50], studlab=["T", "T", "T"])
    >>> [(row.treat1, row.treat2, round(row.TE, 3), row.arms) for row in table.itertuples()]
    [('a', 'b', -0.45, 3), ('a', 'c', -0.926, 3), ('b', 'c', -0.476, 3)]
    """
    import pandas as pd

    given = {"event": event, "n": n, "mean": mean, "sd": sd, "time": time}
    columns = {name: value for name, value in given.items() if value is not None}
    kind = next((key for key, (names, _, _) in _SETS.items() if set(names) == set(columns)), None)
    if kind is None:
        raise DataError(
            f"{', '.join(columns) or 'no column'} make no arm; give event and n, mean, sd and n, or event and time"
        )
    names, slots, usual = _SETS[kind]
    arms = _arms(treat, columns, studlab, Columns(data))
    rows = []
    for study, members in arms.items():
        labels = [arm["treat"] for arm in members]
        if len(set(labels)) < len(labels):
            raise DataError(f"study '{study}' has an arm twice among {', '.join(map(str, labels))}; merge them first")
        for one, two in combinations(members, 2):
            row = {"studlab": study, "treat1": one["treat"], "treat2": two["treat"]}
            row |= {f"{name}{i}": arm[name] for name in names for i, arm in ((1, one), (2, two))}
            rows.append(row | {"arms": len(members)})
    if not rows:
        raise DataError("no study has two arms, so there is nothing to compare")
    table = pd.DataFrame(rows)
    sides = dict(zip(slots, [f"{name}{i}" for i in (1, 2) for name in names], strict=True))
    numbers: dict[str, Any] = {slot: table[column].to_numpy(dtype=float) for slot, column in sides.items()}
    effects = escalc(sm or usual, **numbers, add=0.5, to="only0")
    table.insert(3, "TE", np.asarray(effects.yi))
    table.insert(4, "seTE", np.sqrt(np.asarray(effects.vi)))
    return table


def _arms(treat: Any, columns: Mapping[str, Any], studlab: Any, source: Columns) -> dict[Any, list[dict[str, Any]]]:
    """The arms of each study, in the order of the table."""
    wide = isinstance(treat, (list, tuple)) and _several(treat, source)
    treats = [source.raw(x, "treat") for x in treat] if wide else [source.raw(treat, "treat")]
    values = {
        name: [source.numbers(x, name) for x in given] if wide else [source.numbers(given, name)]
        for name, given in columns.items()
    }
    k = len(treats[0])
    odd = [name for name, got in values.items() if len(got) != len(treats) or any(x.size != k for x in got)]
    if odd or any(len(x) != k for x in treats):
        raise DataError(f"{odd[0] if odd else 'treat'} has not the shape of treat: {len(treats)} columns of {k} rows")
    if not wide and studlab is None:
        raise DataError("with one row per arm, studlab says which study each arm belongs to")
    studies = range(1, k + 1) if studlab is None else list(source.raw(studlab, "studlab"))
    if len(studies) != k:
        raise DataError(f"{len(studies)} study labels for {k} rows", column="studlab")
    found: dict[Any, list[dict[str, Any]]] = {}
    for i, study in enumerate(studies):
        for j, names in enumerate(treats):
            label = list(names)[i]
            if label is None or label != label or label == "":
                continue
            numbers = {name: _whole(column[j][i : i + 1])[0] for name, column in values.items()}
            found.setdefault(study, []).append({"treat": label} | numbers)
    return found


def _several(treat: Sequence[Any], source: Columns) -> bool:
    """Whether `treat` is a list of columns rather than one column of labels."""
    if source.data is not None and all(isinstance(x, str) and x in source.data for x in treat):
        return True
    return all(not isinstance(x, str) and np.ndim(x) == 1 for x in treat)
