"""As fast as it goes: wrk over a number of connections."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from msgspec import Struct

from benchmarks.body import PLACEHOLDER
from benchmarks.processes import Server

LUA = """\
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
%(authorization)s
local file = io.open("%(body)s", "rb")
local body = file:read("*a")
file:close()
local number = 0
request = function()
  number = number + 1
  local group = %(runs)d * %(checks_a_run)d
  local index = math.floor(number / group) * %(runs)d + number %% %(runs)d
  local run = string.format("%%010d", index + %(first_run)d)
  return wrk.format(nil, nil, nil, (string.gsub(body, "%(placeholder)s", run)))
end
done = function(summary, latency, requests)
  io.write(string.format(
    '{"requests": %%d, "micros": %%d, "p50": %%.1f, "p95": %%.1f, "p99": %%.1f, "errors": %%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(95),
    latency:percentile(99), summary.errors.status + summary.errors.read + summary.errors.write
    + summary.errors.connect + summary.errors.timeout))
end
"""


CHECKS_A_RUN = 20
RUNS = 64


class Load(Struct, frozen=True):
    """What came of a load: requests, their rate a second, latencies in milliseconds."""

    requests: int
    rate: float
    p50: float
    p95: float
    p99: float
    errors: int


def need_wrk() -> None:
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing: sudo apt-get install -y wrk")


def saturate(server: Server, path: str, body: bytes, connections: int, seconds: int) -> Load:
    """One thread of wrk that sends `body` over and over, for 64 runs at a time, 20 checks each."""
    with tempfile.TemporaryDirectory() as folder:
        bytes_file = Path(folder, "body.json")
        bytes_file.write_bytes(body)
        header = f'wrk.headers["authorization"] = "Bearer {server.key}"' if server.key else ""
        script = Path(folder, "load.lua")
        script.write_text(
            LUA
            % {
                "authorization": header,
                "body": bytes_file,
                "placeholder": PLACEHOLDER,
                "checks_a_run": CHECKS_A_RUN,
                "runs": RUNS,
                "first_run": time.time_ns() // 1000 % 1_000_000_000,
            }
        )
        command = [
            *("wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "5s"),
            *("-s", str(script), server.url + path),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return Load(
        requests=found["requests"],
        rate=found["requests"] / (found["micros"] / 1e6),
        p50=found["p50"] / 1000,
        p95=found["p95"] / 1000,
        p99=found["p99"] / 1000,
        errors=found["errors"],
    )
