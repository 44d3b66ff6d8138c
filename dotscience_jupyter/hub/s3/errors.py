# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Errors as S3 clients know them: a code, a status, and words for a person."""

from __future__ import annotations

from dotscience_jupyter.api.errors import ApiError

STATUS = {
    "AccessDenied": 403,
    "AuthorizationHeaderMalformed": 400,
    "AuthorizationQueryParametersError": 400,
    "BadDigest": 400,
    "BucketAlreadyExists": 409,
    "BucketAlreadyOwnedByYou": 409,
    "BucketNotEmpty": 409,
    "EntityTooLarge": 400,
    "EntityTooSmall": 400,
    "IncompleteBody": 400,
    "InternalError": 500,
    "InvalidAccessKeyId": 403,
    "InvalidArgument": 400,
    "InvalidBucketName": 400,
    "InvalidDigest": 400,
    "InvalidPart": 400,
    "InvalidPartOrder": 400,
    "InvalidRange": 416,
    "InvalidRequest": 400,
    "InvalidTag": 400,
    "InvalidURI": 400,
    "KeyTooLongError": 400,
    "MalformedXML": 400,
    "MetadataTooLarge": 400,
    "MethodNotAllowed": 405,
    "MissingContentLength": 411,
    "NoSuchBucket": 404,
    "NoSuchKey": 404,
    "NoSuchUpload": 404,
    "NoSuchVersion": 404,
    "NotImplemented": 501,
    "NotModified": 304,
    "OperationAborted": 409,
    "PreconditionFailed": 412,
    "RequestHeaderSectionTooLarge": 400,
    "RequestTimeTooSkewed": 403,
    "ServiceUnavailable": 503,
    "SignatureDoesNotMatch": 403,
    "SlowDown": 503,
    "TooManyParts": 400,
    "XAmzContentSHA256Mismatch": 400,
}
"""HTTP status by error code, as the S3 API reference has them."""


class S3Error(ApiError):
    """What a client is told instead of an answer.

    Parameters
    ----------
    code
        One of :data:`STATUS`.
    message
        What happened and what to do, for a person.
    elements
        Further elements of the answer, such as ``Key`` or ``ArgumentName``.
    """

    def __init__(self, code: str, message: str, **elements: str) -> None:
        super().__init__(STATUS[code], code, message)
        self.elements = elements


def not_implemented(what: str) -> S3Error:
    """Return the error for something that S3 has and this hub has not."""
    return S3Error("NotImplemented", f"{what} is not available on this hub. Nothing was changed.")


def invalid(name: str, message: str) -> S3Error:
    """Return the error for an argument that cannot be used."""
    return S3Error("InvalidArgument", message, ArgumentName=name)


def no_such_key(key: str) -> S3Error:
    """Return the error for an object that is not there."""
    return S3Error("NoSuchKey", "The specified key does not exist.", Key=key)


def of_api(error: ApiError) -> S3Error:
    """Return what an S3 client is told of an error of the hub's other parts."""
    if isinstance(error, S3Error):
        return error
    code = _OF_STATUS.get(
        error.status, "InternalError" if error.status >= 500 else "InvalidRequest"
    )
    if code == "NoSuchBucket":
        return S3Error(code, "The specified bucket does not exist, or you may not see it.")
    found = S3Error(code, error.message)
    if code in ("SlowDown", "ServiceUnavailable"):
        found.details = error.details  # seconds to wait
    return found


_OF_STATUS = {
    401: "AccessDenied",
    403: "AccessDenied",
    404: "NoSuchBucket",
    405: "MethodNotAllowed",
    409: "OperationAborted",
    413: "EntityTooLarge",
    423: "OperationAborted",
    429: "SlowDown",
    503: "ServiceUnavailable",
}
