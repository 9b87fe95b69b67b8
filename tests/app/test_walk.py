"""A folder in, a report out: the worked example, rebuilt, changed and rebuilt again."""

import csv
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from metagrove.app.workflow import rebuild

EXAMPLE = Path(__file__).parents[2] / "examples" / "atc-tki"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("walk") / "atc-tki"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("out", ".metagrove"))
    return folder, rebuild(folder)


@pytest.fixture
def folder(built, tmp_path):
    target = tmp_path / "atc-tki"
    shutil.copytree(built[0], target)
    return target


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_everything_is_made_the_first_time(built):
    folder, made = built
    assert made.fresh == ()
    assert made.report == (folder / "out" / "report.html").resolve()
    assert made.report.is_file()
    for name in ("orr", "dcr", "os", "pfs", "harms", "flow"):
        for ending in ("svg", "pdf", "png"):
            assert (folder / "out" / "figures" / f"{name}.{ending}").stat().st_size > 1000


def test_a_second_run_redoes_nothing_and_touches_nothing(folder):
    before = contents(folder)
    again = rebuild(folder)
    assert again.redone == ()
    assert again.written == ()
    assert contents(folder) == before


def test_one_changed_cell_redoes_only_what_depends_on_it(folder):
    before = contents(folder / "out")
    edit(folder / "responses.csv", "ORR,Tahara,4,17", "ORR,Tahara,5,17")
    again = rebuild(folder)
    assert set(again.redone) == {"checks", "analysis orr", "certainty", "report"}
    after = contents(folder / "out")
    assert after["figures/orr.svg"] != before["figures/orr.svg"]
    for untouched in ("figures/dcr.svg", "figures/os.svg", "results/os.json", "tables/harms.csv"):
        assert after[untouched] == before[untouched]


def test_a_changed_curve_redoes_its_arm_and_its_analyses(folder):
    edit(folder / "curves.csv", "OS,Ha,0.8089,0.91,", "OS,Ha,0.8089,0.9105,")
    again = rebuild(folder)
    arms = {name for name in again.redone if name.startswith("patients")}
    assert arms
    assert all(name.startswith("patients OS Ha ") for name in arms)
    # An arm that comes out the same makes nothing stale behind it.
    assert (
        {"checks", "report"}
        <= set(again.redone) - arms
        <= {"checks", "report", "certainty", "analysis os", "analysis os-as-published"}
    )


def test_a_changed_total_redoes_the_curve_that_rests_on_it(folder):
    edit(folder / "survival.csv", "Ha,OS,events,,9,", "Ha,OS,events,,8,")
    again = rebuild(folder)
    assert {"analysis os", "analysis os-as-published"} <= set(again.redone)
    assert not {"analysis pfs", "analysis orr", "analysis harms"} & set(again.redone)


def test_out_is_disposable(folder):
    before = contents(folder / "out")
    shutil.rmtree(folder / "out")
    assert rebuild(folder).redone == ()
    assert contents(folder / "out") == before


def test_files_that_nobody_makes_any_more_are_removed(folder):
    text = (folder / "review.toml").read_text(encoding="utf-8")
    (folder / "review.toml").write_text(
        text[: text.index("[[analysis]]", text.index('name = "harms"') - 40)], encoding="utf-8"
    )
    (folder / "out" / "mine.txt").write_text("kept")
    rebuild(folder)
    assert not (folder / "out" / "figures" / "harms.svg").exists()
    assert (folder / "out" / "mine.txt").read_text() == "kept"


def test_every_printed_number_of_the_response_figure_comes_out(built):
    from metagrove.review.folder import open_review

    page = json.loads((built[0] / "out" / "results" / "orr.json").read_text())
    assert page["reporting_scale"]["TE_random"] == pytest.approx(0.0873293765870738, rel=1e-7)
    review = open_review(built[0])
    wanted = [row for row in review.rows("published") if row.text("analysis") in ("orr", "dcr")]
    assert len(wanted) >= 40
    html = built[1].report.read_text(encoding="utf-8")
    for title in ("Objective response rate", "Disease control rate"):
        table = re.search(rf"<caption>{title}</caption>(.*?)</table>", html, flags=re.DOTALL).group(1)
        verdicts = re.findall(r'<td class="(match|differs|not)"', table)
        assert set(verdicts) == {"match"}
    assert html.count('<td class="match">') >= len(wanted)


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.ids, self.anchors, self.loads, self.captions, self.open = [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if "id" in attrs:
            self.ids.append(attrs["id"])
        if tag == "a" and attrs.get("href", "").startswith("#"):
            self.anchors.append(attrs["href"][1:])
        if tag in ("script", "img", "iframe", "object", "link", "image"):
            self.loads.append((tag, attrs))
        self.open.append(tag)

    def handle_data(self, data):
        if self.open and self.open[-1] == "figcaption" and data.strip():
            self.captions.append(data.strip())

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass


@pytest.fixture(scope="module")
def page(built):
    parser = _Page()
    parser.feed(built[1].report.read_text(encoding="utf-8"))
    return parser


def test_the_report_stands_alone(built, page):
    text = built[1].report.read_text(encoding="utf-8")
    assert page.loads == []
    assert not re.search(r"url\((?!#)", text)
    assert "@import" not in text


def test_ids_are_unique_and_links_lead_somewhere(page):
    assert len(page.ids) == len(set(page.ids))
    assert set(page.anchors) <= set(page.ids)


def test_figures_are_captioned(page):
    starts = [caption.split()[0:4] for caption in page.captions]
    assert sum(start[:2] == ["Forest", "plot"] for start in starts) == 3
    assert sum(start[:3] == ["Pooled", "survival", "curve"] for start in starts) == 4


def test_synthetic_says_so_wherever_it_shows(built):
    html = built[1].report.read_text(encoding="utf-8")
    for name in ("os", "pfs", "os-as-published", "pfs-as-published"):
        assert "SYNTHETIC" in (built[0] / "out" / "figures" / f"{name}.svg").read_text(encoding="utf-8")
        assert json.loads((built[0] / "out" / "results" / f"{name}.json").read_text())["synthetic"] is True
    assert html.count("SYNTHETIC") >= 16
    assert "SYNTHETIC" not in (built[0] / "out" / "figures" / "orr.svg").read_text(encoding="utf-8")


def test_small_numbers_of_studies_are_said_aloud(built):
    html = built[1].report.read_text(encoding="utf-8")
    assert "fewer than 10" in html
    assert "Egger" in html


def test_written_tables_are_safe_in_a_spreadsheet(built):
    for path in (built[0] / "out").rglob("*.csv"):
        with path.open(encoding="utf-8", newline="") as stream:
            for row in csv.reader(stream):
                for cell in row:
                    assert cell[:1] not in ("=", "+", "@", "\t") and (cell[:1] != "-" or float(cell) < 0)


def test_an_interrupted_run_keeps_what_was_done(tmp_path):
    target = tmp_path / "review"
    shutil.copytree(EXAMPLE, target, ignore=shutil.ignore_patterns("out", ".metagrove"))

    def stop(name, done, total):
        if name == "checks":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild(target, progress=stop)
    assert not (target / "out").exists()
    again = rebuild(target)
    assert {name for name in again.fresh if name.startswith("patients")}
    assert "checks" in again.redone


def test_nothing_outside_out_is_ever_removed(folder):
    manifest = folder / "out" / "manifest.json"
    for damage in ('{"files": ["../review.toml", "/etc/hostname", 3]}', "[1, 2]", '{"files": 5}'):
        manifest.write_text(damage)
        rebuild(folder)
        assert (folder / "review.toml").is_file()


def test_a_damaged_store_counts_as_not_made(folder):
    for path in (folder / ".metagrove" / "work").glob("??/*.json"):
        path.write_text("{}")
    assert "analysis orr" in rebuild(folder).redone


def test_a_common_effect_is_what_the_report_says_everywhere(folder):
    edit(folder / "review.toml", 'denominators = ["enrolled", "safety"]', "common = true\nrandom = false")
    rebuild(folder)
    html = (folder / "out" / "report.html").read_text(encoding="utf-8")
    section = html[html.index('<h3 id="orr">') : html.index('<h3 id="dcr">')]
    assert "8% (95% CI 4 to 14)" in section
    assert "8.2%" in section
    assert "Random effects" not in (folder / "out" / "figures" / "orr.svg").read_text(encoding="utf-8")


def test_counts_of_another_population_stay_out_and_are_named(folder):
    edit(folder / "responses.csv", "ORR,Ha,2,8,evaluable", "ORR,Ha,5,11,enrolled")
    rebuild(folder)
    html = (folder / "out" / "report.html").read_text(encoding="utf-8")
    section = html[html.index('<h3 id="orr">') : html.index('<h3 id="dcr">')]
    assert "Ha 2010: reported among enrolled patients, not among evaluable" in section
    assert "5/8" not in section
    table = re.search(r"<caption>Objective response rate</caption>(.*?)</table>", html, flags=re.DOTALL).group(1)
    assert "no such subgroup here" in table


def test_a_population_that_is_none_is_refused(folder):
    from metagrove.core.errors import DataError

    edit(folder / "responses.csv", "ORR,Ha,2,8,evaluable", "ORR,Ha,2,8,evaluble")
    with pytest.raises(
        DataError, match=r"row 2, column 'population': 'evaluble' is no population.*nearest: 'evaluable'"
    ):
        rebuild(folder)


def test_an_excluded_study_does_not_stop_what_was_printed_of_it(folder):
    text = (folder / "review.toml").read_text(encoding="utf-8")
    first = text.index('outcome = "ORR"')
    more = 'outcome = "ORR"\nexclude = [{ study = "Ha", reason = "another disease" }]'
    (folder / "review.toml").write_text(text[:first] + more + text[first + len('outcome = "ORR"') :], encoding="utf-8")
    rebuild(folder)
    html = (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert "Ha 2010: another disease" in html
