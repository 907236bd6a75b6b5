"""More routers than one: where they learn they share a ledger, and who may read its URL."""

from pathlib import Path

import pytest

from tests.k8s.test_chart import BOXES, CHART, KEYS, objects, run, values
from tests.k8s.test_chart import helm as helm
from tests.k8s.test_manifests import LEDGER

TWO, BY_LOAD = "router.replicas=2", "router.autoscaling.enabled=true"
LEARNING = "router.environment.POLYDRAFT_POLICY=apply"
SHARED = "router.environment.POLYDRAFT_LEDGER=valkeys://ledger:6379/0"
REACHED = ("--set-json", f"router.allowedTo={LEDGER}")


def given(*settings: str) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        pytest.param((TWO, LEARNING), "several routers that learn want one ledger", id="two that learn apart"),
        pytest.param((BY_LOAD, LEARNING), "several routers that learn want one ledger", id="by load"),
        pytest.param((SHARED,), "let it there by router.allowedTo", id="a ledger out of reach"),
        pytest.param(("router.ledgerSecret=ledger",), "let it there by router.allowedTo", id="so is a secret one"),
        pytest.param(
            ("router.environment.POLYDRAFT_LEDGER=redis://:open@ledger:6379/0",),
            "router.ledgerSecret",
            id="a password for all to read",
        ),
        pytest.param((SHARED, "router.ledgerSecret=ledger"), "given twice", id="two ledgers"),
    ],
)
def test_what_several_routers_cannot_do_is_refused(settings: tuple[str, ...], sentence: str, helm: Path) -> None:
    done = run(helm, "template", "release", CHART, "-f", values(BOXES[0]), *KEYS, *given(*settings))
    assert done.returncode != 0
    assert sentence in done.stderr


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param((*given(TWO, LEARNING, SHARED), *REACHED), id="one ledger"),
        pytest.param((*given(TWO, LEARNING, "router.ledgerSecret=ledger"), *REACHED), id="by a secret"),
        pytest.param(given(TWO, LEARNING, SHARED, "router.restrictEgress=false"), id="out anywhere"),
        pytest.param(given(TWO, LEARNING, "router.separateLedgers=true"), id="apart, as asked for"),
        pytest.param(given(TWO), id="nothing is learned"),
    ],
)
def test_several_routers_run(settings: tuple[str, ...], helm: Path) -> None:
    assert objects(helm, BOXES[0], *settings)["Deployment", BOXES[0].name]["spec"]["replicas"] == 2


def test_a_ledger_s_password_stays_in_its_secret(helm: Path) -> None:
    box = BOXES[0]
    deployment = objects(helm, box, *given("router.ledgerSecret=ledger"), *REACHED)["Deployment", box.name]
    (router,) = deployment["spec"]["template"]["spec"]["containers"]
    (ledger,) = [variable for variable in router["env"] if variable["name"] == "POLYDRAFT_LEDGER"]
    assert ledger["valueFrom"] == {"secretKeyRef": {"name": "ledger", "key": "url"}}
    assert "value" not in ledger
