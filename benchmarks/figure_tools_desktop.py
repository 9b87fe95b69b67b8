"""Kaplan-Meier figures of gnuplot, LibreOffice Calc and R (ggplot2 and lattice by hand)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.figure_cases import truth_of
from benchmarks.figure_tools_web import pressed

DASHED = ("solid", "dashed", "dotted", "dashdot")


def by_gnuplot(c):
    """`plot ... with steps` in gnuplot's own look, with what its users set."""
    program = os.environ.get("GNUPLOT") or shutil.which("gnuplot")
    if program is None:
        raise FileNotFoundError("gnuplot")
    grey = c.either(0.12)
    inks = [["black"] * 4, ["black", "red", "blue", "dark-green"], ["#9400d3", "#009e73", "#56b4e9", "#e69f00"]]
    colours = inks[0] if grey else inks[c.one_of(1, 2, 2)]
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        content = _gnuplotted(c, program, here, colours, grey)
    return content, truth_of(c, styles=DASHED[: len(c.names)] if grey else ())


def _gnuplotted(c, program, here, colours, grey):
    raster = c.ending in ("png", "jpg")
    size = c.one_of("640,480", "800,600", "1024,768", "1600,1200") if raster else c.one_of("640,480", "800,600")
    bigger = {"1600,1200": ",24", "1024,768": ",14"}.get(size, ",12" if c.either(0.5) else "")
    lines = {
        "svg": f"set terminal svg size {size} background 'white'",
        "pdf": "set terminal pdfcairo size 5in,3.5in font 'Sans,10'",
    }
    out = here / ("out." + ("png" if raster else c.ending))
    script = [lines.get(c.ending, f"set terminal pngcairo size {size} font 'Sans{bigger}'"), f"set output '{out}'", f"set xlabel '{c.x_title()}'",
              f"set ylabel '{c.y_title()}'", f"set yrange [0:{c.scale * c.one_of(1, 1, 1.05)}]", f"set xrange [0:{c.horizon}]",
              f"set key {c.one_of('top right', 'bottom left', 'outside right', 'below', 'at graph 0.95,0.95 samplen 2')}"]  # fmt: skip
    script += (
        [f"set title '{c.title}'"] * bool(c.title)
        + ["set grid"] * c.either(0.3)
        + ["set border 3", "set tics nomirror"] * c.either(0.3)
    )
    script += [f"set xtics {c.every:g}"] * (c.table or c.either(0.4))
    script += [
        f"set label '{line}' at graph 0.05,{0.17 - 0.06 * i:.2f}" for i, line in enumerate(c.note.split("\n")) if line
    ]
    if c.table:
        script += [
            "set bmargin " + str(len(c.names) + 6),
            "set lmargin 18",
            "set label 'No. at risk' at graph -0.06,-0.2 right",
        ]
        for k, arm in enumerate(c.names):
            at = -0.26 - 0.06 * k
            script += [f"set label '{arm}' at graph -0.06,{at:.2f} right"]
            script += [
                f"set label '{n}' at first {t:g}, graph {at:.2f} center"
                for t, n in zip(c.ticks, c.at_risk(k), strict=True)
            ]
    plots = []
    for k, arm in enumerate(c.names):
        np.savetxt(here / f"a{k}.txt", np.column_stack(c.curve(k)))
        look = f"lc rgb '{colours[k]}' lw {c.one_of(1, 2, 2, 3)}" + (f" dt {k + 1}" if grey else "")
        if c.band:
            plots += [
                f"'{here}/a{k}.txt' using 1:{column} with steps lc rgb '{colours[k]}' lw 1 dt 3 notitle"
                for column in (3, 4)
            ]
        plots.append(f"'{here}/a{k}.txt' using 1:2 with steps {look} title '{arm}'")
        if c.marks and len(c.censored(k)[0]):
            np.savetxt(here / f"m{k}.txt", np.column_stack(c.censored(k)))
            plots.append(f"'{here}/m{k}.txt' using 1:2 with points pt 1 lc rgb '{colours[k]}' notitle")
    script.append("plot " + ", ".join(plots))
    subprocess.run([program], input="\n".join(script), text=True, capture_output=True, timeout=60, check=True)
    content = out.read_bytes()
    return pressed(content, quality=c.one_of(75, 90)) if c.ending == "jpg" else content


def by_calc(c):
    """A scatter chart of a spreadsheet with every step as two points, as people without a statistics program make it."""
    import xlsxwriter

    office = os.environ.get("SOFFICE") or shutil.which("soffice")
    if office is None:
        raise FileNotFoundError("soffice")
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        book = xlsxwriter.Workbook(here / "km.xlsx")
        _sheet(c, book)
        book.close()
        run = [
            office,
            "--headless",
            f"-env:UserInstallation=file://{name}/profile",
            "--convert-to",
            "pdf",
            "--outdir",
            name,
            str(here / "km.xlsx"),
        ]
        subprocess.run(run, capture_output=True, timeout=120, check=True)
        content = _last_page(c, here)
    return content, truth_of(c, table=False)


def _sheet(c, book):
    sheet, chart = book.add_worksheet("data"), book.add_chart({"type": "scatter", "subtype": "straight"})
    colours = c.one_of(
        ("#4472C4", "#ED7D31", "#A5A5A5", "#FFC000"),
        ("#5B9BD5", "#C00000", "#70AD47", "#7030A0"),
        ("#000000", "#FF0000", "#0000FF", "#00B050"),
    )
    width = c.one_of(1.5, 2.25, 1.0)
    for k, arm in enumerate(c.names):
        t, s, _, _ = c.curve(k)
        xs, ys = np.repeat(t, 2)[1:], np.repeat(s, 2)[:-1]
        sheet.write(0, 4 * k + 1, arm)
        sheet.write_column(1, 4 * k, xs)
        sheet.write_column(1, 4 * k + 1, ys)
        series = {"name": ["data", 0, 4 * k + 1], "categories": ["data", 1, 4 * k, len(xs), 4 * k], "values": ["data", 1, 4 * k + 1, len(xs), 4 * k + 1],
                  "line": {"color": colours[k], "width": width}, "marker": {"type": "none"}}  # fmt: skip
        chart.add_series(series)
    rate = not c.percent and c.either(0.3)
    chart.set_x_axis(
        {
            "name": c.x_title(),
            "min": 0,
            "max": c.horizon,
            "major_unit": c.every,
            "major_gridlines": {"visible": c.either(0.2)},
        }
    )
    chart.set_y_axis({"name": c.y_title(), "min": 0, "max": c.scale, "major_unit": c.scale * c.one_of(0.2, 0.1, 0.25), "major_gridlines": {"visible": c.either(0.5)},
                      "num_format": "0%" if rate else ("0" if c.percent else c.one_of("0.0", "0.00"))})  # fmt: skip
    if c.title:
        chart.set_title({"name": c.title})
    else:
        chart.set_title({"none": True})
    chart.set_legend(
        {"none": True} if len(c.names) == 1 else {"position": c.one_of("right", "bottom", "top", "overlay_right")}
    )
    page = book.add_chartsheet("chart")
    page.set_chart(chart)
    if c.either(0.3):
        page.set_paper(11)
    page.activate()


def _last_page(c, here):
    """The chart's page of the printed book, as PDF or as a picture of it."""
    whole = here / "km.pdf"
    info = subprocess.run(["pdfinfo", whole], capture_output=True, text=True, timeout=30, check=True).stdout
    last = next(line.split()[-1] for line in info.splitlines() if line.startswith("Pages"))
    if c.ending == "pdf":
        subprocess.run(["pdfseparate", "-f", last, "-l", last, whole, here / "page.pdf"], timeout=30, check=True)
        return (here / "page.pdf").read_bytes()
    dots = c.one_of(72, 96, 150, 200)
    subprocess.run(
        ["pdftoppm", "-png", "-r", str(dots), "-f", last, "-l", last, "-singlefile", whole, here / "page"],
        timeout=60,
        check=True,
    )
    content = (here / "page.png").read_bytes()
    return pressed(content, quality=c.one_of(75, 90)) if c.ending == "jpg" else content


def by_r(c):
    """ggplot2 by hand, a layout like KMunicate's, or lattice: the case is handed to R as JSON."""
    program = shutil.which("Rscript")
    if program is None:
        raise FileNotFoundError("Rscript")
    arms = []
    for k, name in enumerate(c.names):
        t, s, low, high = c.curve(k)
        at, level = c.censored(k)
        left = [int(((c.times[k] < tick) & ~c.events[k]).sum()) for tick in c.ticks]
        died = [int(((c.times[k] < tick) & c.events[k]).sum()) for tick in c.ticks]
        arms.append({"name": name, "time": t.tolist(), "level": s.tolist(), "low": low.tolist(), "high": high.tolist(), "marks": at.tolist(), "at": level.tolist(),
                     "n": c.at_risk(k), "censored": left, "events": died})  # fmt: skip
    told = {"program": c.program, "arms": arms, "ticks": c.ticks, "horizon": c.horizon, "scale": c.scale, "table": c.table, "marks": c.marks, "band": c.band,
            "xlab": c.x_title(), "ylab": c.y_title(), "title": c.title, "note": c.note, "ending": c.ending, "seed": int(c.rng.integers(1 << 30))}  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        (here / "case.json").write_text(json.dumps(told))
        run = [
            program,
            str(Path(__file__).with_name("figure_tools_grammar.R")),
            str(here / "case.json"),
            str(here / f"out.{c.ending}"),
            str(here / "shown.json"),
        ]
        done = subprocess.run(run, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise subprocess.SubprocessError(f"{c.name}: {done.stderr.strip()[-200:]}")
        shown = json.loads((here / "shown.json").read_text())
        content = (here / f"out.{c.ending}").read_bytes()
    styles = DASHED[: len(c.names)] if shown["dashed"] else ()
    return content, truth_of(replace(c, table=shown["table"]), styles=styles, marks=shown["marks"])
