"""The patch series, and the image's own way to apply one: no fuzz, and nothing that upstream has already done."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from serve.deploy import images

ROOT = Path(__file__).resolve().parents[2]
SERIES = sorted((ROOT / images.PATCHES).glob("*.patch"))
BEFORE = "".join(f"line {number}\n" for number in range(1, 12))
AFTER = BEFORE.replace("line 6\n", "line six\n")
PATCH = """\
From: A <a@b>
Subject: [PATCH] vllm: spell it

Upstream: N/A: an example.
---
--- a/vllm/module.py
+++ b/vllm/module.py
@@ -3,7 +3,7 @@
 line 3
 line 4
 line 5
-line 6
+line six
 line 7
 line 8
 line 9
"""


@pytest.mark.parametrize("patch", SERIES, ids=lambda path: path.stem)
def test_a_patch_says_what_it_is_for_and_what_became_of_it_upstream(patch: Path) -> None:
    text = patch.read_text(encoding="utf-8")
    assert re.match(r"\d{4}-[a-z0-9-]+$", patch.stem)
    assert re.search(r"^Subject: \[PATCH\] \S+: ", text, re.MULTILINE)
    assert re.search(r"^Upstream: (https://\S+|N/A: \S+)", text, re.MULTILINE)
    changed = [line for line in text.splitlines() if re.match(r"[+-](?![+-]{2} )", line)]
    assert len(changed) <= 60


def apply(tmp_path: Path, content: str, series: str, label: str) -> subprocess.CompletedProcess[str]:
    """Run the Dockerfile's own step on a tree with one module."""
    if shutil.which("patch") is None:
        pytest.skip("needs patch")
    site, patches = tmp_path / "site-packages", tmp_path / "patches"
    (site / "vllm").mkdir(parents=True)
    (site / "vllm/module.py").write_text(content)
    patches.mkdir()
    if series:
        (patches / "0001-spell-it.patch").write_text(series)
    dockerfile = (ROOT / "images/engine/Dockerfile").read_text(encoding="utf-8")
    step = re.search(r"^RUN (set -eu; applied=.*?)\n(?!  )", dockerfile, re.MULTILINE | re.DOTALL)
    assert step is not None
    script = step[1].replace("\\\n", "\n").replace("/opt/polydraft/patches", str(patches))
    script = script.replace("/opt/vllm/lib/python3.12/site-packages", str(site))
    return subprocess.run(
        ["sh", "-c", script],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "PATCHES": label},
        check=False,
    )


def test_a_patch_that_fits_is_applied(tmp_path: Path) -> None:
    done = apply(tmp_path, BEFORE, PATCH, "0001-spell-it")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "site-packages/vllm/module.py").read_text() == AFTER


def test_no_patch_is_no_fault(tmp_path: Path) -> None:
    assert apply(tmp_path, BEFORE, "", "none").returncode == 0


@pytest.mark.parametrize(
    ("content", "label"),
    [
        pytest.param(BEFORE.replace("line 3\n", "line three\n"), "0001-spell-it", id="fuzz"),
        pytest.param(AFTER, "0001-spell-it", id="upstream has it"),
        pytest.param(BEFORE.replace("line 6\n", ""), "0001-spell-it", id="doesn't fit"),
        pytest.param(BEFORE, "none", id="not what the label says"),
    ],
)
def test_a_build_fails_for_a_patch_with(content: str, label: str, tmp_path: Path) -> None:
    assert apply(tmp_path, content, PATCH, label).returncode != 0
