"""Where OPA is, and whether it is there."""

from __future__ import annotations

import pytest

from gateway.engines.opa import OpaEngine
from gateway.engines.opa.address import Address, parse
from gateway.errors import ConfigInvalid
from tests.engine.rego import SAYS_BLOCK, ruleset
from tests.engine_opa.proxy import proxy_to, reply


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8181", Address("127.0.0.1", 8181, False)),
        ("http://opa/", Address("opa", 8181, False)),
        ("https://opa.internal:443", Address("opa.internal", 443, True)),
        ("http://[::1]:9000", Address("[::1]", 9000, False)),
    ],
)
def test_an_address_is_taken_apart(url, address):
    assert parse(url) == address


@pytest.mark.parametrize(
    "url",
    [
        *("", "opa:8181", "ftp://opa", "http://", "http://opa:99999", "http://opa:0"),
        *(
            "http://opa/v1",
            "http://opa?x=1",
            "http://opa#x",
            "http://user:secret@opa",
            "http://[::1",
        ),
    ],
)
def test_what_could_lead_elsewhere_is_refused(url):
    with pytest.raises(ConfigInvalid, match="no address of an OPA server") as refused:
        OpaEngine(url)

    assert "secret" not in str(refused.value)


async def test_a_probe_tells_the_version(opa):
    found = await opa.probe()

    assert found.reachable
    assert found.version is not None
    assert found.version.startswith("1.")


async def test_the_engine_names_the_server_that_answers(opa):
    assert (opa.info.name, opa.info.version) == ("opa", "")

    await opa.load(ruleset({"a": SAYS_BLOCK}))

    assert opa.info.version == (await opa.probe()).version
    assert len(opa.info.capabilities) == 64


async def test_a_probe_of_nothing_or_of_something_else_says_so(opa_server):
    async with proxy_to(opa_server.port) as proxy:
        engine = OpaEngine(proxy.url)
        proxy.mode, proxy.words = "say", reply("<html>")
        other = await engine.probe()
        proxy.mode = "hole"
        silent = await engine.probe()
        await proxy.close()
        nothing = await engine.probe()
        await engine.close()

    assert (other.reachable, other.version) == (True, None)
    assert "no OPA server" in other.detail
    assert not silent.reachable
    assert not nothing.reachable
    assert silent.detail
    assert nothing.detail
