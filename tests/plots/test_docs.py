import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "plots.md"


def test_every_example_of_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.S)
    assert len(blocks) >= 4
    names = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert {path.suffix for path in tmp_path.iterdir()} == {".svg", ".pdf", ".tiff"}
