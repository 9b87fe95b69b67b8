"""From a meta-analysis to its forest plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from metagrove.core.errors import DataError, MethodError, UnknownName
from metagrove.plots.canvas import Drawing
from metagrove.plots.forest import forest_drawing
from metagrove.plots.forest_table import ForestBlock, ForestColumn, ForestRow, ForestTable
from metagrove.plots.model_table import coefficient_table
from metagrove.plots.style import Notation, Style, style_of

if TYPE_CHECKING:
    from metagrove.pooling.bias.trim_fill import TrimFill
    from metagrove.pooling.counts.glmm_result import GlmmResult
    from metagrove.pooling.counts.results import CountResult
    from metagrove.pooling.multilevel.models import MixedModel
    from metagrove.pooling.regression.location_scale import LocationScale
    from metagrove.pooling.regression.model import Regression
    from metagrove.pooling.regression.predictions import Predictions
    from metagrove.pooling.regression.robust import Robust
    from metagrove.pooling.results import MetaResult

__all__ = ["forest", "forest_table", "reference_of"]

#: What is shown of a study beside its effect: column, heading, heading shared with neighbours, and whether it adds up.
_CELLS = (
    ("event", "Events", "", True),
    ("n", "Total", "", True),
    ("time", "Time at risk", "", True),
    ("mean", "Mean", "", False),
    ("sd", "SD", "", False),
    ("event_e", "Events", "Experimental", True),
    ("time_e", "Time", "Experimental", True),
    ("n_e", "Total", "Experimental", True),
    ("mean_e", "Mean", "Experimental", False),
    ("sd_e", "SD", "Experimental", False),
    ("event_c", "Events", "Control", True),
    ("time_c", "Time", "Control", True),
    ("n_c", "Total", "Control", True),
    ("mean_c", "Mean", "Control", False),
    ("sd_c", "SD", "Control", False),
)

_ORDERS = ("", "estimate", "weight", "label")


def forest(
    result: MetaResult | Regression | MixedModel | LocationScale | Robust | CountResult | GlmmResult | TrimFill,
    style: Style | str | None = None,
    *,
    common: bool | None = None,
    random: bool | None = None,
    prediction: bool | None = None,
    percent: bool = False,
    limits: tuple[float, float] | None = None,
    directions: tuple[str, str] = ("", ""),
    columns: Mapping[str, Sequence[Any]] | None = None,
    bias: Mapping[str, Sequence[str]] | None = None,
    bias_domains: Sequence[str] = (),
    sort_by: str = "",
    pool_single: bool = False,
    methods: bool = True,
    ratio: bool | None = None,
    effect: str = "",
    predictions: Predictions | None = None,
    title: str = "",
) -> Drawing:
    """The forest plot of a meta-analysis; its size follows from what it holds.

    Parameters
    ----------
    style : a `Style` or the name of a preset: "plain", "JAMA", "BMJ", "RevMan5".
    common, random, prediction : what is shown, where it should differ from the analysis.
    percent : proportions as percentages.
    limits : the ends of the axis on the reporting scale; intervals beyond them end in arrows.
    directions : what the left and the right of no effect favour, where not said by the analysis.
    columns : further columns by heading, one entry for each study in table order.
    bias : judgements by study label, one for each of `bias_domains`, shown as coloured dots.
    sort_by : "" for table order, "estimate", "weight" or "label".
    pool_single : a diamond for subgroups of one study too; otherwise they say that they are one study.
    methods : whether the methods sentence and the notes of the analysis stand at the foot.
    ratio : of results of `rma` and its kin: whether effects are logarithms of ratios, to be shown as ratios; None
        decides by the measure where the result knows it.
    predictions : of models: values of `predict`, drawn as diamonds below the studies.
    effect : what the effect is called, where not by the name of its measure.

    Raises
    ------
    MethodError : percentages of something that is not a proportion.
    DataError : a column with another number of entries than studies, judgements for unknown studies.
    """
    note, extra = style_of(style).notation, columns or {}
    source: Any = getattr(result, "fit", result) if type(result).__name__ == "TrimFill" else result
    if hasattr(source, "studies"):
        s = source.settings
        s = replace(s, common=s.common if common is None else common, random=s.random if random is None else random)
        s = replace(s, prediction=s.prediction if prediction is None else prediction)
        table = forest_table(replace(source, settings=s), note, pool_single=pool_single, extra=extra)
        named = dict(s.options)
        favoured = str(named.get("label_left") or ""), str(named.get("label_right") or "")
        directions = directions if any(directions) else favoured
    else:
        if type(source).__name__ == "Robust" and source.source_model is None:
            raise MethodError("these robust tests do not know their model; make them with robust(model, cluster)")
        shown = coefficient_table(source, note, ratio=ratio, effect=effect, predictions=predictions)
        table = _with_columns(shown, extra)
    if percent and table.effect != "Proportion":
        raise MethodError(f"percentages suit proportions, not '{table.effect}'")
    table = replace(table, percent=percent, limits=limits, directions=directions, title=title)
    table = replace(table, effect=effect or table.effect, footer=table.footer if methods else ())
    table = _with_bias(table, bias, tuple(bias_domains)) if bias else table
    return forest_drawing(_sorted(table, sort_by), style=style)


def forest_table(
    result: MetaResult,
    notation: Notation | None = None,
    *,
    pool_single: bool = False,
    extra: Mapping[str, Sequence[Any]] | None = None,
) -> ForestTable:
    """What the forest plot of `result` shows, on the reporting scale."""
    note, s = notation or Notation(), result.settings
    lines = result.rows()
    studies = [line for line in lines if line["kind"] == "study"]
    models = [name for name in ("common", "random") if getattr(s, name)]
    cells = _Cells(studies, extra or {}, dict(s.options))
    blocks = _blocks(result, lines, studies, models, cells, note, pool_single)
    totals = [_summary(line, models, cells, studies, i == 0) for i, line in enumerate(_of(lines, *models))]
    totals += [_predicted(line, s.level_predict) for line in _of(lines, "prediction")]
    return ForestTable(
        tuple(blocks),
        result.scale.label,
        cells.columns,
        tuple(totals),
        tuple(_notes(result, models, note)),
        tuple(models),
        result.scale.ratio,
        reference_of(result),
        footer=(result.explain().sentence, *result.notes),
        level=s.level,
    )


def _with_columns(table: ForestTable, extra: Mapping[str, Sequence[Any]]) -> ForestTable:
    """The table with further columns, one entry for each study."""
    if not extra:
        return table
    studies = list(table.studies())
    cells = _Cells([{} for _ in studies], extra, {})
    rows = tuple(replace(row, cells=cells.of_study(i, {})) for i, row in enumerate(studies))
    return replace(table, blocks=(replace(table.blocks[0], rows=rows),), columns=cells.columns)


def _of(lines: Sequence[Mapping[str, Any]], *kinds: str) -> list[Mapping[str, Any]]:
    return [line for line in lines if line["kind"] in kinds]


class _Cells:
    """The columns beside the plot and their text for studies and summaries."""

    def __init__(
        self, studies: Sequence[Mapping[str, Any]], extra: Mapping[str, Sequence[Any]], options: Mapping[str, Any]
    ) -> None:
        names = {"Experimental": options.get("label_e"), "Control": options.get("label_c")}
        self.known = [cell for cell in _CELLS if studies and studies[0].get(cell[0]) is not None]
        columns = [ForestColumn(head, str(names.get(group) or group)) for _, head, group, _ in self.known]
        for heading, values in extra.items():
            if len(values) != len(studies):
                raise DataError(f"{len(values)} entries for {len(studies)} studies", column=heading)
            number = all(isinstance(v, (int, float)) for v in values)
            columns.append(ForestColumn(heading, anchor="end" if number else "start"))
        self.columns = tuple(columns)
        self._extra = {i: [_plain(values[i]) for values in extra.values()] for i in range(len(studies))}
        self._decimals = [_decimals([line[name] for line in studies]) for name, *_ in self.known]

    def of_study(self, i: int, line: Mapping[str, Any]) -> tuple[str, ...]:
        """The cells of study number `i`."""
        own = [_fixed(line[cell[0]], d) for cell, d in zip(self.known, self._decimals, strict=True)]
        return (*own, *self._extra[i])

    def of_sum(self, lines: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
        """Sums over the pooled studies in `lines`, where a column adds up."""
        own = []
        for (name, _, _, adds), d in zip(self.known, self._decimals, strict=True):
            values = [line[name] for line in lines if not line["reason"]]
            own.append(_fixed(sum(values), d) if adds else "")
        return (*own, *("" for _ in range(len(self.columns) - len(own))))


def _plain(value: Any) -> str:
    if value is None or value != value:
        return ""
    return f"{value:.6g}".replace("-", "−") if isinstance(value, float) else str(value)


def _decimals(values: Sequence[float]) -> int:
    """Decimals that show all of `values`, two at most."""
    finite = [v for v in values if isfinite(v)]
    return next((d for d in (0, 1) if all(abs(v - round(v, d)) < 1e-9 for v in finite)), 2)


def _fixed(value: float, decimals: int) -> str:
    return Notation().number(float(value), decimals) if isfinite(value) else ""


def _study(i: int, line: Mapping[str, Any], models: Sequence[str], cells: _Cells) -> ForestRow:
    weights = tuple(_weight(line[f"weight_{name}"]) if not line["reason"] else None for name in models)
    middle, low, high = (float(line[name]) for name in ("estimate", "lower", "upper"))
    cell = cells.of_study(i, line)
    return ForestRow(line["studlab"], middle, low, high, weights=weights, cells=cell, note="not estimable")


def _weight(value: float) -> float | None:
    return float(value) if isfinite(value) else None


def _summary(
    line: Mapping[str, Any], models: Sequence[str], cells: _Cells, over: Sequence[Mapping[str, Any]], sums: bool
) -> ForestRow:
    """A diamond: the weight of its studies in its own column, and sums where asked for."""
    kind = line["kind"].removeprefix("subgroup ")
    shares = [sum(w for m in over if isfinite(w := m[f"weight_{name}"])) for name in models]
    weights = tuple(share if name == kind and share else None for name, share in zip(models, shares, strict=True))
    middle, low, high = (float(line[name]) for name in ("estimate", "lower", "upper"))
    return ForestRow(line["studlab"], middle, low, high, kind, weights, cells.of_sum(over) if sums else ())


def _predicted(line: Mapping[str, Any], level: float) -> ForestRow:
    low, high = float(line["lower"]), float(line["upper"])
    label = f"{100 * level:g}% prediction interval"
    return ForestRow(label, lower=low, upper=high, kind="prediction", note="too few studies")


def _blocks(
    result: MetaResult,
    lines: Sequence[Mapping[str, Any]],
    studies: Sequence[Mapping[str, Any]],
    models: Sequence[str],
    cells: _Cells,
    note: Notation,
    pool_single: bool,
) -> list[ForestBlock]:
    numbered = list(enumerate(studies))
    if result.studies.subgroup is None:
        return [ForestBlock(tuple(_study(i, line, models, cells) for i, line in numbered))]
    blocks = []
    levels = list(result.groups.levels)
    for heading in dict.fromkeys(line["subgroup"] for line in studies):
        own = [(i, line) for i, line in numbered if line["subgroup"] == heading]
        members = [line for _, line in own if not line["reason"]]
        rows = tuple(_study(i, line, models, cells) for i, line in own)
        found = [line for line in _of(lines, *(f"subgroup {m}" for m in models)) if line["subgroup"] == heading]
        if len(members) < 2 and not pool_single:
            words = "One study; not pooled" if members else "No study could be pooled"
            blocks.append(ForestBlock(rows, str(heading), notes=(words,)))
            continue
        summaries = tuple(_summary(line, models, cells, members, i == 0) for i, line in enumerate(found))
        g = levels.index(heading) if heading in levels else -1
        said = (heterogeneity_words(result.groups.heterogeneities[g], result.groups.fits[g].tau2.value, note),)
        blocks.append(ForestBlock(rows, str(heading), summaries, said if len(members) > 1 else ()))
    return blocks


def tau2_words(tau2: float) -> str:
    """The between-study variance after its sign of equality: four decimals below 1, two above.

    >>> tau2_words(0.00917), tau2_words(684.6462), tau2_words(1e-5)
    ('= 0.0092', '= 684.65', '< 0.0001')
    """
    if 0 < tau2 < 1e-4:
        return "< 0.0001"
    return f"= {tau2:.4f}" if tau2 < 1 else f"= {tau2:.2f}"


def heterogeneity_words(h: Any, tau2: float, note: Notation) -> str:
    """The line on heterogeneity; items are held together by no-break spaces."""
    items = []
    if isfinite(h.I2):
        ends = [f"{100 * v:.0f}%" for v in (h.lower_I2, h.upper_I2) if isfinite(v)]
        limits = f" {note.opening}{ends[0]}{note.between} {ends[1]}{note.closing}" if len(ends) == 2 else ""
        items.append(f"I² = {100 * h.I2:.0f}%{limits}")
    if isfinite(tau2):
        items.append(f"{note.tau2} {tau2_words(tau2)}")
    if h.df_Q >= 1 and isfinite(h.Q):
        items.append(f"{note.chi2} = {h.Q:.2f}, df = {h.df_Q:g} ({note.p_value(h.pval_Q)})")
    return "Heterogeneity: " + ", ".join(item.replace(" ", "\u00a0") for item in items)


def _notes(result: MetaResult, models: Sequence[str], note: Notation) -> list[str]:
    found = []
    if result.k > 1:
        found.append(heterogeneity_words(result.heterogeneity, result.tau2, note))
    if result.studies.subgroup is not None and len(result.groups.levels) > 1:
        for name in models:
            between = getattr(result.groups, name)
            which = f" ({name} effects)" if len(models) > 1 else ""
            test = f"{note.chi2} = {between.Q:.2f}, df = {between.df} ({note.p_value(between.pval)})"
            found.append(f"Test for subgroup differences{which}: " + test.replace(" ", "\u00a0"))
    if reference_of(result) is not None:
        for name in models:
            estimate = getattr(result.fit, name)
            which = f" ({name} effects)" if len(models) > 1 else ""
            letter = "t" if isfinite(estimate.df) else "z"
            df = f", df = {estimate.df:g}" if isfinite(estimate.df) else ""
            statistic = f"{letter} = {note.number(estimate.statistic, 2)}{df} ({note.p_value(estimate.pval)})"
            found.append(f"Test for overall effect{which}: " + statistic.replace(" ", "\u00a0"))
    return found


def reference_of(result: MetaResult) -> float | None:
    """The value of no effect on the reporting scale, None where the analysis has none."""
    null = result.settings.null_effect
    if null is None or not isfinite(null):
        return None
    value = float(result.back.at(np.array([null]), result.n_harmonic_mean)[0])
    return value if isfinite(value) else None


def _with_bias(table: ForestTable, bias: Mapping[str, Sequence[str]], domains: tuple[str, ...]) -> ForestTable:
    if not domains:
        count = max(len(judged) for judged in bias.values())
        domains = tuple(f"Domain {i + 1}" for i in range(count))
    unknown = set(bias) - {row.label for row in table.studies()}
    if unknown:
        raise DataError(f"judgements for {', '.join(sorted(unknown))}, which the forest plot does not have")
    blocks = []
    for block in table.blocks:
        rows = tuple(replace(row, bias=tuple(bias.get(row.label, ("",) * len(domains)))) for row in block.rows)
        blocks.append(replace(block, rows=rows))
    return replace(table, blocks=tuple(blocks), bias_domains=domains)


def _sorted(table: ForestTable, key: str) -> ForestTable:
    if key not in _ORDERS:
        raise UnknownName("order of studies", key, _ORDERS[1:])
    if not key:
        return table

    def rank(row: ForestRow) -> tuple[bool, Any]:
        if key == "label":
            return False, row.label.lower()
        value = row.estimate if key == "estimate" else -((row.weights[-1] if row.weights else None) or 0.0)
        return not isfinite(value), value if isfinite(value) else 0.0

    return replace(table, blocks=tuple(replace(b, rows=tuple(sorted(b.rows, key=rank))) for b in table.blocks))
