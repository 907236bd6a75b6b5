"""What make would run, by its own dry run."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import get_tools

ROOT = Path(__file__).resolve().parents[1]


def would_run(*words: str) -> str:
    make = shutil.which("make")
    assert make is not None
    done = subprocess.run([make, "-C", ROOT, "--dry-run", *words], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("target", ["test", "fast", "engine-test", "screenshots"])
def test_one_script_alone_gets_debian_s_packages(target: str) -> None:
    said = would_run(target)
    assert "tests/get_tools.py" in said
    assert "--no-install-recommends" not in said


def test_a_box_with_a_gpu_gets_no_engine_for_the_cpu() -> None:
    said = would_run("--what-if", "pyproject.toml", "router")
    assert "requirements.txt" in said
    assert "setup_cpu.py" not in said


def test_rendered_files_are_checked_with_helm() -> None:
    """Without it the manifests are left alone, and `ok` would say nothing of them."""
    assert "tests/k8s/get_helm.py" in would_run("--what-if", "tests/k8s/get_helm.py", "check")


def test_a_package_without_a_program_is_known_by_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "there.ttc"
    there.touch()
    monkeypatch.setattr(get_tools, "PACKAGES", {str(there): "one-font", str(tmp_path / "missing.ttc"): "other-font"})
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    get_tools.main()
    assert capsys.readouterr().out.strip().endswith("apt-get install other-font")


def test_the_browser_s_fonts_are_among_them() -> None:
    assert {"chromium", "fonts-noto-cjk"} <= set(get_tools.PACKAGES.values())
