"""Which implementation stands behind each port: the only place that picks any.

`embedded` brings the stores of one data folder, `gateway` puts a gateway together from stores and
an engine, `worker` the other end.
"""

from gateway.wiring.embedded import DataFolderBusy
from gateway.wiring.gateway import PROJECT, Gateway, Stopping, open_gateway
from gateway.wiring.worker import open_worker

__all__ = ["PROJECT", "DataFolderBusy", "Gateway", "Stopping", "open_gateway", "open_worker"]
