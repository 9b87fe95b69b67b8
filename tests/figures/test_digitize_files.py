import csv
import json
import os

import pytest
from typer.testing import CliRunner

import metagrove as mg
from known import reference
from metagrove.app.figures import digitize_files, replay
from metagrove.app.processes import in_parallel
from metagrove.cli.main import app
from metagrove.core.errors import DataError


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


VECTOR = ("kmv05p_nejm.pdf", "kmv05s_nejm.svg", "kmv03p_jco.pdf")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_second_call_keeps_what_is_whole_and_reads_the_rest(tmp_path):
    paths = [reference("figures/vector") / name for name in VECTOR[:2]]
    first = digitize_files(paths, tmp_path, jobs=1)
    before = contents(tmp_path)
    assert [o.kept for o in first] == [False, False]
    (tmp_path / "kmv05s_nejm.csv").write_text("arm,time,survival\n")
    again = digitize_files(paths, tmp_path, jobs=1)
    assert [o.kept for o in again] == [True, False]
    assert [(o.stem, o.status, o.arms) for o in again] == [(o.stem, o.status, o.arms) for o in first]
    assert contents(tmp_path) == before
    told = digitize_files(paths, tmp_path, jobs=1, hints={"direction": "survival"})
    assert [o.kept for o in told] == [False, False]


def test_an_interruption_loses_no_figure_that_was_done(tmp_path):
    paths = [reference("figures/vector") / name for name in VECTOR]

    def stop(done, total, name):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        digitize_files(paths, tmp_path, jobs=1, progress=stop)
    assert {p.name for p in tmp_path.glob("*.project.json")} == {f"{n[:-4]}.project.json" for n in VECTOR[:2]}
    assert [o.kept for o in digitize_files(paths, tmp_path, jobs=1)] == [True, True, False]


def _mortal(piece, threads):
    if piece == "dies":
        os._exit(9)
    return piece.upper()


def test_a_process_that_dies_takes_nobody_along():
    made = {}
    work = list(enumerate(["a", "dies", "b", "c"]))
    in_parallel(_mortal, work, 2, finish=made.__setitem__, lost=lambda piece: f"lost {piece}")
    assert made == {0: "A", 1: "lost dies", 2: "B", 3: "C"}


def test_two_processes_write_what_one_does(tmp_path):
    paths = [reference("figures/vector") / name for name in VECTOR[:2]]
    digitize_files(paths, tmp_path / "one", jobs=1)
    digitize_files(paths, tmp_path / "two", jobs=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_what_is_no_figure_leaves_nothing_behind(tmp_path):
    (tmp_path / "a folder").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "report.docx").write_bytes(b"PK\x03\x04 and so on")
    names = {
        "none.png": "there is no such file",
        "a folder": "is a folder",
        "pipe.png": "no ordinary file",
        "report.docx": "Word, Excel or zip",
    }
    arguments = ["digitize", *(str(tmp_path / name) for name in names), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == len(names)
    for line, (name, said) in zip(lines, names.items(), strict=True):
        assert name in line
        assert said in line
    assert not (tmp_path / "out").exists()


def test_exit_code_and_json_of_a_mixed_call(tmp_path):
    good = reference("figures/vector/kmv05p_nejm.pdf")
    arguments = ["digitize", str(good), str(tmp_path / "none.png"), "--out", str(tmp_path / "out"), "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1
    assert [(o["status"], o["kept"]) for o in json.loads(done.stdout)] == [("ok", False), ("failed", False)]
    assert "none.png" in done.stderr
    (tmp_path / "hints.json").write_text("{")
    done = CliRunner().invoke(app, [*arguments, "--hints", str(tmp_path / "hints.json")])
    assert done.exit_code == 1
    assert "line 1" in json.loads(done.stdout)["error"]
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="names a folder"):
        digitize_files([good], tmp_path / "file")


def test_stems_never_meet(tmp_path):
    content = reference("figures/vector/kmv05s_nejm.svg").read_bytes()
    (tmp_path / "a").mkdir()
    for name in ("x.svg", "x.SVG", "a/x.svg"):
        (tmp_path / name).write_bytes(content)
    made = digitize_files([tmp_path / n for n in ("x.svg", "x.SVG", "a/x.svg")], tmp_path / "out", jobs=1)
    assert len({o.stem for o in made}) == 3
    assert len(list((tmp_path / "out").glob("*.project.json"))) == 3
