"""Outgoing HTTP: the only importer of httpx."""

from synnefo_common.http.client import HttpAnswer, HttpClient, ServiceClient, ServiceIdentity
from synnefo_common.http.identity import IdentityKeys

__all__ = ["HttpAnswer", "HttpClient", "IdentityKeys", "ServiceClient", "ServiceIdentity"]
