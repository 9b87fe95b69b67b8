"""Verbs on single tables: pool, reconstruct, summary-curve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from metagrove.cli.console import FLAGGED, errors_as_one_line, print_json, progress_bar

__all__ = ["multiverse", "pool", "reconstruct", "summary_curve"]

Measure = Literal["PRAW", "PLN", "PLOGIT", "PAS", "PFT"]
Tau2 = Literal["DL", "DL2", "PM", "PMM", "REML", "ML", "HS", "HSk", "SJ", "HE", "EB"]
Out = Annotated[Path, typer.Option("--out", help="The folder to write.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout and nothing else.")]


def pool(
    table: Annotated[
        Path, typer.Argument(help="CSV with study, event, n and optionally subgroup.", show_default=False)
    ],
    out: Out,
    measure: Annotated[Measure, typer.Option(help="Transformation of the proportions.")] = "PFT",
    method: Annotated[Literal["Inverse", "GLMM"], typer.Option(help="GLMM goes with PLOGIT.")] = "Inverse",
    method_tau: Annotated[Tau2, typer.Option(help="Estimator of tau².")] = "REML",
    method_random_ci: Annotated[
        Literal["classic", "HK", "KR"], typer.Option(help="Interval of the pooled value.")
    ] = "classic",
    method_ci: Annotated[
        Literal["CP", "WS", "WSCC", "AC", "SA", "SACC", "NAsm"], typer.Option(help="Interval of each study.")
    ] = "CP",
    tau_common: Annotated[bool, typer.Option(help="One tau² for all subgroups.")] = False,
    level: Annotated[float, typer.Option(help="Confidence level.", min=0.5, max=0.9999)] = 0.95,
    as_json: Json = False,
) -> None:
    """Pool one table of proportions: result.json, studies.csv and forest.svg, without a review folder.

    Example: metagrove pool responses.csv --out pooled --measure PFT
    """
    with errors_as_one_line(as_json=as_json):
        from metagrove.app.pooling import PoolSettings, pool_table

        settings = PoolSettings(measure, method, method_tau, method_random_ci, method_ci, tau_common, level)
        made = pool_table(table, out, settings)
    if as_json:
        print_json(made["result"])
        return
    print(made["summary"])
    print(f"wrote {', '.join(made['files'])} in {out}")


def reconstruct(
    curves: Annotated[
        Path, typer.Argument(help="CSV with arm, time, survival (or two bare columns).", show_default=False)
    ],
    out: Out,
    at_risk: Annotated[
        Path | None, typer.Option("--at-risk", help="CSV with arm, time, n.", show_default=False)
    ] = None,
    totals: Annotated[
        Path | None, typer.Option(help="CSV with arm, n and optionally events, median, rate_12 …", show_default=False)
    ] = None,
    marks: Annotated[Path | None, typer.Option(help="CSV with arm, time of censor marks.", show_default=False)] = None,
    hr: Annotated[
        str,
        typer.Option("--hr", help="Printed hazard ratio of two arms, as printed: '0.66', '0·66 (95% CI 0·50–0·87)'."),
    ] = "",
    p: Annotated[
        str, typer.Option("--p", help="Printed log-rank p of two arms: 0.03, '<0.001', '>0.05'; NS counts as '>0.05'.")
    ] = "",
    control: Annotated[
        str, typer.Option(help="The arm the hazard ratio compares the other with; the first if empty.")
    ] = "",
    adjusted: Annotated[bool, typer.Option("--adjusted", help="The hazard ratio was stratified or adjusted.")] = False,
    method: Annotated[
        Literal["likelihood", "guyot", "bounded"], typer.Option(help="How patients are rebuilt.")
    ] = "likelihood",
    kind: Annotated[
        Literal["found", "drops", "corners", "places", "trace"],
        typer.Option(help="What the rows are: one for each drop, both corners, anywhere on the curve, pixel columns."),
    ] = "found",
    draws: Annotated[int, typer.Option(help="How many plausible patient sets to draw as well.", min=0)] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the draws; printed in report.json.", min=0)] = 20120209,
    as_json: Json = False,
) -> None:
    """Rebuild patients from digitized Kaplan-Meier curves.

    With a printed hazard ratio or log-rank p, the two arms of the file are rebuilt together, so that they show it.

    Example: metagrove reconstruct curves.csv --at-risk at_risk.csv --totals totals.csv --out rebuilt
    """
    with errors_as_one_line(as_json=as_json), progress_bar("rebuilding", quiet=as_json) as progress:
        from metagrove.app.reconstruction import PrintedDifference, ReconstructInputs, reconstruct_curves

        inputs = ReconstructInputs(curves, at_risk, totals, marks)
        told = PrintedDifference(hr, p, control, adjusted) if hr or p or control or adjusted else None
        made = reconstruct_curves(
            inputs,
            out,
            method=method,
            kind=None if kind == "found" else kind,
            draws=draws,
            seed=seed,
            difference=told,
            progress=progress,
        )
    if as_json:
        print_json(made)
    else:
        for line in made["arms"]:
            print(f"{line['arm'] or 'curve'}: {line['n']} patients, {line['events']} events")
        if "comparison" in made:
            pair = made["comparison"]
            print(f"{pair['treated']} against {pair['control']}: hazard ratio {pair['hr']:.3f}")
        for line in made["contradictions"]:
            print(f"contradiction: {line['message']}")
        print(f"wrote {', '.join(made['files'])} in {out}")
    raise SystemExit(FLAGGED if made["contradictions"] else 0)


def summary_curve(
    table: Annotated[Path, typer.Argument(help="CSV with study, time, n_risk, survival.", show_default=False)],
    out: Out,
    model: Annotated[Literal["random", "fixed"], typer.Option(help="Between studies.")] = "random",
    correction: Annotated[str, typer.Option(help="Continuity correction such as 0.25,0.5, or none.")] = "0.25,0.5",
    compat: Annotated[str, typer.Option(help="msurv for that package's numbers; empty for ours.")] = "",
    as_json: Json = False,
) -> None:
    """Pool survival curves of several studies into one distribution-free summary curve.

    Example: metagrove summary-curve grid.csv --out pooled --model random
    """
    with errors_as_one_line(as_json=as_json):
        from metagrove.app.summary import pool_curves

        made = pool_curves(table, out, model=model, correction=correction, compat=compat)
    if as_json:
        print_json(made["result"])
        return
    print(made["summary"])
    print(f"wrote {', '.join(made['files'])} in {out}")


def multiverse(
    source: Annotated[
        Path, typer.Argument(help="A review folder, or a CSV with study, event, n, or of two arms.", show_default=False)
    ],
    out: Out,
    analysis: Annotated[
        str, typer.Option(help="Which analysis of the folder; its first of proportions or of two arms if empty.")
    ] = "",
    reference: Annotated[
        float | None,
        typer.Option(
            help="The value that decides the conclusion: a response of no interest, a ratio.", show_default=False
        ),
    ] = None,
    sm: Annotated[str, typer.Option("--sm", help="The measure of a table: PLOGIT, RR or MD if empty.")] = "",
    as_json: Json = False,
) -> None:
    """Run every defensible analysis at once: analyses.csv, curve.svg and one sentence.

    Example: metagrove multiverse responses.csv --out all --reference 0.1
    """
    with errors_as_one_line(as_json=as_json):
        from metagrove.app.multiverse import run_multiverse

        made = run_multiverse(source, out, analysis=analysis, reference=reference, sm=sm)
    if as_json:
        print_json(made)
        return
    print(made["sentence"])
    print(f"wrote {', '.join(made['files'])} in {out}")
