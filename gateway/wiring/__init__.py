"""Which implementation stands behind each port: the only place that picks any.

`embedded` brings the stores of one data folder, `server` those that many share; `gateway` and
`worker` put together what stands on them.
"""

from gateway.wiring.backend import backend
from gateway.wiring.gateway import PROJECT, Gateway, Stopping, open_gateway
from gateway.wiring.rejudging import open_rejudging
from gateway.wiring.worker import Worker, open_worker

__all__ = [
    "PROJECT",
    "Gateway",
    "Stopping",
    "Worker",
    "backend",
    "open_gateway",
    "open_rejudging",
    "open_worker",
]
