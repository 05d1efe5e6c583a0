"""`GET /info`: what is there and within which limits.

Clients switch features on by it: it names nothing that is not whole.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from synnefo_common.web import answer
from synnefo_object.domain import limits, tempurl
from synnefo_object.domain.errors import SwiftFault
from synnefo_object.domain.policies import StoragePolicies, StoragePolicy
from synnefo_object.settings import Settings


def capabilities(settings: Settings, policies: StoragePolicies) -> dict[str, Any]:
    """The body."""
    return _rates(settings) | {
        "swift": {
            "version": "2.38.0",
            "policies": [_policy(policy) for policy in policies.all if not policy.is_deprecated],
            "max_file_size": limits.MAX_FILE_SIZE,
            "max_meta_name_length": limits.MAX_META_NAME_LENGTH,
            "max_meta_value_length": limits.MAX_META_VALUE_LENGTH,
            "max_meta_count": limits.MAX_META_COUNT,
            "max_meta_overall_size": limits.MAX_META_OVERALL_SIZE,
            "max_header_size": limits.MAX_HEADER_SIZE,
            "max_object_name_length": limits.MAX_OBJECT_NAME_LENGTH,
            "max_container_name_length": limits.MAX_CONTAINER_NAME_LENGTH,
            "max_account_name_length": limits.MAX_ACCOUNT_NAME_LENGTH,
            "container_listing_limit": limits.LISTING_LIMIT,
            "account_listing_limit": limits.LISTING_LIMIT,
            "extra_header_count": 0,
            "strict_cors_mode": True,
            "allow_account_management": False,
            "account_autocreate": True,
        },
        "account_acls": {"levels": ["admin", "read-only", "read-write"]},
        "account_quotas": {},
        "bulk_delete": {
            "max_deletes_per_request": limits.MAX_DELETES_PER_REQUEST,
            "max_failed_deletes": limits.MAX_FAILED_DELETES,
        },
        "bulk_upload": {
            "max_containers_per_extraction": limits.MAX_CONTAINERS_PER_EXTRACTION,
            "max_failed_extractions": limits.MAX_FAILED_EXTRACTIONS,
        },
        "container_quotas": {},
        "dlo": {"max_segments": limits.MAX_SUB_LISTING},
        "formpost": {"allowed_digests": list(tempurl.DIGESTS), "deprecated_digests": ["sha1"]},
        "slo": {
            "max_manifest_segments": limits.MAX_SLO_SEGMENTS,
            "max_manifest_size": limits.MAX_SLO_MANIFEST_SIZE,
            "min_segment_size": 1,
            "yield_frequency": limits.HEARTBEAT_S,
            "allow_async_delete": False,
        },
        "object_versioning": {},
        "staticweb": {},
        "symlink": {"symloop_max": limits.MAX_SYMLINKS, "static_links": True},
        "tempurl": {
            "methods": list(tempurl.METHODS),
            "allowed_digests": list(tempurl.DIGESTS),
            "deprecated_digests": ["sha1"],
            "incoming_remove_headers": ["x-timestamp"],
            "incoming_allow_headers": [],
            "outgoing_remove_headers": ["x-object-meta-*"],
            "outgoing_allow_headers": ["x-object-meta-public-*"],
        },
        "versioned_writes": {"allowed_flags": ["x-versions-location", "x-history-location"]},
    }


def _rates(settings: Settings) -> dict[str, Any]:
    found: dict[str, Any] = {"crossdomain": {}} if settings.cross_domain_policy else {}
    if settings.account_rate or settings.container_rates or settings.listing_rates:
        found["ratelimit"] = {
            "account_ratelimit": settings.account_rate,
            "max_sleep_time_seconds": settings.longest_wait_s,
            "container_ratelimits": sorted(settings.container_rates.items()),
            "container_listing_ratelimits": sorted(settings.listing_rates.items()),
        }
    return found


def _policy(policy: StoragePolicy) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": policy.name, "aliases": ", ".join(policy.names)}
    return shown | ({"default": True} if policy.is_default else {})


async def show_info(request: Request) -> Response:
    """Open to all, as in Swift."""
    return answer(capabilities(request.app.state.services.settings, request.app.state.services.stores.policies))


async def show_cross_domain_policy(request: Request) -> Response:
    """Which sites' programs may call from a browser: what the operator has set. Raises 404 without."""
    policy = request.app.state.services.settings.cross_domain_policy
    if not policy:
        raise SwiftFault(404)
    body = (
        '<?xml version="1.0"?>\n'
        '<!DOCTYPE cross-domain-policy SYSTEM "http://www.adobe.com/xml/dtds/cross-domain-policy.dtd">\n'
        f"<cross-domain-policy>\n{policy}\n</cross-domain-policy>"
    )
    return Response(body, media_type="application/xml")


async def healthcheck(_request: Request) -> Response:
    """Swift's own health page."""
    return Response(b"OK", media_type="text/plain")
