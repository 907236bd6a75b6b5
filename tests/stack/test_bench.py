"""A measurement of a real engine with two lanes: its drafter knows English by heart, and one draft brings less."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stack.one_engine import Served

pytestmark = pytest.mark.engine


def test_measures_a_real_engine_with_every_draft_length(served: Served, tmp_path: Path) -> None:
    output = tmp_path / "results"
    asked = ("--prompts", "demo", "--languages", "en", "--max-tokens", "40", "--draft-tokens", "1", "--raw")
    command = [sys.executable, "-m", "serve", "bench", served.router, "--output", str(output), *asked]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stderr
    results = json.loads((output / "results.json").read_text())
    chat = {
        (each["lane"], each["forced_draft_tokens"]): each
        for each in results["figures"]
        if (each["endpoint"], each["language"]) == ("chat", "en")
    }
    assert chat["eagle3", None]["draft_tokens"] == 3
    assert chat["eagle3", None]["acceptance_length"] > 2.5
    assert chat["eagle3", None]["prompts"] >= 5
    assert (chat["eagle3", 1]["draft_tokens"], len(chat["eagle3", 1]["accepted_by_position"])) == (1, 1)
    assert 1.5 < chat["eagle3", 1]["acceptance_length"] <= 2
    assert (chat["body", None]["draft_tokens"], chat["body", None]["acceptance_length"]) == (0, None)
    assert chat["eagle3", None]["gain_over_body"]["value"] > 1
    assert {each["lane"] for each in results["raw"]} == {"body", "eagle3"}
    assert json.loads((output / "table.json").read_text())[0]["language"] == "en"
