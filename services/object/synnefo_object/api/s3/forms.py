"""POST on a bucket: a browser's form that uploads one file, as its signed policy allows."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from urllib.parse import quote, urlsplit

from synnefo_object.api.answers import Answer
from synnefo_object.api.forms import FormReader, Part, read_boundary, read_header
from synnefo_object.api.s3 import xml
from synnefo_object.api.s3.answers import XML, etag
from synnefo_object.api.s3.objects import put_headers, read_tag_set
from synnefo_object.api.s3.request import S3Request
from synnefo_object.app.rates import wait_for_turn
from synnefo_object.app.s3 import callers, objects
from synnefo_object.app.s3.buckets import Key
from synnefo_object.app.s3.payload import Payload
from synnefo_object.domain.metadata import is_clean
from synnefo_object.domain.s3 import checksums, metadata, signatures
from synnefo_object.domain.s3.errors import S3Fault, invalid
from synnefo_object.domain.s3.post_policy import PostPolicy, read_policy
from synnefo_object.domain.s3.signatures_v2 import SignatureV2

_MAX_FIELDS_SIZE = 20 << 10
_NAMES = ("x-amz-meta-", "x-amz-server-side-encryption", "x-amz-object-lock", "x-amz-website", "x-amz-storage-class", "x-amz-checksum-")
_HEADERS = frozenset(("content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires"))
_AFTER_PATH = re.compile(r"[^/\\]*$")


async def post_object(request: S3Request) -> Answer:
    """The form's fields, then its file; what comes after the file is not minded."""
    content_type = request.headers.get("content-type", "")
    boundary = read_boundary(content_type)
    if read_header(content_type)[0].lower() != "multipart/form-data" or not boundary:
        raise S3Fault("PreconditionFailed", "Bucket POST must be of the enclosure-type multipart/form-data", shown={"Condition": "Content-Type"})
    form = FormReader(request.pieces(), boundary)
    fields: dict[str, str] = {}
    size = 0
    async for part in form.parts():
        if part.name.lower() == "file":
            return await _store(request, fields, part, form)
        data = b""
        async for piece in form.data():
            data += piece
            size += len(piece)
            if size > _MAX_FIELDS_SIZE:
                raise S3Fault("MaxPostPreDataLengthExceeded")
        fields[part.name.lower()] = data.decode("utf-8", "surrogateescape")
    raise invalid("POST requires exactly one file upload per request.")


async def _store(request: S3Request, fields: dict[str, str], part: Part, form: FormReader) -> Answer:
    if not fields.get("key"):
        raise invalid("Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.")
    name = _AFTER_PATH.search(part.file_name or "")
    fields["key"] = fields["key"].replace("${filename}", name[0] if name else "")
    if "\x00" in fields["key"] or not is_clean(fields["key"]):
        raise S3Fault("InvalidURI", "The key must be valid UTF-8.")
    policy = await _authenticate(request, fields)
    if policy is not None:
        policy.check(fields, bucket=request.bucket, now_s=request.svc.now_s())
    key = Key(await request.find_bucket(), fields["key"])
    await wait_for_turn(request.svc, "PUT", key.target)
    headers = {name: value for name, value in fields.items() if name in _HEADERS or name.startswith(_NAMES)}
    headers |= {"x-amz-acl": fields["acl"]} if "acl" in fields else {}
    if "tagging" in fields:
        headers[metadata.TAGGING] = metadata.write_tags(read_tag_set(fields["tagging"].encode("utf-8", "surrogateescape")))
    algorithm, checksum = checksums.given_in(headers) or (None, None)
    payload = Payload(_measured(form, policy), None, algorithm=algorithm, checksum=checksum)
    put = await objects.put(request.svc, request.caller, key, headers, payload)
    return _answer(request, fields, key, put_headers(put))


async def _authenticate(request: S3Request, fields: dict[str, str]) -> PostPolicy | None:
    """The policy that somebody has signed; without one it is nobody's form. Raises S3Fault."""
    text = fields.get("policy")
    if text is None:
        if "signature" in fields or "x-amz-signature" in fields:
            raise invalid("Bucket POST must contain a field named 'policy' where it is signed.")
        return None
    if "x-amz-signature" in fields or "x-amz-algorithm" in fields:
        request.admit(await callers.identify_text(request.svc, signatures.read_fields(fields), text))
    elif fields.get("awsaccesskeyid") and fields.get("signature"):
        request.admit(await callers.identify_v2(request.svc, SignatureV2(fields["awsaccesskeyid"], fields["signature"]), [text]))
    else:
        raise invalid("Bucket POST must contain a field named 'AWSAccessKeyId' and one named 'signature', or those of version 4.")
    return read_policy(text)


async def _measured(form: FormReader, policy: PostPolicy | None) -> AsyncIterator[bytes]:
    """The file, of the size that the policy allows: ends with an error before anything of it can be seen."""
    size = 0
    most = policy.most if policy is not None else None
    async for piece in form.data():
        size += len(piece)
        if most is not None and size > most:
            raise S3Fault("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size", shown={"MaxSizeAllowed": str(most)})
        yield piece
    if policy is not None and size < policy.least:
        shown = {"ProposedSize": str(size), "MinSizeAllowed": str(policy.least)}
        raise S3Fault("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size", shown=shown)


def _redirect(fields: dict[str, str]) -> str | None:
    """Where the form wants to go; None for nowhere, or for what is no address."""
    text = fields.get("success_action_redirect") or fields.get("redirect") or ""
    try:
        return text if text.isprintable() and urlsplit(text).scheme in ("http", "https") else None
    except ValueError:
        return None


def _answer(request: S3Request, fields: dict[str, str], key: Key, headers: dict[str, str]) -> Answer:
    tag = etag(headers["ETag"])
    location = f"/{quote(request.bucket)}/{quote(key.name)}"
    redirect = _redirect(fields)
    if redirect is not None:
        told = "&".join(f"{name}={quote(value, safe='')}" for name, value in (("bucket", request.bucket), ("key", key.name), ("etag", tag)))
        target = f"{redirect}{'&' if '?' in redirect else '?'}{told}"
        return Answer(303, headers | {"Location": quote(target, safe=":/?#[]@!$&'()*+,;=%~")})
    headers["Location"] = location
    if fields.get("success_action_status") == "201":
        parts = (xml.tag("Location", location), xml.tag("Bucket", request.bucket), xml.tag("Key", key.name), xml.tag("ETag", tag))
        return Answer(201, headers, xml.document("PostResponse", *parts), content_type=XML)
    return Answer(200 if fields.get("success_action_status") == "200" else 204, headers)
