import csv
import json

import pytest
from typer.testing import CliRunner

import metagrove as mg
from known import reference
from metagrove.app.figures import digitize_files, replay
from metagrove.cli.main import app


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The outputs of two good figures and a bad one in between."""
    out = tmp_path_factory.mktemp("curves")
    bad = out.parent / "bad.png"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    vector = reference("figures/vector")
    seen = []
    paths = [vector / "kmv04p_lancet.pdf", bad, vector / "kmv05s_nejm.svg"]
    outcomes = digitize_files(paths, out, jobs=1, progress=lambda *at: seen.append(at))
    assert [(done, total) for done, total, _ in seen] == [(1, 3), (2, 3), (3, 3)]
    return out, outcomes


def test_one_bad_figure_stops_nothing(folder):
    _, outcomes = folder
    assert [o.status for o in outcomes] == ["ok", "failed", "ok"]
    assert "bad.png" in outcomes[1].reasons[0]


def test_files_hold_what_the_interface_promises(folder):
    out, _ = folder
    rows = list(csv.DictReader((out / "kmv04p_lancet.csv").read_text().splitlines()))
    assert list(rows[0]) == ["arm", "time", "survival"]
    assert (float(rows[0]["time"]), float(rows[0]["survival"])) == (0, 1)
    risk = list(csv.DictReader((out / "kmv04p_lancet.risk.csv").read_text().splitlines()))
    assert {r["n"] for r in risk if float(r["time"]) == 0} == {"42", "48", "41"}
    assert next(iter(csv.reader((out / "kmv04p_lancet.marks.csv").read_text().splitlines()))) == ["arm", "time"]
    document = json.loads((out / "kmv04p_lancet.json").read_text())
    assert (document["status"], document["reasons"], document["source"]) == ("ok", [], "vector")
    again = mg.digitize(reference("figures/vector/kmv04p_lancet.pdf"), hints={"axes": document["axes"]})
    assert [a.name for a in again.arms] == [a["name"] for a in document["arms"]]
    assert (out / "kmv04p_lancet.overlay.png").read_bytes()[:4] == b"\x89PNG"
    assert not list(out.glob("*.part"))


def test_project_file_replays_to_the_same_numbers(folder):
    out, _ = folder
    reading = replay(out / "kmv05s_nejm.project.json")
    text = [f"{r['arm']}" for r in reading.rows()]
    assert text == [r["arm"] for r in csv.DictReader((out / "kmv05s_nejm.csv").read_text().splitlines())]
    assert not (out / "kmv05s_nejm.marks.csv").exists()


def test_reading_in_python():
    reading = mg.digitize(reference("figures/vector/kmv03p_jco.pdf"))
    assert list(reading.curves) == ["arm", "time", "survival"]
    assert list(reading.at_risk)[:3] == ["arm", "time", "n"]
    assert list(reading.marks) == ["arm", "time"]
    assert (reading.status, reading.reasons) == ("ok", ())
    assert set(reading.axes) == {"x", "y"}
    assert reading.axes["y"][-1][1] <= 1
    assert reading.siblings[0].digest == reading.digest
    assert "ok" in reading.summary()


def test_command_line(tmp_path):
    vector = reference("figures/vector")
    result = CliRunner().invoke(app, ["digitize", str(vector / "kmv05p_nejm.pdf"), "--out", str(tmp_path), "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)[0]["status"] == "ok"
    missing = CliRunner().invoke(app, ["digitize", str(tmp_path / "none.png"), "--out", str(tmp_path)])
    assert missing.exit_code == 1
    assert "none.png: there is no such file" in missing.stderr
    assert missing.stdout == ""
