"""Settings: every knob with its default, read once from the environment and a file.

Order: command line, then environment, then `checkrein.toml`, then the default here. What changes
while the gateway runs (rules, thresholds, keys) is data in storage, not a setting.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from gateway.errors import ConfigInvalid

PREFIX = "CHECKREIN_"

# Variables of the same prefix that are the SDK's, not the gateway's.
SDK_VARIABLES = frozenset(
    {
        "url",
        "api_key",
        "agent",
        "deadline",
        "on_unavailable",
        "redaction",
        "capture",
        "mode",
        "user_id",
    }
)

Port = Annotated[int, Meta(ge=0, le=65535)]
Positive = Annotated[int, Meta(ge=1)]


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every knob, with its default. `CHECKREIN_PORT=9000` sets `port`.

    data: the folder with databases and the master key
    host, port: where the API listens; port 0 picks a free one
    metrics_port: where Prometheus metrics are served, on the same host; 0 picks a free one
    environment: the environment of the first API key
    policies: the policy folder; without one, a copy of the shipped packs in `data`
    base_url: how people reach the gateway, for links in replies; without one, host and port
    master_key: the key that encrypts all other keys, 32 bytes in base64; a file is safer
    master_key_file: 32 bytes that encrypt all other keys; without one, `data`/master.key
    redis_url: the hot store of `serve` and `work`, one node or any of a cluster
    redis_seconds: how long a call of Redis may take before the journal counts as away
    database_url: PostgreSQL; the user says what may be done there (README, production)
    database_prepared: false behind a pooler in transaction mode that knows no prepared statements
    opa_url: an OPA server that evaluates the rules; without one, a child process does
    max_concurrent_checks: checks in flight at once; beyond it 503 `overloaded`
    journal_waiting_max: events in Redis that no worker has recorded; beyond it checks are refused
    policy_poll_seconds: how often the policy folder is looked at for changes
    evaluator_memory_mb: address space of an evaluator child
    intent: off judges by rules alone, without the Intent Guard
    intent_model: a version of the Intent Guard or the folder of one; without one, the shipped one
    intent_ms: processor time of one assessment; a busy machine may take five times as long
    intent_memory_mb: address space of an assessor child
    log_level: debug, info, warning or error
    spool: the folder for decisions given while the journal is away; without one, `data`/spool
    spool_bytes: how much may wait there; beyond it checks are refused as without a spool
    checkpoint_seconds: how often witnesses are told how each project's log stands; 0 is never
    checkpoint_folder: a witness: a folder elsewhere that gets a file for each checkpoint
    checkpoint_git: a witness: a folder in a Git repository that gets a commit for each checkpoint
    checkpoint_webhook: a witness: an address that speaks C2SP's witness protocol
    checkpoint_webhook_secret_file: a file whose bytes sign what that address is sent
    reexecute_openai_url: a model endpoint as OpenAI's, with /v1; without one it is not asked again
    reexecute_openai_key: its API key
    reexecute_anthropic_url: a model endpoint as Anthropic's, without /v1
    reexecute_anthropic_key: its API key
    reexecute_seconds: how long a model may take to answer
    reexecute_prices: a JSON file of prices by model; without one no cost is told
    """

    data: str = ".checkrein"
    host: str = "127.0.0.1"
    port: Port = 8400
    metrics_port: Port = 8401
    environment: Annotated[str, Meta(pattern="^[a-z][a-z0-9_-]{0,31}$")] = "development"
    policies: str | None = None
    base_url: str | None = None
    master_key: str | None = None
    master_key_file: str | None = None
    redis_url: str | None = None
    redis_seconds: Annotated[float, Meta(gt=0)] = 0.25
    database_url: str | None = None
    database_prepared: bool = True
    opa_url: str | None = None
    max_concurrent_checks: Positive = 256
    journal_waiting_max: Positive = 500_000
    policy_poll_seconds: Annotated[float, Meta(gt=0)] = 0.5
    evaluator_memory_mb: Annotated[int, Meta(ge=128)] = 512
    intent: Annotated[str, Meta(pattern="^(on|off)$")] = "on"
    intent_model: str | None = None
    intent_ms: Annotated[float, Meta(gt=0)] = 50.0
    intent_memory_mb: Annotated[int, Meta(ge=128)] = 512
    log_level: Annotated[str, Meta(pattern="^(debug|info|warning|error)$")] = "info"
    spool: str | None = None
    spool_bytes: Annotated[int, Meta(ge=1024 * 1024)] = 64 * 1024 * 1024
    checkpoint_seconds: Annotated[float, Meta(ge=0)] = 300.0
    checkpoint_folder: str | None = None
    checkpoint_git: str | None = None
    checkpoint_webhook: Annotated[str, Meta(pattern="^https?://")] | None = None
    checkpoint_webhook_secret_file: str | None = None
    reexecute_openai_url: str | None = None
    reexecute_openai_key: str | None = None
    reexecute_anthropic_url: str | None = None
    reexecute_anthropic_key: str | None = None
    reexecute_seconds: Annotated[float, Meta(gt=0, le=600)] = 60.0
    reexecute_prices: str | None = None

    @property
    def on_servers(self) -> bool:
        """Whether the stores are servers that others share, and not a folder of this machine's."""
        return self.database_url is not None


# URLs may hold passwords.
SECRETS = frozenset(
    {
        *("master_key", "redis_url", "database_url"),
        *("reexecute_openai_key", "reexecute_anthropic_key"),
    }
)


class Origins(Struct, frozen=True):
    """Settings, and for each where its value came from."""

    settings: Settings
    origins: dict[str, str]


def load(
    environ: Mapping[str, str],
    *,
    file: Path | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Origins:
    """Read all sources. Raises ConfigInvalid that names every wrong or unknown setting at once."""
    given: dict[str, tuple[Any, str]] = {}
    for name, value in _from_file(file).items():
        given[name] = (value, str(file))
    for key, text in environ.items():
        name = key.removeprefix(PREFIX).lower()
        if key.startswith(PREFIX) and name not in SDK_VARIABLES:
            given[name] = (text, key)
    for name, value in (flags or {}).items():
        if value is not None:
            given[name] = (value, f"--{name.replace('_', '-')}")
    problems = [found for name, pair in given.items() if (found := _problem(name, *pair))]
    if problems:
        raise ConfigInvalid("\n".join(problems))
    values = {name: value for name, (value, _) in given.items()}
    settings = msgspec.convert(values, Settings, strict=False)
    origins = {
        name: given[name][1] if name in given else "default" for name in Settings.__struct_fields__
    }
    return Origins(settings, origins)


def as_environment(settings: Settings) -> dict[str, str]:
    """The variables that give a child process the same settings."""
    values = {name: getattr(settings, name) for name in Settings.__struct_fields__}
    return {
        f"{PREFIX}{name.upper()}": str(value) for name, value in values.items() if value is not None
    }


def _from_file(file: Path | None) -> dict[str, Any]:
    if file is None or not file.is_file():
        return {}
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigInvalid(f"{file}: {error}") from error


def _problem(name: str, value: Any, origin: str) -> str | None:
    """What is wrong with one setting, with the nearest name where it is unknown."""
    if name not in Settings.__struct_fields__:
        near = difflib.get_close_matches(name, Settings.__struct_fields__, n=1)
        hint = f" Did you mean {PREFIX}{near[0].upper()}?" if near else ""
        return f"{origin}: there is no setting {name!r}.{hint}"
    try:
        msgspec.convert({name: value}, Settings, strict=False)
    except msgspec.ValidationError as error:
        return f"{origin}: {str(error).split(' - at ')[0]}"
    return None
