"""The OPA engine: Rego by an Open Policy Agent server, the reference semantics."""

from gateway.engines.opa.engine import OpaEngine
from gateway.engines.opa.limits import Limits

__all__ = ["Limits", "OpaEngine"]
