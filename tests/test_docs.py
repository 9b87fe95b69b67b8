"""The documents are true: every command is in them, and the README's Python runs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def commands():
    from metagrove.cli.main import app

    return sorted(command.name for command in app.registered_commands)


@pytest.mark.parametrize("name", commands())
def test_every_command_is_in_the_docs(name):
    assert f"metagrove {name} " in (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", commands())
def test_every_command_has_help_with_an_example(name):
    from typer.testing import CliRunner

    from metagrove.cli.main import app

    shown = CliRunner().invoke(app, [name, "--help"])
    assert shown.exit_code == 0
    assert f"metagrove {name}" in shown.stdout.split("Example:")[1]


def test_the_readme_s_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        code = block.replace('"forest.', f'"{tmp_path}/forest.').replace('"curve.', f'"{tmp_path}/curve.')
        exec(compile(code, "README.md", "exec"), {})


@pytest.mark.parametrize("name", ["meta-analysis.md"])
def test_the_guide_s_python_runs(name):
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    scope: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
        exec(compile(block, name, "exec"), scope)
    assert "m" in scope


@pytest.mark.parametrize("path", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda p: p.name)
def test_links_between_files_lead_somewhere(path):
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{path.name} links to {target}"
