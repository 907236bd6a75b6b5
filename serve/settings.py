"""Every setting of the router, from POLYDRAFT_* environment variables: the one place that reads the environment."""

import difflib
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from serve import tables
from serve.errors import ConfigError
from serve.routing.lane import Lane
from serve.routing.policy import ANY, Mode, Row

PREFIX = "POLYDRAFT_"

_BASE_URL = re.compile(r"https?://[^/\s]+/?")
_HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_LANE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


class Settings(BaseSettings):
    """The router's settings; `polydraft up` and the rendered deployments write `MODEL`, `LANES` and `TABLE`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    model: str = Field(description="The model's name, as clients call it and as the engines serve it.", min_length=1)
    lanes: tuple[Lane, ...] = Field(
        description="JSON list of lanes: `name`, `upstream` (the engine's base URL, or a list of several engines'), "
        "`method` and `draft_tokens` (vLLM's names; left out for the body).",
        min_length=1,
    )
    table: tuple[Row, ...] = Field(
        default=(Row(ANY, ANY, ()),),
        description="JSON list of rows: `language`, `task` (`*` is any) and `candidates`, fastest first: `lane`, "
        "`acceptance_length`, `decode_rate`; `source` for people. Without it lanes are preferred as in `LANES`.",
    )
    table_file: Path | None = Field(
        default=None, description="File with such a list, as `polydraft bench` writes it; it wins over `TABLE`."
    )
    policy: Mode = Field(
        default="static",
        description="`static`: the table decides; `observe`: it still does, and what was learned goes to the log; "
        "`apply`: what was learned decides.",
    )
    ledger: str | None = Field(
        default=None,
        min_length=1,
        description="File that keeps what was learned, or URL of a Redis or Valkey server where routers share it.",
    )
    exploration: float = Field(
        default=0.01, ge=0, le=0.2, description="Share of requests' time that trying other lanes may cost."
    )
    half_life: float = Field(default=172_800, gt=0, description="Seconds after which what was learned counts for half.")
    seed: int | None = Field(default=None, description="Seed of what is tried, to do it again; random without.")
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port to listen on.")
    max_payload_bytes: int = Field(default=32 * 2**20, ge=1024, description="Largest payload taken, in bytes.")
    keys_file: Path | None = Field(
        default=None, description="File of API keys, as `polydraft keys` writes it; without one no key is asked for."
    )
    without_keys: Literal["loopback", "anywhere"] = Field(
        default="loopback", description="Where a router without keys may listen; `anywhere` is for containers."
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(), description="JSON list of public names that a router without keys answers to, such as box.example."
    )
    open_metrics: bool = Field(default=False, description="Whether /metrics needs no key.")
    page: bool = Field(default=True, description="Whether the live page is served at /.")
    planned_memory_gib: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default={},
        description="JSON object: GiB that each engine was planned to hold on an accelerator, by its base URL; the "
        "page shows it beside what it holds.",
    )
    behind_tls: bool = Field(
        default=False, description="Whether browsers reach the router by a proxy that speaks HTTPS to them."
    )
    tls_cert_file: Path | None = Field(default=None, description="Certificate with its chain, PEM; then it is HTTPS.")
    tls_key_file: Path | None = Field(default=None, description="The certificate's key, PEM, not encrypted.")
    engine_key_file: Path | None = Field(default=None, description="File with the key that the engines ask for.")
    traces_endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://\S+$",
        description="Where OpenTelemetry's traces go, OTLP over HTTP; nowhere without.",
    )
    max_head_bytes: int = Field(default=32 * 2**10, ge=1024, description="Largest head of a request, in bytes.")
    max_headers: int = Field(default=100, ge=10, description="Most headers of a request.")
    head_timeout: float = Field(default=10, gt=0, description="Seconds that a request's head may take to arrive.")
    payload_timeout: float = Field(default=60, gt=0, description="Seconds that its payload may then take.")
    max_connections: int = Field(default=4096, ge=1, description="Connections that may be open at once.")
    keepalive_timeout: int = Field(
        default=120, ge=1, description="Seconds that a client's connection is kept open after an answer."
    )
    connect_timeout: float = Field(default=5, gt=0, description="Seconds to connect to an engine.")
    first_byte_timeout: float = Field(
        default=600, gt=0, description="Seconds until a stream's first byte, after which its engine counts as broken."
    )
    silence_timeout: float = Field(
        default=600, gt=0, description="Seconds without a further byte, after which an engine counts as broken."
    )
    whole_timeout: float = Field(default=3600, gt=0, description="Seconds that an answer that isn't streamed may take.")
    ping_interval: float = Field(
        default=15, ge=0, description="Seconds of silence after which a stream's client gets a comment; 0 is never."
    )
    client_timeout: float = Field(
        default=300, gt=0, description="Seconds in which a client must read something of what is sent, or is cut off."
    )
    max_running: int = Field(default=256, ge=1, description="Requests that an engine gets at once.")
    max_waiting: int = Field(default=1024, ge=0, description="Requests that may wait for that, an engine.")
    breaker_failures: int = Field(
        default=5, ge=1, description="Failures of an engine in a row, after which it is left alone."
    )
    breaker_pause: float = Field(default=10, gt=0, description="Seconds for which it is then left alone.")
    probe_timeout: float = Field(default=5, gt=0, description="Seconds that an engine's health check may take.")
    probe_interval: float = Field(default=1, gt=0, description="Seconds between two health checks of an engine.")
    drain_delay: float = Field(
        default=0, ge=0, description="Seconds for which a router that was told to stop isn't ready, but takes requests."
    )
    drain_timeout: int = Field(
        default=30, ge=0, description="Seconds that running requests get to finish when the router is told to stop."
    )

    @field_validator("lanes")
    @classmethod
    def _check_lanes(cls, lanes: tuple[Lane, ...]) -> tuple[Lane, ...]:
        names = [lane.name for lane in lanes]
        if len(set(names)) < len(names):
            raise ValueError("two lanes have the same name; rename one")
        for lane in lanes:
            if not _LANE_NAME.fullmatch(lane.name):
                raise ValueError(f"{lane.name!r} can't name a lane; use a-z, 0-9, - and _")
            if not lane.engines or not all(_BASE_URL.fullmatch(url) for url in lane.engines):
                raise ValueError(
                    f"lane {lane.name}: `upstream` must be a base URL such as http://127.0.0.1:8101, or a list of them"
                )
            if len({url.rstrip("/") for url in lane.engines}) < len(lane.engines):
                raise ValueError(f"lane {lane.name}: `upstream` names an engine twice; remove one")
            if lane.drafts != (lane.draft_tokens > 0):
                raise ValueError(f"lane {lane.name}: give both `method` and `draft_tokens`, or (for the body) neither")
        return tuple(replace(lane, upstream=_trimmed(lane.upstream)) for lane in lanes)

    @field_validator("allowed_hosts")
    @classmethod
    def _check_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not _HOST_NAME.fullmatch(host.lower()):
                raise ValueError(f"{host!r} isn't a host's name; leave out scheme and port")
        return tuple(host.lower() for host in hosts)

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("TLS needs both TLS_CERT_FILE and TLS_KEY_FILE")
        return self

    @model_validator(mode="after")
    def _check_plan(self) -> Self:
        known = {url for lane in self.lanes for url in lane.engines}
        for url in self.planned_memory_gib:
            if url not in known:
                raise ValueError(f"PLANNED_MEMORY_GIB names {url!r}, which is no lane's `upstream`; write it as there")
        return self

    @model_validator(mode="after")
    def _check_table(self) -> Self:
        names = {lane.name for lane in self.lanes}
        for row in self.table:
            if wrong := tables.problem(row, names):
                raise ValueError(f"TABLE {wrong}")
        return self


def _trimmed(upstream: str | tuple[str, ...]) -> str | tuple[str, ...]:
    """Write base URLs without the slash at their end, so that an engine has one name."""
    return upstream.rstrip("/") if isinstance(upstream, str) else tuple(url.rstrip("/") for url in upstream)


def read(**given: Any) -> Settings:
    """Read the settings from the environment, after those that are given.

    A table in a file is read here, too. Raises ConfigError naming the variable and the fix, also for a POLYDRAFT_*
    variable that isn't a setting; for a table in a file it names the line.
    """
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    for name in os.environ:
        if name.startswith(PREFIX) and name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            raise ConfigError(f"{name} isn't a setting; " + (f"did you mean {close[0]}?" if close else "remove it."))
    try:
        wanted = Settings(**given)
        if wanted.table_file is None:
            return wanted
        table = tables.load(wanted.table_file, {lane.name for lane in wanted.lanes})
        return wanted.model_copy(update={"table": table})
    except ValidationError as error:
        raise ConfigError(_first(error)) from None
    except SettingsError as error:  # its text names the field, in pydantic-settings' own words
        named = re.search(r'field "(\w+)"', str(error))
        raise ConfigError(f"{PREFIX}{named[1].upper() if named else '*'} must be JSON: {error.__cause__}.") from None


def _first(error: ValidationError) -> str:
    """Say what is wrong with the first bad setting, in one line."""
    problem = error.errors(include_url=False, include_input=False)[0]
    if not problem["loc"]:
        return problem["msg"].removeprefix("Value error, ") + "."
    name, *inside = (str(part) for part in problem["loc"])
    place = "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in inside)
    unset = problem["type"] == "missing" and not inside
    if unset:
        return f"{PREFIX}{name.upper()} is not set; set it (docs/settings.md), or let `polydraft up` or Compose do so."
    return f"{PREFIX}{name.upper()}{place}: {problem['msg'].removeprefix('Value error, ')}."
