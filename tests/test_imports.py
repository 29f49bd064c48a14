"""What the catalogue loads, and who may import whom."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = (
    "mcp", "mlflow", "gradio", "langgraph", "langchain", "databricks", "sklearn", "pandas",
    "numpy", "onnxruntime", "pyarrow", "fastapi", "pypdfium2", "agent", "ui",
)  # fmt: skip


def loaded_after(code: str) -> set[str]:
    """Top-level modules in a fresh process after it ran this code."""
    script = f"import sys\n{code}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True, cwd="/"
    )
    return set(done.stdout.split())


def test_the_catalogue_loads_nothing_heavy() -> None:
    loaded = loaded_after("from databits.operation import load_catalogue; load_catalogue()")
    assert "mcp_server" in loaded, "the operations themselves"
    assert not loaded & set(HEAVY)


def test_a_workbench_opens_and_answers_without_an_engine(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from databits.actor import Actor
from databits.operation import load_catalogue
from databits.settings import Settings
from databits.workbench import connect
load_catalogue()
workbench = connect(Settings(home=Path({str(tmp_path)!r}), user="ana"))
me = Actor("ana", "admin", "test", person=True)
workbench.run("create_databit", {{"name": "a", "labels": ["x", "y"]}}, me)
workbench.run("get_pipeline", {{}}, me)
"""
    assert not loaded_after(code) & set(HEAVY)


@pytest.mark.slow
def test_imports_point_one_way_and_vendors_stay_in_their_platform() -> None:
    program = Path(sys.executable).parent / "lint-imports"
    if not program.exists():
        pytest.skip("import-linter is not installed")
    done = subprocess.run(
        [program, "--no-cache"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
