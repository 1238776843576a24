"""An OPA that does not talk to everybody: bearer tokens and TLS."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.engines.opa import Limits, OpaEngine
from gateway.errors import EngineUnavailable
from tests.engine.rego import SAYS_BLOCK, frame, ruleset
from tests.servers.opa import running

RULES = ruleset({"a": SAYS_BLOCK})
AUTHZ = """
package system.authz
default allow := false
allow if input.identity == "right"
allow if input.path == ["health"]
"""


@pytest.fixture
def guarded(tmp_path):
    """A server that wants the token `right`."""
    policy = tmp_path / "authz.rego"
    policy.write_text(AUTHZ)
    with running("--authentication=token", "--authorization=basic", str(policy)) as server:
        yield server


async def test_the_token_is_sent(guarded):
    engine = OpaEngine(guarded.url, Limits(timeout=20), token="right")
    await engine.load(RULES)

    (result,) = await engine.evaluate(RULES, ("a",), frame())
    await engine.close()

    assert [verdict.effect for verdict in result.verdicts] == ["block"]


@pytest.mark.parametrize("token", [None, "wrong"])
async def test_without_the_right_token_nothing_is_let_through(guarded, token):
    engine = OpaEngine(guarded.url, Limits(timeout=20), token=token)

    with pytest.raises(EngineUnavailable):
        await engine.load(RULES)
    (result,) = await engine.evaluate(RULES, ("a",), frame())
    found = await engine.probe()
    await engine.close()

    assert result.failure == "unavailable"
    assert (found.reachable, found.version) == (True, None)


async def test_tls_is_spoken_with_the_server_that_was_named_and_no_other(tmp_path):
    certificate, key = self_signed(tmp_path)
    trusting = ssl.create_default_context(cafile=str(certificate))
    options = (f"--tls-cert-file={certificate}", f"--tls-private-key-file={key}")
    with running(*options, tls=trusting) as server:
        engine = OpaEngine(server.url, Limits(timeout=20), tls=trusting)
        stranger = OpaEngine(server.url, Limits(timeout=20))
        await engine.load(RULES)

        (result,) = await engine.evaluate(RULES, ("a",), frame())
        with pytest.raises(EngineUnavailable):
            await stranger.load(RULES)
        await engine.close()
        await stranger.close()

    assert [verdict.effect for verdict in result.verdicts] == ["block"]


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Paths of a certificate for 127.0.0.1 and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "opa")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(private)
    return folder / "cert.pem", folder / "key.pem"
