"""Faults in S3's words. Not for rendering: `api.s3.answers` does that."""

from __future__ import annotations

from collections.abc import Mapping

from synnefo_common.errors import Fault

# Code → status and what it says when nothing more exact is known. Where clients compare the text it is what the API says.
CODES: Mapping[str, tuple[int, str]] = {
    "AccessDenied": (403, "Access Denied"),
    "AuthorizationHeaderMalformed": (400, "The Authorization header is malformed."),
    "AuthorizationQueryParametersError": (400, "The query parameters of the signature are malformed."),
    "BadDigest": (400, "The Content-MD5 you specified did not match what we received."),
    "BucketAlreadyExists": (409, "The bucket name is taken by another project."),
    "BucketAlreadyOwnedByYou": (409, "The bucket is yours already."),
    "BucketNotEmpty": (409, "The bucket holds objects or versions of objects."),
    "EntityTooLarge": (400, "The upload is larger than an object may be."),
    "EntityTooSmall": (400, "A part that is not the last one is smaller than the minimum."),
    "IllegalLocationConstraintException": (400, "This region is not the endpoint's."),
    "IncompleteBody": (400, "The request body terminated unexpectedly"),
    "InsufficientStorage": (507, "There is no space left to keep this."),
    "InvalidAccessKeyId": (403, "The access key does not exist."),
    "InvalidArgument": (400, "An argument is invalid."),
    "InvalidBucketName": (400, "The bucket name is invalid."),
    "InvalidBucketState": (409, "The request is not valid for the bucket as it is."),
    "InvalidChunkSizeError": (403, "Only the last chunk is allowed to have a size less than 8192 bytes"),
    "InvalidDigest": (400, "The Content-MD5 you specified was invalid."),
    "InvalidPart": (
        400,
        (
            "One or more of the specified parts could not be found.  The part may not have been uploaded, "
            "or the specified entity tag may not match the part's entity tag."
        ),
    ),
    "InvalidPartNumber": (416, "The requested partnumber is not satisfiable"),
    "InvalidPartOrder": (400, "The parts are not in ascending order."),
    "InvalidPolicyDocument": (400, "The policy of the form cannot be read."),
    "InvalidRange": (416, "The range is not in the object."),
    "InvalidRequest": (400, "The request is invalid."),
    "InvalidStorageClass": (400, "There is one storage class: STANDARD."),
    "InvalidTag": (400, "A tag is not valid."),
    "InvalidURI": (400, "The URI cannot be read."),
    "KeyTooLongError": (400, "The key is too long."),
    "MalformedACLError": (400, "The ACL cannot be read."),
    "MalformedXML": (400, "The XML you provided was not well-formed or did not validate against our published schema"),
    "MalformedTrailerError": (400, "The request contained trailing data that was not well-formed or did not conform to our published schema."),
    "MaxPostPreDataLengthExceeded": (400, "Your POST request fields preceding the upload file were too large."),
    "MetadataTooLarge": (400, "The metadata is larger than 2 KB."),
    "MethodNotAllowed": (405, "This method is not offered here."),
    "MissingContentLength": (411, "You must provide the Content-Length HTTP header."),
    "NoSuchBucket": (404, "The specified bucket does not exist"),
    "NoSuchKey": (404, "The specified key does not exist."),
    "NoSuchUpload": (404, "The upload does not exist: it may have been completed or aborted."),
    "NoSuchVersion": (404, "The version does not exist."),
    "NotImplemented": (501, "This cloud does not offer what was asked for."),
    "ObjectLockConfigurationNotFoundError": (404, "Object Lock configuration does not exist for this bucket"),
    "OperationAborted": (409, "Another operation on the same thing is under way: try again."),
    "PreconditionFailed": (412, "A precondition of the request does not hold."),
    "QuotaExceeded": (403, "The quota does not allow this."),
    "RequestTimeTooSkewed": (403, "The request's time is too far from this server's."),
    "RequestTimeout": (400, "The body did not arrive."),
    "ServiceUnavailable": (503, "The server cannot answer now: try again later."),
    "SignatureDoesNotMatch": (
        403,
        "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
    ),
    "SlowDown": (503, "Please reduce your request rate."),
    "TooManyBuckets": (400, "There are too many buckets."),
    "XAmzContentSHA256Mismatch": (400, "The provided 'x-amz-content-sha256' header does not match what was computed."),
}


class S3Fault(Fault):
    """An error answer. `shown` are further elements of its XML."""

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        shown: Mapping[str, str] | None = None,
    ) -> None:
        status, standard = CODES[code]
        super().__init__(message or standard, status=status, code=f"object.s3.{code}", kind=code, headers=headers)
        self.shown = dict(shown or {})


def not_implemented(what: str) -> S3Fault:
    """501 for a feature, a header or a parameter that S3 has and we have not."""
    return S3Fault("NotImplemented", f"{what} is not offered by this cloud.")


def invalid(message: str) -> S3Fault:
    """400 for an argument."""
    return S3Fault("InvalidArgument", message)
