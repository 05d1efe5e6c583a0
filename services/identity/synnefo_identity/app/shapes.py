"""Rows as the API shows them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from sqlalchemy import Row

from synnefo_common.clock import iso
from synnefo_identity.domain.credential import Credential, read_keys


def _links(base: str, collection: str, row_id: str) -> dict[str, str]:
    return {"self": f"{base}/{collection}/{row_id}"}


def user(row: Row[Any], base: str) -> dict[str, Any]:
    """A user; the password hash never leaves."""
    shown = {
        **row.extra,
        "id": row.id,
        "name": row.name,
        "domain_id": row.domain_id,
        "enabled": row.enabled,
        "password_expires_at": None,
        "options": row.options,
        "links": _links(base, "users", row.id),
    }
    if row.default_project_id is not None:
        shown["default_project_id"] = row.default_project_id
    return shown


def project(row: Row[Any], base: str) -> dict[str, Any]:
    """A project, or a domain seen as one."""
    return {
        **row.extra,
        "id": row.id,
        "name": row.name,
        "domain_id": row.domain_id or None,
        "description": row.description,
        "enabled": row.enabled,
        "parent_id": row.parent_id or None,
        "is_domain": row.is_domain,
        "tags": row.tags,
        "options": row.options,
        "links": _links(base, "projects", row.id),
    }


def domain(row: Row[Any], base: str) -> dict[str, Any]:
    """A domain."""
    return {
        **row.extra,
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "enabled": row.enabled,
        "tags": row.tags,
        "options": row.options,
        "links": _links(base, "domains", row.id),
    }


def group(row: Row[Any], base: str) -> dict[str, Any]:
    """A group."""
    return {
        **row.extra,
        "id": row.id,
        "name": row.name,
        "domain_id": row.domain_id,
        "description": row.description,
        "links": _links(base, "groups", row.id),
    }


def role(row: Row[Any], base: str) -> dict[str, Any]:
    """A role."""
    return {
        **row.extra,
        "id": row.id,
        "name": row.name,
        "domain_id": row.domain_id or None,
        "description": row.description,
        "options": row.options,
        "links": _links(base, "roles", row.id),
    }


def role_short(row: Row[Any], base: str) -> dict[str, Any]:
    """A role in an inference."""
    return {"id": row.id, "name": row.name, "links": _links(base, "roles", row.id)}


def service(row: Row[Any], base: str) -> dict[str, Any]:
    """A service of the catalogue."""
    return {
        **row.extra,
        "id": row.id,
        "type": row.type,
        "name": row.name,
        "enabled": row.enabled,
        "links": _links(base, "services", row.id),
    }


def endpoint(row: Row[Any], base: str) -> dict[str, Any]:
    """An endpoint."""
    return {
        **row.extra,
        "id": row.id,
        "service_id": row.service_id,
        "interface": row.interface,
        "region": row.region_id,
        "region_id": row.region_id,
        "url": row.url,
        "enabled": row.enabled,
        "links": _links(base, "endpoints", row.id),
    }


def region(row: Row[Any], base: str) -> dict[str, Any]:
    """A region."""
    return {
        **row.extra,
        "id": row.id,
        "description": row.description,
        "parent_region_id": row.parent_region_id,
        "links": _links(base, "regions", row.id),
    }


def registered_limit(row: Row[Any], base: str) -> dict[str, Any]:
    """A default limit."""
    return {
        "id": row.id,
        "service_id": row.service_id,
        "region_id": row.region_id,
        "resource_name": row.resource_name,
        "default_limit": row.default_limit,
        "description": row.description,
        "links": _links(base, "registered_limits", row.id),
    }


def limit(row: Row[Any], base: str) -> dict[str, Any]:
    """A project's or domain's limit, joined with its registered limit."""
    return {
        "id": row.id,
        "project_id": None if row.is_domain else row.project_id,
        "domain_id": row.project_id if row.is_domain else None,
        "service_id": row.service_id,
        "region_id": row.region_id,
        "resource_name": row.resource_name,
        "resource_limit": row.resource_limit,
        "description": row.description,
        "links": _links(base, "limits", row.id),
    }


def application_credential(row: Row[Any], base: str, *, roles: list[dict[str, Any]]) -> dict[str, Any]:
    """An application credential without its secret."""
    expires = iso(row.expires_at, micros=True, zone=False)
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "project_id": row.project_id,
        "user_id": row.user_id,
        "roles": roles,
        "expires_at": expires,
        "unrestricted": row.unrestricted,
        "system": None,
        "links": {"self": f"{base}/users/{row.user_id}/application_credentials/{row.id}"},
    }


def credential(row: Credential, base: str) -> dict[str, Any]:
    """A credential."""
    return {
        **row.extra,
        "id": row.id,
        "user_id": row.user_id,
        "project_id": row.project_id,
        "type": row.type,
        "blob": row.blob,
        "links": _links(base, "credentials", row.id),
    }


def ec2_credential(row: Credential, base: str) -> dict[str, Any]:
    """A credential of type ec2 as OS-EC2 shows it."""
    keys = read_keys(row.blob)
    return {
        "user_id": row.user_id,
        "tenant_id": row.project_id,
        "access": keys["access"],
        "secret": keys["secret"],
        "trust_id": None,
        "links": {"self": f"{base}/users/{row.user_id}/credentials/OS-EC2/{quote(keys['access'], safe='')}"},
    }
