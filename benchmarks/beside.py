"""Other servers that answer the same question about the same call, on the same machine.

Both are stateless: what the gateway reads from its store, the caller has to bring along here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import body
from benchmarks.processes import Server, free_port, running, until_up
from tests.servers import opa

OPA_PATH = "/v1/data/bench"
CERBOS_PATH = "/api/check/resources"
CERBOS_VERSION = "0.55.0"

# The three rules that apply to the measured tool, as one allow.
CERBOS_POLICY = """\
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: payment
  version: default
  rules:
    - actions: ["pay"]
      effect: EFFECT_ALLOW
      roles: ["agent"]
      condition:
        match:
          all:
            of:
              - expr: R.attr.action.amount.value <= 1000000
              - expr: >-
                  R.attr.request.plan.arguments.all(name,
                  R.attr.action.arguments[name] == R.attr.request.plan.arguments[name])
              - expr: R.attr.state.denials_in_a_row < 20
"""
CERBOS_CONFIG = """\
server: {{httpListenAddr: "127.0.0.1:{http}", grpcListenAddr: "127.0.0.1:{grpc}"}}
telemetry: {{disabled: true}}
storage: {{driver: disk, disk: {{directory: "{policies}", watchForChanges: false}}}}
"""


@contextmanager
def opa_server(policies: Path) -> Iterator[Server]:
    """OPA with all rules of a policy folder and their data."""
    with opa.running(str(policies / "rules")) as server:
        limits = json.dumps({"amount": 1_000_000}).encode()
        _ask(f"{server.url}/v1/data/limits", limits, "PUT")
        bare = Server(server.url, server.pid)
        answer = json.loads(_ask(bare.url + OPA_PATH, opa_body()))
        verdicts = [rule["verdict"] for rule in answer["result"].values()]
        if verdicts != [[], [], []]:
            raise SystemExit(f"OPA does not answer the three rules: {answer}")
        yield bare


def opa_body() -> bytes:
    """The same check, with what the gateway would have found out: the amount, and the state."""
    return json.dumps({"input": _frame()}, separators=(",", ":")).encode()


def cerbos_binary() -> str | None:
    """Where Cerbos is, if it is at hand."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    built = cache / "checkrein" / f"cerbos-{CERBOS_VERSION}" / "cerbos"
    return shutil.which(os.environ.get("CHECKREIN_CERBOS") or str(built))


@contextmanager
def cerbos_server(binary: str, folder: Path) -> Iterator[Server]:
    """Cerbos with a policy that says the same as the three rules."""
    policies = folder / "policies"
    policies.mkdir(parents=True)
    (policies / "payment.yaml").write_text(CERBOS_POLICY)
    http, config = free_port(), folder / "conf.yaml"
    config.write_text(CERBOS_CONFIG.format(http=http, grpc=free_port(), policies=policies))
    command = [binary, "server", "--config", str(config), "--log-level", "error"]
    # It logs the requests that the generator leaves behind when its time is over.
    with running(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        url = f"http://127.0.0.1:{http}"
        until_up(url, process)
        answer = json.loads(_ask(url + CERBOS_PATH, cerbos_body()))
        if answer["results"][0]["actions"] != {"pay": "EFFECT_ALLOW"}:
            raise SystemExit(f"Cerbos does not allow what the rules allow: {answer}")
        yield Server(url, process.pid)


def cerbos_body() -> bytes:
    """The same check as a resource's attributes."""
    asked: dict[str, Any] = {
        "requestId": body.PLACEHOLDER,
        "principal": {"id": body.AGENT, "roles": ["agent"]},
        "resources": [
            {"actions": ["pay"], "resource": {"kind": "payment", "id": "9281", "attr": _frame()}}
        ],
    }
    return json.dumps(asked, separators=(",", ":")).encode()


def _frame() -> dict[str, Any]:
    frame: dict[str, Any] = json.loads(body.check())
    arguments = frame["action"]["arguments"]
    frame["action"]["amount"] = {"value": arguments["amount"], "currency": arguments["currency"]}
    frame["state"] = {"denials_in_a_row": 0}
    return frame


def _ask(url: str, data: bytes, method: str = "POST") -> bytes:
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        content: bytes = answer.read()
        return content
