"""Calls on the service and on a bucket: create, show, delete, location, ACL, versioning, many deletes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from synnefo_common.errors import Fault
from synnefo_object.api.answers import Answer
from synnefo_object.api.s3 import body, xml
from synnefo_object.api.s3.answers import to_s3, xml_answer
from synnefo_object.api.s3.request import S3Request
from synnefo_object.app.access import READ
from synnefo_object.app.s3 import buckets, objects
from synnefo_object.app.s3.buckets import Bucket, Key
from synnefo_object.app.versions import HEADER as VERSIONS
from synnefo_object.app.versions import Keeping
from synnefo_object.domain.s3 import acl
from synnefo_object.domain.s3.errors import S3Fault, invalid, not_implemented
from synnefo_object.domain.s3.names import iso_date, read_version

MAX_BUCKETS = 10_000
_MAX_DELETES = 1000
_XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


async def list_buckets(request: S3Request) -> Answer:
    """GET /: the caller's own project's."""
    limit = request.number("max-buckets", MAX_BUCKETS, most=MAX_BUCKETS)
    prefix, after = request.query.get("prefix", ""), request.query.get("continuation-token", "")
    rows = await buckets.page(request.svc, request.caller, after=after, prefix=prefix, limit=limit + 1)
    owner_id = buckets.own_target(request.caller).project_id or ""
    listed = "".join(xml.tag("Bucket", raw=xml.tag("Name", row.name) + xml.tag("CreationDate", iso_date(row.created_us))) for row in rows[:limit])
    more = [xml.tag("Prefix", prefix)] if prefix else []
    if len(rows) > limit > 0:
        more.append(xml.tag("ContinuationToken", rows[limit - 1].name))
    return xml_answer(xml.document("ListAllMyBucketsResult", xml.owner(owner_id), xml.tag("Buckets", raw=listed), *more))


def _acl_of(headers: Mapping[str, str]) -> dict[str, str]:
    acl.refuse_grants(headers)
    return acl.container_headers(headers.get("x-amz-acl", "private"))


async def create_bucket(request: S3Request) -> Answer:
    """PUT."""
    if request.headers.get("x-amz-bucket-object-lock-enabled", "").lower() == "true":
        raise not_implemented("Object lock")
    if request.headers.get("x-amz-object-ownership", "BucketOwnerEnforced") not in ("BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"):
        raise invalid("x-amz-object-ownership is none of S3's.")
    given = _acl_of(request.headers)
    text = await body.read_small(request) if request.headers.get("content-length", "0") != "0" else b""
    if text:
        wanted = xml.parse(text, "CreateBucketConfiguration").value("LocationConstraint", "")
        signed_for = request.signer.region if request.signer is not None else ""
        if wanted not in ("", signed_for, request.svc.settings.common.region):
            raise S3Fault("IllegalLocationConstraintException", shown={"LocationConstraint": wanted})
    await buckets.create(request.svc, request.caller, request.bucket, {name: value for name, value in given.items() if value})
    return Answer(200, {"Location": f"/{request.bucket}"})


async def head_bucket(request: S3Request) -> Answer:
    """HEAD."""
    bucket = await request.find_bucket()
    await request.caller.require(READ, bucket.target(), bucket.container_headers)
    return Answer(200, {"x-amz-bucket-region": request.svc.settings.common.region}, content_type="application/xml")


async def delete_bucket(request: S3Request) -> Answer:
    """DELETE."""
    await buckets.delete(request.svc, request.caller, await request.find_bucket())
    return Answer(204)


async def show_location(request: S3Request) -> Answer:
    """GET ?location."""
    bucket = await request.find_bucket()
    request.caller.require_reader(bucket.target())
    region = request.svc.settings.common.region
    return xml_answer(xml.document("LocationConstraint", xml.text("" if region == "us-east-1" else region)))


def _policy(bucket: Bucket, granted: Iterable[tuple[str, str]]) -> bytes:
    def grant(grantee: str, permission: str) -> str:
        return xml.tag("Grant", raw=grantee + xml.tag("Permission", permission))

    grants = grant(f'<Grantee {_XSI} xsi:type="CanonicalUser">{_inner(bucket.project_id)}</Grantee>', "FULL_CONTROL")
    for group, permission in granted:
        grants += grant(f'<Grantee {_XSI} xsi:type="Group">{xml.tag("URI", group)}</Grantee>', permission)
    return xml.document("AccessControlPolicy", xml.owner(bucket.project_id), xml.tag("AccessControlList", raw=grants))


def _inner(project_id: str) -> str:
    return xml.tag("ID", project_id) + xml.tag("DisplayName", project_id)


async def show_acl(request: S3Request) -> Answer:
    """GET ?acl of a bucket or an object."""
    bucket = await request.find_bucket()
    request.caller.require_reader(bucket.target())
    if not request.key:
        return xml_answer(_policy(bucket, acl.grants(bucket.headers)))
    found = await objects.load(request.svc, request.caller, await request.find_key(), head=True)
    return xml_answer(_policy(bucket, acl.object_grants(found.headers)))


async def put_acl(request: S3Request) -> Answer:
    """PUT ?acl of a bucket: canned, or the grants that a canned one has."""
    bucket = await request.find_bucket()
    if "x-amz-acl" in request.headers:
        given = _acl_of(request.headers)
    else:
        acl.refuse_grants(request.headers)
        given = _container_headers(_read_grants(await body.read_small(request), bucket))
    await buckets.set_headers(request.svc, request.caller, bucket, given)
    return Answer(200)


async def put_object_acl(request: S3Request) -> Answer:
    """PUT ?acl of an object: canned, or the grants that a canned one has."""
    bucket = await request.find_bucket()
    request.caller.require_owner(bucket.target())
    canned = acl.of_object(request.headers)
    if acl.HEADER not in request.headers:
        canned = acl.of_grants(_read_grants(await body.read_small(request), bucket))
    version = await objects.set_acl(request.svc, request.caller, await request.find_key(), canned)
    return Answer(200, {"x-amz-version-id": version} if version else {})


def _read_grants(text: bytes, bucket: Bucket) -> list[tuple[str, str]]:
    """(group, permission) of an AccessControlPolicy, without what the owner has anyway. Raises MalformedACLError, NotImplemented."""
    found = xml.parse(text, "AccessControlPolicy").find("AccessControlList")
    if found is None:
        raise S3Fault("MalformedACLError")
    grants = []
    for grant in found.all("Grant"):
        grantee, permission = grant.find("Grantee"), grant.value("Permission")
        if grantee is None:
            raise S3Fault("MalformedACLError")
        if grantee.value("ID", "") == bucket.project_id and permission == "FULL_CONTROL":
            continue
        group = grantee.value("URI", "")
        if group not in (acl.ALL_USERS, acl.AUTHENTICATED):
            raise not_implemented("This grant")
        grants.append((group, permission))
    return grants


def _container_headers(grants: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Container ACLs. Raises NotImplemented."""
    read: list[str] = []
    write: list[str] = []
    for wanted in grants:
        if wanted == (acl.ALL_USERS, "READ"):
            read += [".r:*", ".rlistings"]
        elif wanted == (acl.AUTHENTICATED, "READ"):
            read.append("*:*")
        elif wanted == (acl.AUTHENTICATED, "WRITE"):
            write.append("*:*")
        else:
            raise not_implemented("This grant")
    return {acl.READ: ",".join(read), acl.WRITE: ",".join(write)}


async def show_versioning(request: S3Request) -> Answer:
    """GET ?versioning."""
    bucket = await request.find_bucket()
    request.caller.require_reader(bucket.target())
    status = {Keeping.NEVER: [], Keeping.ENABLED: [xml.tag("Status", "Enabled")], Keeping.SUSPENDED: [xml.tag("Status", "Suspended")]}
    return xml_answer(xml.document("VersioningConfiguration", *status[bucket.keeping]))


async def put_versioning(request: S3Request) -> Answer:
    """PUT ?versioning."""
    bucket = await request.find_bucket()
    request.caller.require_owner(bucket.target())
    wanted = xml.parse(await body.read_small(request), "VersioningConfiguration")
    if wanted.value("MfaDelete", "Disabled") != "Disabled":
        raise not_implemented("MfaDelete")
    status = {"Enabled": "True", "Suspended": "False"}.get(wanted.value("Status"))
    if status is None:
        raise S3Fault("MalformedXML")
    if any(bucket.headers.get(name) for name in ("x-versions-location", "x-history-location")):
        raise S3Fault("InvalidBucketState", "The bucket keeps versions in another container already.")
    await buckets.set_headers(request.svc, request.caller, bucket, {VERSIONS: status})
    return Answer(200)


async def delete_objects(request: S3Request) -> Answer:
    """POST ?delete: up to a thousand keys, each with its own result."""
    bucket = await request.find_bucket()
    wanted = xml.parse(await body.read_small(request, needs_md5=True), "Delete")
    is_quiet = wanted.value("Quiet", "false").lower() == "true"
    chosen = [(one.exact("Key"), one.value("VersionId", "") or None, one.value("ETag", "")) for one in wanted.all("Object")]
    if not 0 < len(chosen) <= _MAX_DELETES or any(not key or "\x00" in key for key, _, _ in chosen):
        raise S3Fault("MalformedXML")
    results: list[str] = []
    for key, version, tag in chosen:
        named = xml.tag("Key", key) + (xml.tag("VersionId", version) if version else "")
        try:
            if version is not None:
                read_version(version)
            deleted = await objects.delete(request.svc, request.caller, Key(bucket, key, version), {"if-match": tag} if tag else {})
        except Fault as fault:
            failed = to_s3(fault, level=2)
            results.append(xml.tag("Error", raw=named + xml.tag("Code", failed.kind) + xml.tag("Message", failed.message)))
            continue
        if is_quiet:
            continue
        if deleted.is_marker:
            named += xml.tag("DeleteMarker", value=True) + xml.tag("DeleteMarkerVersionId", deleted.version_id)
        results.append(xml.tag("Deleted", raw=named))
    return xml_answer(xml.document("DeleteResult", *results))


async def show_object_lock(request: S3Request) -> Answer:
    """GET ?object-lock: no bucket has it."""
    bucket = await request.find_bucket()
    request.caller.require_reader(bucket.target())
    raise S3Fault("ObjectLockConfigurationNotFoundError", shown={"BucketName": request.bucket})
