"""The monitoring's files as tests read them, and a real Prometheus that runs them before other targets."""

import importlib.util
import json
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from tests.stack.running import free_port

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "compose/prometheus/rules.yml"
CONFIG = ROOT / "compose/prometheus/prometheus.yml"
DASHBOARDS = sorted((ROOT / "compose/grafana/dashboards").glob("*.json"))
LABEL = re.compile(r"\$(lane|language)\b")


def program(name: str) -> Path:
    """The path of one of Prometheus' programs; skips the test where they can't be had."""
    spec = importlib.util.spec_from_file_location("get_prometheus", Path(__file__).with_name("get_prometheus.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if missing := module.ensure_prometheus():
        pytest.skip(f"{missing}, so alerts, dashboards and their queries are NOT tested")
    path: Path = module.BINARIES / name
    return path


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    boards = [json.loads(path.read_text()) for path in DASHBOARDS]
    return [panel for board in boards for panel in board["panels"] if panel["type"] != "row"]


def shown(window: str) -> dict[str, str]:
    """What the dashboards ask, as Grafana would send it with every variable on "All": query by panel and letter."""
    queries = {}
    for panel in panels():
        for target in panel["targets"]:
            asked = LABEL.sub(".*", target["expr"])
            asked = asked.replace("$__rate_interval", window).replace("$__range", window)
            queries[f"{panel['title']} {target['refId']}"] = asked
    return queries


@contextmanager
def scraping(folder: Path, targets: Mapping[str, list[str]]) -> Iterator[httpx2.Client]:
    """Run Prometheus with the shipped rules and jobs, every second, each job with these targets; gives its API."""
    config = yaml.safe_load(CONFIG.read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(RULES)]
    config["alerting"] = {}
    for job in config["scrape_configs"]:
        job.pop("dns_sd_configs", None)
        job["static_configs"] = [{"targets": targets.get(job["job_name"], [])}]
    path, port = folder / "prometheus.yml", free_port()
    path.write_text(yaml.safe_dump(config))
    command: list[str | Path] = [
        program("prometheus"),
        f"--config.file={path}",
        f"--storage.tsdb.path={folder / 'data'}",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        running = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log, cwd=folder
        )
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            _wait_until_ready(client, running, folder / "prometheus.log")
            yield client
    finally:
        running.terminate()
        running.wait(20)


def _wait_until_ready(client: httpx2.Client, running: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        assert running.poll() is None, log.read_text()
        try:
            if client.get("/-/ready").status_code == 200:
                return
        except httpx2.TransportError:
            pass
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


def ask(client: httpx2.Client, query: str) -> list[dict[str, Any]]:
    """What Prometheus answers to a query; fails the test if it refuses it or warns of it."""
    answer = client.post("/api/v1/query", data={"query": query}).json()
    assert answer["status"] == "success", (query, answer)
    assert not answer.get("warnings"), (query, answer)
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found
