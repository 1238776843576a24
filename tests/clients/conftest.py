"""A provider of models, a real gateway that records, and clients of the real libraries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import checkrein
import openai
import pytest

from tests.api.live import Live, live_gateway
from tests.servers.models import Provider, models

POLICY = """
environments:
  production:
    mode: block
    defaults: {"*": allow}
    fail: {"*": closed}
tools: []
data: {}
"""


@pytest.fixture(scope="session")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A gateway that lets everything through."""
    with live_gateway(tmp_path_factory.mktemp("clients"), policy=POLICY) as live:
        yield live


@pytest.fixture
def gateway(recorder: Live) -> Iterator[Live]:
    """The SDK is set to this gateway."""
    checkrein.init(
        url=recorder.url, api_key=recorder.keys["full"], environment="production", deadline=10.0
    )
    yield recorder
    checkrein.flush(5)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with models() as made:
        yield made


@pytest.fixture
def chat(provider: Provider) -> Iterator[Any]:
    with openai.OpenAI(base_url=f"{provider.url}/v1", api_key="sk-1", max_retries=0) as client:
        yield checkrein.wrap_openai(client)


@pytest.fixture
def claude(provider: Provider) -> Iterator[Any]:
    with anthropic.Anthropic(base_url=provider.url, api_key="sk-2", max_retries=0) as client:
        yield checkrein.wrap_anthropic(client)


def frames_of(gateway: Live, run: checkrein.Run) -> list[dict[str, Any]]:
    """Everything that was recorded of a run."""
    assert checkrein.flush(10)
    frames: list[dict[str, Any]] = []
    after: int | None = 0
    with gateway.client() as client:
        while after is not None:
            page = client.get(f"/v1/runs/{run.id}/frames", params={"after": after, "limit": 200})
            found = page.raise_for_status().json()
            frames += found["frames"]
            after = found["next_after"]
    return frames


def calls_of(gateway: Live, run: checkrein.Run) -> list[dict[str, Any]]:
    """What was recorded of its model calls: evidence and content in one."""
    return [
        {**frame["body"], **frame["content"].get("observation", {})}
        for frame in frames_of(gateway, run)
        if frame["type"] == "model_call"
    ]
