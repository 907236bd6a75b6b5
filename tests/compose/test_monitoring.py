"""Alerts, dashboards and the queries in both, on the real promtool, amtool and Prometheus before a real router."""

import asyncio
import itertools
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from serve.deploy.monitoring import ENGINE_ALIAS, ROUTER_ALIAS
from serve.routing.lane import Lane
from tests.compose.prometheus import CONFIG, DASHBOARDS, ROOT, RULES, ask, panels, program, rules, scraping, shown
from tests.serve import double
from tests.stack.running import free_port

RULES_TEST = Path(__file__).with_name("rules_test.yml")
COMPOSE = Path(sys.executable).with_name("docker-compose")
ALERTS = [rule["alert"] for rule in rules() if "alert" in rule]
NEEDS_AN_ENGINE = "vllm:"
OF_THE_MACHINE = ("HostMemoryLow", "HostMemoryNearlyGone", "RouterHeldUp")
NEVER_HERE = ("polydraft_drifts_total", "ALERTS{")  # nothing drifts and nothing is wrong in these tests


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def understood() -> dict[str, Any]:
    environment = {"PATH": "/usr/bin:/bin", "DOCKER_HOST": "unix:///nowhere", "HOME": "/nonexistent"}
    command: list[str | Path] = [COMPOSE, "-f", ROOT / "compose.yaml", "--profile", "monitoring", "--profile", "gb10"]
    done = subprocess.run(
        [*command, "config", "--format", "json"], capture_output=True, text=True, env=environment, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)["services"]
    return found


def test_every_alert_fires_when_it_should_and_not_before() -> None:
    done = run(program("promtool"), "test", "rules", RULES_TEST)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("alert", ALERTS)
def test_promtool_is_asked_when_it_fires(alert: str) -> None:
    asked = [each for test in yaml.safe_load(RULES_TEST.read_text())["tests"] for each in test["promql_expr_test"]]
    assert any(f'"{alert}"' in each["expr"] and each["exp_samples"] for each in asked)


def test_every_alert_says_what_is_wrong_and_how_bad_it_is() -> None:
    for rule in rules():
        if "alert" in rule:
            assert rule["labels"]["severity"] in ("info", "warning", "critical")
            assert rule["annotations"].keys() == {"summary", "description"}


@pytest.mark.parametrize("alert", ALERTS)
def test_the_docs_say_when_it_fires(alert: str) -> None:
    assert f"`{alert}`" in (ROOT / "docs/metrics.md").read_text()


def test_prometheus_and_alertmanager_accept_their_files() -> None:
    for command in (
        (program("promtool"), "check", "config", CONFIG),
        (program("promtool"), "check", "rules", RULES),
        (program("amtool"), "check-config", ROOT / "compose/alertmanager/alertmanager.yml"),
    ):
        done = run(*command)
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_scraped_is_there_under_that_name() -> None:
    services = understood()
    aliases = {name: service["networks"]["default"] for name, service in services.items()}
    assert aliases["gb10"] == {"aliases": [ROUTER_ALIAS]}
    assert aliases["gb10-engine"] == {"aliases": [ENGINE_ALIAS]}
    names = re.findall(r"names: \[(.+?)\]", CONFIG.read_text())
    assert names == [ROUTER_ALIAS, ENGINE_ALIAS]
    hosts = re.findall(r'targets: \["(.+?):', CONFIG.read_text())
    assert set(hosts) - {"127.0.0.1"} <= services.keys()


def test_monitoring_has_no_privileges_and_is_published_to_this_machine_alone() -> None:
    for name in ("prometheus", "alertmanager", "node-exporter", "grafana"):
        service = understood()[name]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["read_only"] is True
        assert {port["host_ip"] for port in service.get("ports", [])} <= {"127.0.0.1"}
        assert all(mount["read_only"] for mount in service.get("volumes", []) if mount["type"] == "bind")
        for mount in service.get("volumes", []):
            assert mount["type"] == "volume" or Path(mount["source"]).is_dir()


def test_panels_have_a_place_and_an_id_of_their_own() -> None:
    for path in DASHBOARDS:
        board = json.loads(path.read_text())
        ids = [panel["id"] for panel in board["panels"]]
        cells = [
            (column, row)
            for panel in board["panels"]
            for column in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
            for row in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
        ]
        assert len(set(ids)) == len(ids)
        assert len(set(cells)) == len(cells)
        assert max(column for column, _ in cells) < 24


def test_panels_read_the_data_source_that_is_provisioned() -> None:
    provisioned = yaml.safe_load((ROOT / "compose/grafana/provisioning/datasources/prometheus.yaml").read_text())
    uids = {source["uid"] for source in provisioned["datasources"]}
    asked = {target["datasource"]["uid"] for panel in panels() for target in panel["targets"]}
    assert asked == uids


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grafana's own schema of a dashboard, made out of its types; skips where npm can't get them."""
    for name in ("node", "npm"):
        if shutil.which(name) is None:
            pytest.skip(f"no {name} (Debian: apt-get install nodejs npm), so dashboards are NOT held against a schema")
    folder = ROOT / ".cache/grafana"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(ROOT / "tests/grafana" / name, folder / name)
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    installed = subprocess.run(["npm", "ci", *options], cwd=folder, capture_output=True, text=True, check=False)
    if installed.returncode:
        pytest.skip(f"npm can't get Grafana's schema, so dashboards are NOT held against it: {installed.stderr[:300]}")
    (folder / "tsconfig.json").write_text('{"compilerOptions": {"skipLibCheck": true, "moduleResolution": "node"}}')
    types = "node_modules/@grafana/schema/dist/types/raw/dashboard/x/types.gen.d.ts"
    made = tmp_path_factory.mktemp("schema") / "dashboard.json"
    command = ["node_modules/.bin/ts-json-schema-generator", "--path", types, "--type", "Dashboard", "--no-type-check"]
    done = subprocess.run(
        [*command, "--tsconfig", "tsconfig.json", "-o", made], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return made


def test_dashboards_follow_grafanas_schema(schema: Path, tmp_path: Path) -> None:
    check = Path(sys.executable).with_name("check-jsonschema")
    done = run(check, "--schemafile", schema, *DASHBOARDS)
    assert done.returncode == 0, done.stdout
    broken = json.loads(DASHBOARDS[0].read_text())
    broken["panels"][1]["gridPos"]["x"] = "left"
    (tmp_path / "broken.json").write_text(json.dumps(broken))
    assert run(check, "--schemafile", schema, tmp_path / "broken.json").returncode != 0


@pytest.fixture(scope="module")
def scraped(loop: double.Loop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """Prometheus' API, after some seconds of requests of many kinds before engine doubles."""
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    exporter = subprocess.Popen(
        [program("prometheus-node-exporter"), f"--web.listen-address=127.0.0.1:{port}"], stderr=subprocess.DEVNULL
    )
    try:
        with double.engine(loop) as body, double.engine(loop) as mtp:
            body.behaviour = mtp.behaviour = slowly
            lanes = (Lane("body", body.url), Lane("mtp", mtp.url, "mtp", 2))
            wanted = double.settings(lanes, policy="apply", max_running=1)
            with double.router(loop, wanted) as url, httpx2.Client(base_url=url, timeout=20) as client:
                double.until(lambda: client.get("/readyz").json()["lanes"] == {"body": True, "mtp": True})
                targets = {"polydraft-router": [url.removeprefix("http://")], "host": [f"127.0.0.1:{port}"]}
                with scraping(folder, targets) as prometheus:
                    double.until(lambda: bool(ask(prometheus, 'up{job="polydraft-router"} == 1')), 30)
                    for _ in range(4):
                        many_kinds_of_requests(client)
                        time.sleep(1.1)  # so that a scrape comes in between
                    yield prometheus
    finally:
        exporter.terminate()
        exporter.wait(10)


@pytest.fixture(scope="module")
def loop() -> Iterator[double.Loop]:
    running = double.Loop()
    yield running
    running.close()


async def slowly(exchange: double.Exchange) -> None:
    await asyncio.sleep(0.03)
    await double.answer(exchange)


def many_kinds_of_requests(client: httpx2.Client) -> None:
    """Each of the good ones twice at once, so that one waits for the other."""
    with ThreadPoolExecutor(2) as pool:
        for payload in payloads() * 2:
            pool.submit(client.post, "/v1/chat/completions", json=payload)
    assert client.post("/v1/chat/completions", json={**payloads()[0], "model": "another"}).status_code == 404
    client.get("/v1/models", headers={"host": "evil.example"})


def payloads() -> list[dict[str, Any]]:
    texts = ("Explain what speculative decoding is.", "请用中文解释什么是推测解码。")
    return [
        {"model": model, "messages": [{"role": "user", "content": text}], "stream": stream}
        for text, model, stream in itertools.product(texts, ("demo@body", "demo@mtp", "demo"), (True, False))
    ]


@pytest.mark.parametrize("panel", shown("30s"))
def test_a_panel_shows_something(panel: str, scraped: httpx2.Client) -> None:
    query = shown("30s")[panel]
    found = ask(scraped, query)
    if not any(name in query for name in (NEEDS_AN_ENGINE, *NEVER_HERE)):
        assert found, query
        assert all(float(each["value"][1]) == float(each["value"][1]) for each in found), "not a number"


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_prometheus_runs_the_rule(rule: dict[str, Any], scraped: httpx2.Client) -> None:
    found = ask(scraped, rule["expr"])
    if rule.get("alert", OF_THE_MACHINE[0]) not in OF_THE_MACHINE:
        assert found == [], "nothing is wrong here"


def test_prometheus_reports_no_rule_as_broken(scraped: httpx2.Client) -> None:
    groups = scraped.get("/api/v1/rules").json()["data"]["groups"]
    evaluated = [rule for group in groups for rule in group["rules"]]
    assert len(evaluated) == len(rules())
    assert {rule["health"] for rule in evaluated} == {"ok"}, [rule.get("lastError") for rule in evaluated]
