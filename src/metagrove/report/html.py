"""The report as one self-contained HTML file: nothing is fetched, text in figures stays text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from metagrove.report.document import Report
from metagrove.report.layout import alone, grouped, methods_paragraphs, numbered_references

__all__ = ["html_report"]


def _inline(svg: str, name: str) -> str:
    """An SVG ready to stand inside HTML: no prolog, ids of its own, width that follows the page."""
    body = svg[svg.index("<svg") :]
    prefix = re.sub(r"[^A-Za-z0-9]", "-", name)
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", body)
    body = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}-\1"', body)
    return re.sub(r'(<svg\b[^>]*?)\s+height="[^"]*"', r"\1", body, count=1)


def _linked(text: str) -> Any:
    from markupsafe import Markup, escape

    safe = str(escape(text))
    return Markup(re.sub(r"\bdoi:\s?(10\.\S+?)(?=[.,;)]*(?:\s|$))", r'<a href="https://doi.org/\1">doi:\1</a>', safe))


def html_report(report: Report, svgs: Mapping[str, str]) -> str:
    """The report as HTML text.

    Parameters
    ----------
    report : what to show.
    svgs : each figure's SVG text by its name; every figure of the report must be here.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    template = files("metagrove.report").joinpath("templates/report.html").read_text(encoding="utf-8")
    style = files("metagrove.report").joinpath("templates/report.css").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["linked"] = _linked
    verdicts = [c.verdict for s in report.sections for c in s.comparisons]
    synthetic_sections = {s.name for s in report.sections if s.synthetic}
    return environment.from_string(template).render(
        report=report,
        groups=grouped(report.sections),
        alone=alone,
        methods=methods_paragraphs([s for _, group in grouped(report.sections) for s in group]),
        references=numbered_references(report.sections),
        figure=lambda name: Markup(_inline(svgs[name], name)),
        style=Markup(style),
        matched=sum(v == "match" for v in verdicts),
        compared=sum(v != "not printed" for v in verdicts),
        synthetic_sections=synthetic_sections,
        severities=("error", "warning", "note"),
    )
