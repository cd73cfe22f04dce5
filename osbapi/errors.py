"""Errors as platforms get them: the only module that knows status codes."""

import logging
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import Error as DatabaseTrouble
from django.http import HttpRequest, JsonResponse
from rest_framework import exceptions, status
from rest_framework.response import Response

from instances import errors, transactions

logger = logging.getLogger(__name__)


class MalformedRequest(errors.InvalidRequest):
    """The body is not what the specification says."""


class UnsupportedVersion(errors.BrokerError):
    """X-Broker-API-Version is missing or of another major version."""


# A refusal is 400: Cloud Controller takes a 422 with a code that it does not know
# for a fault and deletes the instance (its orphan mitigation).
_STATUSES: dict[type[errors.BrokerError], int] = {
    errors.InvalidRequest: status.HTTP_400_BAD_REQUEST,
    errors.NoCapacity: status.HTTP_400_BAD_REQUEST,
    errors.NotFound: status.HTTP_404_NOT_FOUND,
    errors.Conflict: status.HTTP_409_CONFLICT,
    errors.Gone: status.HTTP_410_GONE,
    UnsupportedVersion: status.HTTP_412_PRECONDITION_FAILED,
    errors.MaintenanceInfoConflict: status.HTTP_422_UNPROCESSABLE_ENTITY,
    errors.AsyncRequired: status.HTTP_422_UNPROCESSABLE_ENTITY,
    errors.UpdateNotSupported: status.HTTP_422_UNPROCESSABLE_ENTITY,
    errors.ConcurrencyError: status.HTTP_422_UNPROCESSABLE_ENTITY,
    errors.Transient: status.HTTP_503_SERVICE_UNAVAILABLE,
}
_FRAMEWORK_SENTENCES: dict[int, str] = {
    status.HTTP_404_NOT_FOUND: "There is no such path in the Open Service Broker API.",
}
UNEXPECTED = "The service broker failed unexpectedly; its operator can see why."


def handle(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's exception handler: every error is a JSON object with a description."""
    if isinstance(error, errors.BrokerError):
        return _from_domain(error)
    if isinstance(error, RequestDataTooBig):
        return _response(413, "RequestTooLarge", "The body is larger than 1 MiB.")
    if isinstance(error, exceptions.APIException):
        return _from_framework(error)
    # Of an outage there is no more to say than this, and many requests say it.
    is_outage = transactions.is_passing(error)
    said = f"the database is down, or too busy: {error}" if is_outage else "unexpected"
    logger.error(said, exc_info=None if is_outage else error)
    if isinstance(error, DatabaseTrouble):
        sentence = "The service broker's database is down, or too busy: try again."
        return _response(503, "Unavailable", sentence, {"Retry-After": "5"})
    return _response(500, "InternalError", UNEXPECTED)


def _from_domain(error: errors.BrokerError) -> Response:
    code = next(
        (_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES),
        status.HTTP_500_INTERNAL_SERVER_ERROR,
    )
    logger.info("answered %s %s: %s", code, type(error).__name__, error.detail)
    response = _response(code, type(error).__name__, str(error))
    if isinstance(error, errors.UpdateNotSupported):
        # Asking again would be as vain (OSB-CHECKLIST 35, 98).
        response.data["update_repeatable"] = False
    return response


def _from_framework(error: exceptions.APIException) -> Response:
    code = error.status_code
    detail = error.detail
    sentence = detail if isinstance(detail, str) else _join(detail)
    headers = {}
    if isinstance(error, exceptions.AuthenticationFailed | exceptions.NotAuthenticated):
        headers["WWW-Authenticate"] = 'Basic realm="brokersite"'
        code = status.HTTP_401_UNAUTHORIZED
    if isinstance(error, exceptions.Throttled):
        headers["Retry-After"] = str(getattr(error, "wait", 1))
    name = "".join(part.title() for part in str(error.default_code).split("_"))
    return _response(code, name, _FRAMEWORK_SENTENCES.get(code, sentence), headers)


def _join(detail: Any) -> str:
    """Name each field with what is wrong: 'plan_id: This field is required.'"""
    if isinstance(detail, dict):
        return " ".join(f"{field}: {_join(value)}" for field, value in detail.items())
    if isinstance(detail, list):
        return " ".join(_join(item) for item in detail)
    return str(detail)


def _response(
    code: int, name: str, description: str, headers: dict[str, str] | None = None
) -> Response:
    return Response(
        {"error": name, "description": description}, status=code, headers=headers
    )


def server_error(request: HttpRequest) -> JsonResponse:
    """For what goes wrong outside a view, under /v2."""
    return JsonResponse(
        {"error": "InternalError", "description": UNEXPECTED}, status=500
    )


def bad_request(request: HttpRequest, exception: Exception) -> JsonResponse:
    """For what Django refuses before a view sees it, under /v2."""
    return JsonResponse(
        {"error": "BadRequest", "description": "The request is not valid HTTP for us."},
        status=400,
    )
