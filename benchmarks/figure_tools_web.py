"""Kaplan-Meier figures of programs for the web: plotly, bokeh, Vega-Altair, D3, Chart.js and ECharts, drawn in chromium."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.figure_cases import truth_of

TABLEAU = ("#4c78a8", "#f58518", "#e45756", "#72b7b2")
CATEGORY = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728")
CHARTJS = ("#36a2eb", "#ff6384", "#ff9f40", "#4bc0c0")
STRONG = ("navy", "crimson", "green", "orange")
DASHED = ("solid", "dashed", "dotted", "dashdot")


def by_plotly(c):
    """go.Scatter with line_shape="hv" in plotly's templates; numbers at risk as annotations under the axis."""
    import plotly
    import plotly.graph_objects as go

    colours = c.one_of(
        plotly.colors.qualitative.Plotly,
        plotly.colors.qualitative.D3,
        plotly.colors.qualitative.Set1,
        plotly.colors.qualitative.Dark2,
    )
    figure = go.Figure()
    for k, name in enumerate(c.names):
        t, s, low, high = c.curve(k)
        if c.band:
            red, green, blue = _rgb(colours[k])
            figure.add_scatter(
                x=t, y=high, line={"shape": "hv", "width": 0}, mode="lines", showlegend=False, hoverinfo="skip"
            )
            figure.add_scatter(
                x=t,
                y=low,
                line={"shape": "hv", "width": 0},
                mode="lines",
                fill="tonexty",
                fillcolor=f"rgba({red},{green},{blue},0.2)",
                showlegend=False,
            )
        figure.add_scatter(
            x=t, y=s, mode="lines", line={"shape": "hv", "width": c.one_of(2, 2, 3), "color": colours[k]}, name=name
        )
        if c.marks:
            at, level = c.censored(k)
            figure.add_scatter(
                x=at,
                y=level,
                mode="markers",
                showlegend=False,
                marker={"symbol": c.one_of("line-ns-open", "cross-thin-open"), "size": 8, "color": colours[k]},
            )
    figure.update_layout(
        template=c.one_of("plotly", "plotly", "plotly_white", "simple_white", "ggplot2", "seaborn", "presentation"),
        title=c.title or None, xaxis_title=c.x_title(), yaxis_title=c.y_title(), **c.one_of({}, {"width": 800, "height": 600}, {"width": 1000, "height": 500}),
        legend=c.one_of({}, {"x": 0.99, "y": 0.99, "xanchor": "right"}, {"orientation": "h", "y": 1.1}, {"x": 0.01, "y": 0.01}),
    )  # fmt: skip
    if c.either(0.5):
        figure.update_yaxes(range=[0, c.scale * c.one_of(1, 1.05)])
    if not c.percent and c.either(0.25):
        figure.update_yaxes(tickformat=".0%")
    if c.table or c.either(0.3):
        figure.update_xaxes(tickvals=c.ticks, range=[-0.03 * c.horizon, 1.03 * c.horizon])
    if c.note:
        figure.add_annotation(
            text=c.note.replace("\n", "<br>"), x=0.05, y=0.1, xref="paper", yref="paper", showarrow=False, align="left"
        )
    if c.table:
        first = -0.29 - 0.07 * len(c.names)
        for k, name in enumerate(c.names):
            for t, n in zip(c.ticks, c.at_risk(k), strict=True):
                figure.add_annotation(
                    text=str(n), x=t, y=-0.31 - 0.07 * k, yref="paper", showarrow=False, font={"size": 12}
                )
            figure.add_annotation(
                text=name,
                x=-0.05,
                xanchor="right",
                xref="paper",
                y=-0.31 - 0.07 * k,
                yref="paper",
                showarrow=False,
                font={"size": 12, "color": colours[k]},
            )
        figure.add_annotation(
            text="Number at risk",
            x=0,
            xanchor="left",
            xref="paper",
            y=-0.24,
            yref="paper",
            showarrow=False,
            font={"size": 12},
        )
        figure.update_layout(margin={"b": int(90 - 260 * first), "l": 150})
    scale = c.one_of(1, 1, 2, 3)
    return _jpeg(c, lambda kind: figure.to_image(format=kind, **({"scale": scale} if kind == "png" else {}))), truth_of(
        c
    )


def by_bokeh(c):
    """figure().step(mode="after") as bokeh's users write it, drawn by the browser."""
    from bokeh.embed import file_html
    from bokeh.models import Label
    from bokeh.palettes import Category10, Set1
    from bokeh.plotting import figure
    from bokeh.resources import INLINE

    colours = c.one_of(Category10[4], Set1[4], STRONG)
    wide, high = c.one_of((600, 400), (700, 500), (800, 450))
    p = figure(
        width=wide,
        height=high,
        title=c.title or None,
        x_axis_label=c.x_title(),
        y_axis_label=c.y_title(),
        toolbar_location=c.one_of(None, None, "right"),
    )
    for k, name in enumerate(c.names):
        t, s, low, high_ = c.curve(k)
        legend = {"legend_label": name} if len(c.names) > 1 else {}
        if c.band:
            p.varea(
                np.repeat(t, 2)[1:],
                np.repeat(low, 2)[:-1],
                np.repeat(high_, 2)[:-1],
                fill_alpha=0.2,
                fill_color=colours[k],
            )
        p.step(t, s, mode="after", line_width=c.one_of(2, 2, 1, 3), color=colours[k], **legend)
        if c.marks:
            p.scatter(
                *c.censored(k), marker=c.one_of("cross", "dash"), angle=c.one_of(0, np.pi / 2), size=8, color=colours[k]
            )
    if c.either(0.5):
        p.y_range.start, p.y_range.end = 0, c.scale * c.one_of(1, 1.05)
    if len(c.names) > 1:
        where = c.one_of("top_right", "bottom_left", "outside")
        if where == "outside":
            p.add_layout(p.legend[0], "right")
        else:
            p.legend.location = where
        if c.either(0.3):
            p.legend.border_line_color = None
    if c.note:
        for row, text in enumerate(reversed(c.note.split("\n"))):
            p.add_layout(
                Label(x=70, y=20 + 18 * row, x_units="screen", y_units="screen", text=text, text_font_size="11px")
            )
    if c.either(0.3):
        p.grid.grid_line_color = None
    html = file_html(p, INLINE)
    return _shot(c, html, wide + 16, high + 16, scale=c.one_of(1, 1, 2, 3)), truth_of(c, table=False)


def by_altair(c):
    """mark_line(interpolate="step-after") by Vega-Lite, the numbers at risk as a second chart of text below."""
    import altair as alt
    import pandas as pd

    rows, marks, risk = [], [], []
    for k, name in enumerate(c.names):
        t, s, low, high = c.curve(k)
        rows.append(pd.DataFrame({"time": t, "survival": s, "low": low, "high": high, "group": name}))
        at, level = c.censored(k)
        marks.append(pd.DataFrame({"time": at, "survival": level, "group": name}))
        risk.append(pd.DataFrame({"time": c.ticks, "n": c.at_risk(k), "group": name}))
    data, marks, risk = (pd.concat(part, ignore_index=True) for part in (rows, marks, risk))
    axis = (
        alt.Axis(values=c.ticks) if c.table or c.either(0.4) else alt.Axis(**({"grid": False} if c.either(0.3) else {}))
    )
    wide, high = c.one_of((400, 300), (500, 350), (600, 300))
    x = alt.X(
        "time:Q", title=c.x_title(), axis=axis, **({"scale": alt.Scale(domain=[0, c.horizon])} if c.table else {})
    )
    upright = alt.Axis(format="%") if not c.percent and c.either(0.25) else alt.Axis()
    y = alt.Y("survival:Q", title=c.y_title(), axis=upright)
    legend = c.one_of(
        alt.Legend(),
        alt.Legend(orient="bottom"),
        alt.Legend(orient="top-right", title=None),
        alt.Legend(orient="bottom-left"),
        alt.Legend(title=None),
    )
    colour = alt.Color(
        "group:N",
        sort=list(c.names),
        legend=legend if len(c.names) > 1 else None,
        scale=alt.Scale(scheme=c.one_of("tableau10", "category10", "set1", "dark2")),
    )
    dash = {"strokeDash": alt.StrokeDash("group:N", legend=None)} if c.either(0.1) else {}
    layers = [
        alt.Chart(data)
        .mark_line(interpolate="step-after", strokeWidth=c.one_of(1.5, 2, 3))
        .encode(x=x, y=y, color=colour, **dash)
    ]
    if c.band:
        layers.insert(
            0,
            alt.Chart(data)
            .mark_area(interpolate="step-after", opacity=0.2)
            .encode(x="time:Q", y="low:Q", y2="high:Q", color=colour),
        )
    if c.marks:
        layers.append(
            alt.Chart(marks)
            .mark_point(shape=c.one_of("cross", "stroke"), angle=c.one_of(0, 90), size=c.one_of(30, 60))
            .encode(x="time:Q", y="survival:Q", color=colour)
        )
    chart = alt.layer(*layers).properties(width=wide, height=high, **({"title": c.title} if c.title else {}))
    if c.table:
        below = alt.Chart(risk).mark_text(fontSize=c.one_of(10, 11)).encode(
            x=alt.X("time:Q", axis=None, scale=alt.Scale(domain=[0, c.horizon])), text="n:Q",
            y=alt.Y("group:N", sort=list(c.names), title=c.one_of("Number at risk", None), axis=alt.Axis(domain=False, ticks=False, offset=20)),
        ).properties(width=wide, height=20 * len(c.names))  # fmt: skip
        chart = alt.vconcat(chart, below).configure_view(stroke=None) if c.either(0.5) else alt.vconcat(chart, below)
    factor = c.one_of(1, 1, 2, 3)

    def drawn(kind):
        held = io.BytesIO() if kind != "svg" else io.StringIO()
        chart.save(held, format=kind, **({"scale_factor": factor} if kind == "png" else {}))
        value = held.getvalue()
        return value.encode() if isinstance(value, str) else value

    styles = ("solid", "dashed", "dotted", "dashed") if dash else ("solid",) * 4
    return _jpeg(c, drawn), truth_of(c, styles=styles[: len(c.names)])


D3 = """
const P=__CASE__, m={top:P.title?50:20,right:P.right?150:30,bottom:60+(P.table?30+20*P.arms.length:0),left:P.table?130:70};
const svg=d3.select("body").append("svg").attr("xmlns","http://www.w3.org/2000/svg").attr("width",P.w).attr("height",P.h).style("font-family",P.font);
if(P.paper) svg.append("rect").attr("width",P.w).attr("height",P.h).attr("fill","white");
const x=d3.scaleLinear([0,P.horizon*P.over],[m.left,P.w-m.right]), y=d3.scaleLinear([0,P.top],[P.h-m.bottom,m.top]);
const ax=d3.axisBottom(x), ay=d3.axisLeft(y);
if(P.table||P.own) ax.tickValues(P.ticks); else if(P.few) ax.ticks(P.few);
if(P.few) ay.ticks(5); if(P.rate) ay.tickFormat(d3.format(".0%")); if(P.outer) {ax.tickSizeOuter(0);ay.tickSizeOuter(0);}
svg.append("g").attr("transform",`translate(0,${P.h-m.bottom})`).call(ax).style("font-size",P.size);
const left=svg.append("g").attr("transform",`translate(${m.left},0)`).call(ay).style("font-size",P.size);
if(P.bare) left.call(g=>g.select(".domain").remove());
if(P.grid) left.call(g=>g.selectAll(".tick line").clone().attr("x2",P.w-m.left-m.right).attr("stroke-opacity",0.1));
svg.append("text").attr("x",(m.left+P.w-m.right)/2).attr("y",P.h-m.bottom+42).attr("text-anchor","middle").style("font-size",P.size).text(P.xlab);
if(P.bare) svg.append("text").attr("x",10).attr("y",m.top-8).style("font-size",P.size).text("\\u2191 "+P.ylab);
else svg.append("text").attr("transform","rotate(-90)").attr("x",-(P.h-m.bottom+m.top)/2).attr("y",m.left-45).attr("text-anchor","middle").style("font-size",P.size).text(P.ylab);
if(P.title) svg.append("text").attr("x",(m.left+P.w-m.right)/2).attr("y",24).attr("text-anchor","middle").style("font-size","16px").text(P.title);
P.arms.forEach((a,i)=>{
  if(P.band) svg.append("path").attr("fill",a.colour).attr("fill-opacity",.2).attr("d",d3.area().curve(d3.curveStepAfter).x(d=>x(d[0])).y0(d=>y(d[2])).y1(d=>y(d[3]))(a.rows));
  svg.append("path").attr("fill","none").attr("stroke",a.colour).attr("stroke-width",P.width).attr("stroke-dasharray",a.dash).attr("d",d3.line().curve(d3.curveStepAfter).x(d=>x(d[0])).y(d=>y(d[1]))(a.rows));
  if(P.marks) svg.append("g").selectAll("line").data(a.marks).join("line").attr("x1",d=>x(d[0])).attr("x2",d=>x(d[0])).attr("y1",d=>y(d[1])-4).attr("y2",d=>y(d[1])+4).attr("stroke",a.colour);
  if(P.arms.length>1){
    if(P.direct){const e=a.rows[a.rows.length-1]; svg.append("text").attr("x",x(e[0])+6).attr("y",y(e[1])+4).attr("fill",a.colour).style("font-size",P.size).text(a.name);}
    else{const lx=P.right?P.w-m.right+15:P.w-m.right-140, ly=m.top+10+20*i;
      svg.append(P.square?"rect":"line").attr("x1",lx).attr("x2",lx+20).attr("y1",ly).attr("y2",ly).attr("x",lx).attr("y",ly-6).attr("width",12).attr("height",12).attr("stroke",P.square?"none":a.colour).attr("fill",a.colour).attr("stroke-width",P.width).attr("stroke-dasharray",a.dash);
      svg.append("text").attr("x",lx+26).attr("y",ly+4).style("font-size",P.size).text(a.name);}}
  if(P.table){const ry=P.h-m.bottom+75+20*i;
    svg.append("text").attr("x",m.left-20).attr("y",ry).attr("text-anchor","end").attr("fill",P.tinted?a.colour:"black").style("font-size",P.size).text(a.name);
    svg.append("g").selectAll("text").data(a.n).join("text").attr("x",(d,j)=>x(P.ticks[j])).attr("y",ry).attr("text-anchor","middle").style("font-size",P.size).text(d=>d);}
});
if(P.table) svg.append("text").attr("x",10).attr("y",P.h-m.bottom+58).style("font-size",P.size).style("font-weight","bold").text("No. at risk");
if(P.note) P.note.split("\\n").forEach((t,i)=>svg.append("text").attr("x",m.left+20).attr("y",P.h-m.bottom-30+16*i).style("font-size",P.size).text(t));
"""


def by_d3(c):
    """d3.line().curve(d3.curveStepAfter) with d3's axes."""
    grey = c.either(0.1)
    colours = (
        ("black",) * 4 if grey else c.one_of(CATEGORY, ("steelblue", "darkorange", "seagreen", "firebrick"), STRONG)
    )
    dashes = ("", "6,4", "2,3", "8,3,2,3") if grey else ("",) * 4
    wide, high = c.one_of((640, 400), (800, 500), (960, 600), (700, 550))
    high += 60 if c.table else 0
    right = c.either(0.3)
    options = {
        "w": wide, "h": high, "font": c.one_of("sans-serif", "Arial", "serif"), "size": c.one_of("10px", "12px", "14px"), "top": c.scale * c.one_of(1, 1, 1.05),
        "over": c.one_of(1, 1, 1.05), "own": c.either(0.4), "few": c.one_of(0, 6), "rate": not c.percent and c.either(0.3), "outer": c.either(0.3),
        "bare": c.either(0.25), "grid": c.either(0.3), "width": c.one_of(1.5, 2, 2.5), "band": c.band, "marks": c.marks, "right": right,
        "direct": right and c.either(0.5), "square": c.either(0.4) and not grey, "table": c.table, "tinted": c.either(0.4), "note": c.note, "title": c.title,
        "xlab": c.x_title(), "ylab": c.y_title(), "ticks": c.ticks, "horizon": c.horizon, "paper": c.either(0.5), "arms": _arms(c, colours, dashes),
    }  # fmt: skip
    script = D3.replace("__CASE__", json.dumps(options))
    html = f"<html><body style='margin:0;background:white'><script>{_library('d3/dist/d3.min.js')}</script><script>{script}</script></body></html>"
    styles = DASHED[: len(c.names)] if grey else ()
    return _shot(c, html, wide, high, scale=c.one_of(1, 1, 2, 3)), truth_of(c, styles=styles)


CHART = """
const P=__CASE__;
new Chart(document.getElementById("c"),{type:"line",data:{datasets:P.arms.map(a=>({label:a.name,data:a.rows.map(r=>({x:r[0],y:r[1]})),stepped:true,borderColor:a.colour,backgroundColor:a.colour,borderWidth:P.width,pointRadius:0}))
 .concat(P.marks?P.arms.map(a=>({label:"",data:a.marks.map(r=>({x:r[0],y:r[1]})),showLine:false,pointStyle:"cross",pointRadius:4,borderColor:a.colour})):[])},
 options:{animation:false,responsive:false,devicePixelRatio:P.dpr,parsing:false,scales:{x:{type:"linear",max:P.own?P.horizon:undefined,ticks:P.own?{stepSize:P.every}:{},title:{display:true,text:P.xlab},grid:{display:P.grid}},y:{min:0,max:P.top||undefined,title:{display:true,text:P.ylab}}},
 plugins:{legend:{display:P.arms.length>1,position:P.place,labels:{filter:i=>i.text!=="",usePointStyle:P.point}},title:{display:!!P.title,text:P.title}}}});
"""


def by_chartjs(c):
    """A line chart of Chart.js with `stepped: true`."""
    colours = c.one_of(CHARTJS, CATEGORY, STRONG)
    wide, high = c.one_of((600, 400), (800, 400), (700, 500))
    scale = c.one_of(1, 1, 2, 3)
    options = {
        "arms": _arms(c, colours), "width": c.one_of(2, 3), "marks": c.marks, "dpr": scale, "own": c.either(0.5), "horizon": c.horizon, "every": c.every,
        "xlab": c.x_title(), "ylab": c.y_title(), "grid": c.either(0.7), "top": c.one_of(0, c.scale), "place": c.one_of("top", "top", "bottom", "right", "chartArea"),
        "point": c.either(0.2), "title": c.title,
    }  # fmt: skip
    html = (
        f"<html><body style='margin:0;background:white'><canvas id='c' width='{wide}' height='{high}'></canvas>"
        f"<script>{_library('chart.js/dist/chart.umd.js')}</script><script>{CHART.replace('__CASE__', json.dumps(options))}</script></body></html>"
    )
    return _shot(c, html, wide, high, scale=scale), truth_of(c, table=False)


ECHART = """
const P=__CASE__;
echarts.init(document.getElementById("c"),null,{renderer:"svg",width:P.w,height:P.h}).setOption({animation:false,title:{text:P.title,left:"center"},
 legend:Object.assign({show:P.arms.length>1,data:P.arms.map(a=>a.name)},P.place),xAxis:{type:"value",name:P.xlab,nameLocation:"middle",nameGap:30,max:P.own?P.horizon:undefined,interval:P.own?P.every:undefined},
 yAxis:{type:"value",name:P.ylab,nameLocation:P.turned?"middle":"end",nameGap:P.turned?45:15,max:P.top||undefined},grid:{left:80,bottom:70,right:P.place.orient?160:40},
 series:P.arms.map(a=>({name:a.name,type:"line",step:"end",showSymbol:false,lineStyle:{width:P.width},color:a.colour||undefined,data:a.rows.map(r=>[r[0],r[1]])}))
 .concat(P.marks?P.arms.map(a=>({type:"scatter",symbol:"path://M0,0 L0,10",symbolSize:[1,9],itemStyle:{borderColor:a.colour,borderWidth:1.5,color:a.colour},data:a.marks})):[])});
"""


def by_echarts(c):
    """A line of ECharts with `step: "end"`."""
    colours = c.one_of(("#5470c6", "#91cc75", "#fac858", "#ee6666"), CATEGORY, STRONG)
    wide, high = c.one_of((600, 400), (800, 500), (900, 600))
    options = {
        "arms": _arms(c, colours), "w": wide, "h": high, "title": c.title, "xlab": c.x_title(), "ylab": c.y_title(), "own": c.either(0.5), "horizon": c.horizon,
        "every": c.every, "turned": c.either(0.6), "top": c.one_of(0, c.scale), "width": c.one_of(2, 2, 3), "marks": c.marks,
        "place": c.one_of({"top": 28}, {"bottom": 0}, {"right": 10, "top": "middle", "orient": "vertical"}),
    }  # fmt: skip
    html = (
        f"<html><body style='margin:0;background:white'><div id='c'></div><script>{_library('echarts/dist/echarts.min.js')}</script>"
        f"<script>{ECHART.replace('__CASE__', json.dumps(options))}</script></body></html>"
    )
    return _shot(c, html, wide, high, scale=c.one_of(1, 1, 2, 3)), truth_of(c, table=False)


def _arms(c, colours, dashes=("",) * 4):
    out = []
    for k, name in enumerate(c.names):
        rows = [[float(v) for v in row] for row in zip(*c.curve(k), strict=True)]
        marks = [[float(a), float(b)] for a, b in zip(*c.censored(k), strict=True)]
        out.append(
            {"name": name, "colour": colours[k], "dash": dashes[k], "rows": rows, "marks": marks, "n": c.at_risk(k)}
        )
    return out


def _rgb(colour):
    if colour.startswith("rgb"):
        return [int(v) for v in re.findall(r"\d+", colour)[:3]]
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


def _library(path):
    return (Path(os.environ.get("NODE_MODULES", "node_modules")) / path).read_text()


def _jpeg(c, drawn):
    """What `drawn(kind)` gives, pressed by Pillow where the case is a JPEG."""
    if c.ending != "jpg":
        return drawn(c.ending)
    return pressed(drawn("png"), quality=c.one_of(75, 90))


def pressed(content, *, quality):
    """A picture as JPEG."""
    from PIL import Image

    held = io.BytesIO()
    picture = Image.open(io.BytesIO(content)).convert("RGBA")
    paper = Image.new("RGBA", picture.size, "white")
    Image.alpha_composite(paper, picture).convert("RGB").save(held, format="JPEG", quality=quality)
    return held.getvalue()


def _shot(c, html, wide, high, *, scale):
    """A page as the browser shows it: a picture, the SVG inside it, or a PDF."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        raise FileNotFoundError("chromium")
    with tempfile.TemporaryDirectory() as name:
        page, out = Path(name) / "page.html", Path(name) / ("out.pdf" if c.ending == "pdf" else "out.png")
        page.write_text(
            html.replace(
                "<html>",
                f"<html><head><meta charset='utf-8'><style>@page{{size:{wide}px {high}px;margin:0}}</style></head>",
                1,
            )
        )
        base = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={name}/profile", "--hide-scrollbars", f"--window-size={wide},{high}",
                f"--force-device-scale-factor={scale}", "--virtual-time-budget=3000"]  # fmt: skip
        what = {"svg": ["--dump-dom"], "pdf": [f"--print-to-pdf={out}", "--no-pdf-header-footer"]}.get(
            c.ending, [f"--screenshot={out}"]
        )
        done = subprocess.run([*base, *what, page.as_uri()], capture_output=True, timeout=90, check=True)
        if c.ending == "svg":
            return re.search(rb"<svg.*</svg>", done.stdout, re.DOTALL)[0]
        content = out.read_bytes()
    return pressed(content, quality=c.one_of(75, 90)) if c.ending == "jpg" else content
