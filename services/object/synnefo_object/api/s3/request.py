"""A request as S3's calls see it: bucket and key, headers, query, the signature, and who asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from urllib.parse import quote, unquote_to_bytes

from starlette.types import Receive, Scope

from synnefo_common.policy import Policy
from synnefo_common.web.context import Context
from synnefo_object.app.access import Caller
from synnefo_object.app.s3 import buckets, callers
from synnefo_object.app.s3.buckets import Bucket, Key
from synnefo_object.app.s3.callers import Signer
from synnefo_object.app.services import Services
from synnefo_object.domain.limits import ACCOUNT_PREFIX
from synnefo_object.domain.paths import Target
from synnefo_object.domain.s3 import signatures, signatures_v2
from synnefo_object.domain.s3.errors import S3Fault, invalid
from synnefo_object.domain.s3.signatures import ALGORITHM, Signature, Signed
from synnefo_object.domain.s3.signatures_v2 import SignatureV2

PREFIX = b"/s3"
_NO_POLICY = Policy([])
_SIGNED_QUERIES = (b"X-Amz-Algorithm=", b"X-Amz-Signature=", b"AWSAccessKeyId=")


def is_s3(scope: Scope, domains: Sequence[str]) -> bool:
    """Whether the request speaks S3: by its path, by the way it is signed, or by its host."""
    path: str = scope["path"]
    if path == "/s3" or path.startswith("/s3/"):
        return True
    for name, value in scope["headers"]:
        if name == b"authorization" and value.startswith((b"AWS4-HMAC-SHA256", b"AWS ")):
            return True
        if domains and name == b"host" and _bucket_of_host(value.decode("latin-1"), domains) is not None:
            return True
    query: bytes = scope.get("query_string", b"")
    return b"=" in query and any(mark in query for mark in _SIGNED_QUERIES)


def _bucket_of_host(host: str, domains: Sequence[str]) -> str | None:
    """The bucket of a virtual-host style request; empty for the domain itself."""
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    for domain in domains:
        if name == domain:
            return ""
        if name.endswith("." + domain):
            return name[: -len(domain) - 1]
    return None


class S3Request:
    """One request. Header names are lower-case; repeated headers are joined by commas."""

    def __init__(self, scope: Scope, receive: Receive, svc: Services) -> None:
        self.scope = scope
        self.svc = svc
        self.method: str = scope["method"]
        self._receive = receive
        self._body_done = False
        self.headers: dict[str, str] = {}
        for raw_name, raw in scope["headers"]:
            name, value = raw_name.decode("latin-1").lower(), raw.decode("utf-8", "surrogateescape")
            self.headers[name] = f"{self.headers[name]},{value}" if name in self.headers else value
        self.pairs = _parse_query(scope.get("query_string", b""))
        self.query = dict(self.pairs)
        raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
        self.path = unquote_to_bytes(raw_path)
        self.bucket, self.key = self._place()
        self.caller = Caller(None, svc, referer=self.headers.get("referer"))
        self.signer: Signer | None = None
        self._found: Bucket | None = None

    def _place(self) -> tuple[str, str]:
        path = self.path
        if path == PREFIX or path.startswith(PREFIX + b"/"):
            path = path[len(PREFIX) :]
        try:
            text = path.decode()
        except UnicodeDecodeError:
            raise S3Fault("InvalidURI") from None
        if "\x00" in text:
            raise S3Fault("InvalidURI")
        hosted = _bucket_of_host(self.headers.get("host", ""), self.svc.settings.s3_domains)
        if hosted:
            return hosted, text[1:]
        bucket, _, key = text[1:].partition("/")
        return bucket, key

    async def authenticate(self) -> None:
        """Find out who asks. Without a signature it is nobody, whom a public bucket may let in. Raises S3Fault."""
        signature = self._read_signature()
        if signature is None:
            return
        if isinstance(signature, SignatureV2):
            await self._authenticate_v2(signature)
            return
        if signature.expires_s is None:
            payload = self.headers.get("x-amz-content-sha256")
            if payload is None:
                raise S3Fault("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
            signatures.check_payload(payload)
        else:
            payload = self.headers.get("x-amz-content-sha256", signatures.UNSIGNED)
        signed = Signed(self.method, self.path, self.pairs, self.headers, payload)
        self.admit(await callers.identify(self.svc, signature, signed))

    async def _authenticate_v2(self, signature: SignatureV2) -> None:
        signatures_v2.check_time(signature, self.headers, self.svc.now_s())
        raw: bytes = self.scope.get("raw_path") or self.scope["path"].encode()
        path = raw.partition(b"?")[0].decode("latin-1")
        # Some sign the path as they send it, some as it would be at AWS: the bucket first, with a slash behind where there is no key.
        bucket = f"/{quote(self.bucket)}"
        hosted = _bucket_of_host(self.headers.get("host", ""), self.svc.settings.s3_domains)
        paths = [bucket + path] if hosted else [path, path.removeprefix(PREFIX.decode()) or "/"]
        if not self.key:
            paths += [path + "/" for path in paths if not path.endswith("/")]
        texts = signatures_v2.strings_to_sign(signature, self.method, list(dict.fromkeys(paths)), self.pairs, self.headers)
        self.admit(await callers.identify_v2(self.svc, signature, texts))

    def admit(self, signer: Signer) -> None:
        """It was he."""
        self.signer = signer
        self.caller.claims = signer.claims
        context = Context(signer.claims, policy=_NO_POLICY, request_id=self.scope["state"]["request_id"], token=signer.token)
        self.caller.roles = context.roles
        self.scope["synnefo.context"] = context

    def _read_signature(self) -> Signature | SignatureV2 | None:
        authorization = self.headers.get("authorization")
        in_query_v2 = "AWSAccessKeyId" in self.query
        in_query = in_query_v2 or "X-Amz-Algorithm" in self.query or "X-Amz-Signature" in self.query
        if authorization is not None and in_query:
            raise invalid("Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter or the Authorization header.")
        if authorization is not None and authorization.startswith(ALGORITHM):
            return signatures.read_header(authorization, self.headers)
        if authorization is not None and authorization.startswith(signatures_v2.SCHEME):
            return signatures_v2.read_header(authorization)
        if in_query_v2:
            return signatures_v2.read_query(self.query)
        if authorization is not None:
            raise S3Fault("InvalidRequest", f"The authorization mechanism you have provided is not supported. Please use {ALGORITHM}.")
        return signatures.read_query(self.query) if in_query else None

    async def find_bucket(self) -> Bucket:
        """Raises NoSuchBucket."""
        if self._found is None:
            self._found = await buckets.find(self.svc, self.caller, self.bucket)
            self.scope["swift.target"] = self._found.target(self.key)
        return self._found

    async def limited_target(self) -> Target:
        """What rates of calls are counted for: the bucket where it is, or where it is to be made; nothing without limits and for nobody."""
        settings, claims = self.svc.settings, self.caller.claims
        if claims is None or not self.bucket or not (settings.account_rate or settings.container_rates or settings.listing_rates):
            return Target("")
        try:
            return (await self.find_bucket()).target(self.key)
        except S3Fault:
            return Target(ACCOUNT_PREFIX + (claims.project_id or ""), self.bucket, self.key)

    async def find_key(self) -> Key:
        """The object's place, with the version that is asked for. Raises NoSuchBucket, InvalidArgument."""
        version = self.query.get("versionId")
        if version == "":
            raise invalid("Version id cannot be the empty string")
        return Key(await self.find_bucket(), self.key, version)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises RequestTimeout when the client goes away."""
        self.scope["object.read"] = True
        while not self._body_done:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._body_done = True
                raise S3Fault("IncompleteBody")
            self._body_done = not message.get("more_body", False)
            piece: bytes = message.get("body", b"")
            if piece:
                yield piece

    async def gone(self) -> None:
        """Returns when the client has gone away."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def number(self, name: str, default: int, *, most: int) -> int:
        """A number of the query, cut to the most that is given at once. Raises InvalidArgument."""
        text = self.query.get(name, "")
        if not text:
            return default
        if not (text.isascii() and text.isdigit()) or int(text[:20]) > 2**31 - 1:
            raise S3Fault(
                "InvalidArgument", f"Provided {name} not an integer or within integer range", shown={"ArgumentName": name, "ArgumentValue": text}
            )
        return min(int(text), most)


def _parse_query(raw: bytes) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for pair in raw.split(b"&") if raw else ():
        name, _, value = pair.partition(b"=")
        if not pair:
            continue
        try:
            key = unquote_to_bytes(name.replace(b"+", b" ")).decode()
            text = unquote_to_bytes(value.replace(b"+", b" ")).decode()
        except UnicodeDecodeError:
            raise S3Fault("InvalidURI", "Query parameters must be valid UTF-8.") from None
        if "\x00" in text or "\x00" in key:
            raise S3Fault("InvalidURI", "Query parameters must not contain NUL.")
        found.append((key, text))
    return found
