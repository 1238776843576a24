"""The embedded engine: Rego by regorus, in a child process with limits."""

from gateway.engines.embedded.engine import EmbeddedEngine
from gateway.engines.embedded.limits import Limits

__all__ = ["EmbeddedEngine", "Limits"]
