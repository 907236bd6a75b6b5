"""Renders compose/monitoring.yaml: Prometheus, Alertmanager, Grafana and an exporter of the host's memory.

Pure: pins in, document out. What they scrape, alert on and show stands in files beside the document, which they read;
none of them is reachable from another machine, and none needs a privilege.
"""

from typing import Any

from serve.deploy.pins import Pins

PROFILE = "monitoring"
ROUTER_ALIAS = "polydraft-router"
ENGINE_ALIAS = "polydraft-engine"
"""Names in Compose's network under which Prometheus finds all routers and all engines, whatever profiles run."""

_TSDB, _STATE, _GRAFANA = "prometheus-data", "alertmanager-data", "grafana-data"


def monitoring_file(pins: Pins) -> dict[str, Any]:
    """Return the Compose document; raises ConfigError for a pin that isn't there."""
    services = {
        "prometheus": _prometheus(),
        "alertmanager": _alertmanager(),
        "node-exporter": _node_exporter(),
        "grafana": _grafana(),
    }
    images = {name: {"image": pins.get("images", name).reference} for name in services}
    whole = {
        name: {"profiles": [PROFILE], **images[name], **service, **_common()} for name, service in services.items()
    }
    return {"services": whole, "volumes": {name: {} for name in (_TSDB, _STATE, _GRAFANA)}}


def _prometheus() -> dict[str, Any]:
    return {
        "command": [
            "--config.file=/etc/prometheus/prometheus.yml",
            "--storage.tsdb.path=/prometheus",
            "--storage.tsdb.retention.time=30d",
            "--storage.tsdb.retention.size=8GB",
        ],
        "ports": ["127.0.0.1:${PROMETHEUS_PORT:-9090}:9090"],
        "volumes": ["./prometheus:/etc/prometheus:ro", f"{_TSDB}:/prometheus"],
        "healthcheck": _healthcheck("http://127.0.0.1:9090/-/ready"),
        "mem_limit": "2g",
    }


def _alertmanager() -> dict[str, Any]:
    return {
        "command": [
            "--config.file=/etc/alertmanager/alertmanager.yml",
            "--storage.path=/alertmanager",
            "--cluster.listen-address=",  # it is alone; otherwise it listens for others
        ],
        "ports": ["127.0.0.1:${ALERTMANAGER_PORT:-9093}:9093"],
        "volumes": ["./alertmanager:/etc/alertmanager:ro", f"{_STATE}:/alertmanager"],
        "healthcheck": _healthcheck("http://127.0.0.1:9093/-/ready"),
        "mem_limit": "256m",
    }


def _node_exporter() -> dict[str, Any]:
    # /proc/meminfo and its neighbours are the host's in every container: nothing of the host is mounted. Files such as
    # /etc/hosts are, by Docker itself, out of its own folder: their file system is the disk of images and volumes.
    names = ("disable-defaults", "meminfo", "vmstat", "pressure", "loadavg", "filesystem")
    collectors = [f"--collector.{name}" for name in names]
    return {"command": collectors, "mem_limit": "128m"}


def _grafana() -> dict[str, Any]:
    settings = {  # dashboards come from files, so nobody has to log in, and nobody can
        "GF_AUTH_ANONYMOUS_ENABLED": "true",
        "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer",
        "GF_AUTH_BASIC_ENABLED": "false",
        "GF_AUTH_DISABLE_LOGIN_FORM": "true",
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "GF_PLUGINS_PREINSTALL_DISABLED": "true",
    }
    return {
        "environment": settings,
        "ports": ["127.0.0.1:${GRAFANA_PORT:-3000}:3000"],
        "volumes": [
            "./grafana/provisioning:/etc/grafana/provisioning:ro",
            "./grafana/dashboards:/etc/grafana/dashboards:ro",
            f"{_GRAFANA}:/var/lib/grafana",
        ],
        "depends_on": {"prometheus": {"condition": "service_started"}},
        "healthcheck": _healthcheck("http://127.0.0.1:3000/api/health"),
        "mem_limit": "512m",
    }


def _common() -> dict[str, Any]:
    return {
        "restart": "unless-stopped",
        "read_only": True,
        "tmpfs": ["/tmp:size=256m"],  # noqa: S108 a path in the container
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "pids_limit": 256,
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
    }


def _healthcheck(url: str) -> dict[str, Any]:
    # BusyBox's wget is in all of these images.
    return {"test": ["CMD", "wget", "-q", "-O", "/dev/null", url], "interval": "15s", "timeout": "5s", "retries": 4}
