"""The engine's set-up: what it decides, and that the environment at hand is what it would make."""

import importlib.util
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "images" / "engine" / "setup_cpu.py"
WANTED = "2.13.0+cpu"


@pytest.fixture(scope="module")
def setup_cpu() -> ModuleType:
    spec = importlib.util.spec_from_file_location("setup_cpu", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("printed", "options"),
    [
        pytest.param("torch (2.15.0)\nAvailable versions: 2.15.0, 2.13.0+cpu, 2.13.0\n", [], id="pip finds it"),
        pytest.param(
            "torch (2.15.0)\nAvailable versions: 2.15.0, 2.13.0\n  INSTALLED: 2.13.0+cpu\n",
            ["--extra-index-url", "https://download.pytorch.org/whl/cpu"],
            id="pip finds other builds alone",
        ),
        pytest.param("", ["--extra-index-url", "https://download.pytorch.org/whl/cpu"], id="pip finds nothing"),
    ],
)
def test_takes_pytorchs_own_index_only_where_pip_finds_no_cpu_build(
    setup_cpu: ModuleType, printed: str, options: list[str]
) -> None:
    assert setup_cpu.index_options(printed, WANTED) == options


def test_the_lock_names_the_cpu_build_and_no_cuda_build(setup_cpu: ModuleType) -> None:
    names = {line.split("==")[0] for line in setup_cpu.LOCK.read_text().splitlines() if "==" in line}
    assert setup_cpu.locked_torch(setup_cpu.LOCK.read_text()) == WANTED
    assert not names & {"torchaudio", "torchcodec", "torchvision", "triton"}
    assert not {name for name in names if name.startswith(("nvidia", "cuda"))}


def test_a_lock_without_torch_is_refused(setup_cpu: ModuleType) -> None:
    with pytest.raises(setup_cpu.SetupError, match="resolve it again"):
        setup_cpu.locked_torch("numpy==2.3.5\n")


def test_a_digest_follows_content_and_names_but_not_what_python_leaves_behind(
    setup_cpu: ModuleType, tmp_path: Path
) -> None:
    source = tmp_path / "plugin"
    (source / "__pycache__").mkdir(parents=True)
    (source / "module.py").write_text("one")
    first = setup_cpu.digest([source])
    (source / "__pycache__" / "module.pyc").write_text("anything")
    assert setup_cpu.digest([source]) == first
    (source / "module.py").write_text("two")
    changed = setup_cpu.digest([source])
    (source / "module.py").rename(source / "other.py")
    assert len({first, changed, setup_cpu.digest([source]), setup_cpu.digest([source], "3.11.7")}) == 4


@pytest.mark.parametrize(
    ("has_venv", "has_library", "says"),
    [
        pytest.param(False, True, r"apt-get install python3\.11-venv$", id="the venv module"),
        pytest.param(True, False, r"apt-get install libnuma1$", id="a shared library"),
        pytest.param(False, False, r"apt-get install python3\.11-venv libnuma1$", id="both"),
    ],
)
def test_without_apt_what_the_system_lacks_is_one_line(
    setup_cpu: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, has_venv: bool, has_library: bool, says: str
) -> None:
    monkeypatch.setattr(setup_cpu, "has_venv", lambda: has_venv)
    monkeypatch.setattr(setup_cpu, "has_library", lambda name: has_library)
    monkeypatch.setattr(setup_cpu.shutil, "which", lambda name: None)
    with pytest.raises(setup_cpu.SetupError, match=says):
        setup_cpu.require_packages(setup_cpu.Progress(), tmp_path / "log")


def test_a_library_is_looked_up_for_real(setup_cpu: ModuleType) -> None:
    assert setup_cpu.has_library("libc.so.6")
    assert not setup_cpu.has_library("libnowhere.so.1")


def test_another_machine_is_refused_before_anything_is_made(
    setup_cpu: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(setup_cpu.platform, "machine", lambda: "aarch64")
    assert setup_cpu.main([str(tmp_path / "venv")]) == 1
    assert "x86_64" in capsys.readouterr().err
    assert not (tmp_path / "venv").exists()


def test_a_folder_that_is_no_environment_is_left_alone(
    setup_cpu: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    precious = tmp_path / "letter.txt"
    precious.write_text("dear")
    assert setup_cpu.main([str(tmp_path)]) == 1
    assert "no environment" in capsys.readouterr().err
    assert precious.read_text() == "dear"


def test_a_failing_command_is_told_in_one_line(setup_cpu: ModuleType, tmp_path: Path) -> None:
    script = "import sys; print('ERROR: no such wheel'); sys.exit(1)"
    with pytest.raises(setup_cpu.SetupError, match="no such wheel") as told:
        setup_cpu.run([sys.executable, "-c", script], tmp_path / "log")
    assert "\n" not in str(told.value)


@pytest.mark.engine
def test_a_second_set_up_has_nothing_to_do() -> None:
    started = time.monotonic()
    done = subprocess.run(
        ["python3", SCRIPT, ".venv-engine"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=900
    )
    assert "was ready" in done.stdout, "the environment is older than the lock, the plugin or the set-up: it is new now"
    assert time.monotonic() - started < 5
