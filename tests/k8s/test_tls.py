"""A router that speaks HTTPS alone: whoever asks it inside the cluster does too."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest

from serve.routing.lane import Lane
from tests.k8s.test_chart import BOXES, CHART, KEYS, objects, run, values
from tests.k8s.test_chart import helm as helm
from tests.k8s.test_manifests import EVERYTHING, SERVICE_MONITOR, VERSIONS
from tests.serve import double
from tests.serve.test_probe import probed, secured

BOX = BOXES[0]
TLS = ("--set", "router.tlsSecret=certificate")


def router(helm: Path, *arguments: str) -> dict[str, Any]:
    spec: dict[str, Any] = objects(helm, BOX, *arguments)["Deployment", BOX.name]["spec"]["template"]["spec"]
    return spec


def test_probes_ask_as_the_router_answers(helm: Path) -> None:
    plain, tls = (router(helm, *given)["containers"][0] for given in ((), TLS))
    assert "scheme" not in plain["readinessProbe"]["httpGet"]
    assert tls["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http", "scheme": "HTTPS"}
    assert tls["livenessProbe"] == plain["livenessProbe"], "serve.probe takes both"


def test_the_certificate_is_the_secret_s(helm: Path) -> None:
    pod = router(helm, *TLS)
    (container,) = pod["containers"]
    given = {each["name"]: each.get("value") for each in container["env"]}
    mount = next(each for each in container["volumeMounts"] if each["name"] == "tls")
    assert {"name": "tls", "secret": {"secretName": "certificate"}} in pod["volumes"]
    assert mount["readOnly"] is True
    files = (given["POLYDRAFT_TLS_CERT_FILE"], given["POLYDRAFT_TLS_KEY_FILE"])
    assert files == (f"{mount['mountPath']}/tls.crt", f"{mount['mountPath']}/tls.key")


@pytest.mark.parametrize("version", VERSIONS[::7])
def test_kubernetes_and_prometheus_operator_take_it(version: str, helm: Path) -> None:
    rendered = objects(helm, BOX, *EVERYTHING, *TLS)
    for (kind, _), document in rendered.items():
        if kind != "ServiceMonitor":
            kubernetes_validate.validate(document, version, strict=True)
    monitor = rendered["ServiceMonitor", BOX.name]
    jsonschema.validate(monitor, json.loads(SERVICE_MONITOR.read_text()))
    assert monitor["spec"]["endpoints"][0]["scheme"] == "https"
    assert rendered["Service", BOX.name]["spec"]["ports"][0]["appProtocol"] == "https"


def test_helm_test_asks_a_router_that_speaks_https_alone(
    helm: Path, loop: double.Loop, body: double.Engine, tmp_path: Path
) -> None:
    """The very program that the pod runs, at a real router."""
    (container,) = objects(helm, BOX, *TLS)["Pod", f"{BOX.name}-ready"]["spec"]["containers"]
    (program,) = container["args"]
    wanted = double.settings((Lane("body", body.url),), **secured(tmp_path, tls=True, keyed=True))
    with double.router(loop, wanted) as url:
        port = int(url.rpartition(":")[2])
        double.until(lambda: probed(port) == 0)
        asked, changed = re.subn(rf"https://{BOX.name}:[0-9]+/", f"https://127.0.0.1:{port}/", program)
        assert changed == 1
        done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "{'body': True}"), done.stderr


@pytest.mark.parametrize("name", ["POLYDRAFT_TLS_CERT_FILE", "POLYDRAFT_TLS_KEY_FILE"])
def test_a_file_that_no_pod_has_is_refused(name: str, helm: Path) -> None:
    done = run(helm, "template", "r", CHART, "-f", values(BOX), *KEYS, "--set", f"router.environment.{name}=/tls/file")
    assert done.returncode != 0
    assert "router.tlsSecret" in done.stderr
