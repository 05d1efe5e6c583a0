"""What the services' tests share. Never imported by a service."""

from synnefo_common.http.testing import Answer, Client, FakePeer, FakePeers, PeerRequest, asgi_client, socket_client
from synnefo_common.testing.harness import Harness, TestClock, TestVerifier
from synnefo_common.testing.routes import routes_of
from synnefo_common.testing.waiting import wait_until

__all__ = [
    "Answer",
    "Client",
    "FakePeer",
    "FakePeers",
    "Harness",
    "PeerRequest",
    "TestClock",
    "TestVerifier",
    "asgi_client",
    "routes_of",
    "socket_client",
    "wait_until",
]  # fmt: skip
