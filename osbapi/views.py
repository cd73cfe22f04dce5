"""One view a resource: read the request, one domain call, answer."""

import uuid
from typing import Any

from django.http import HttpResponse
from django.utils.cache import get_conditional_response
from rest_framework import exceptions
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from instances import errors
from instances.models import Kind, Operation, ServiceBinding, ServiceInstance
from instances.models.service_binding import MADE
from instances.operations import (
    bind,
    deprovision,
    developer,
    provision,
    unbind,
    update,
)
from instances.operations.broker_parameters import wishes
from instances.operations.catalog import check_plan
from instances.operations.execution import run_now, web_owner
from osbapi import responses, serializers
from osbapi.age import asked_at
from osbapi.authentication import PlatformAuthentication
from osbapi.errors import handle
from osbapi.identity import actor, api_host, request_identity
from osbapi.versioning import check_version


class OnlyJSON(BaseContentNegotiation):
    """The answer is JSON whatever the client says it accepts."""

    def select_parser(self, request: Any, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Any, renderers: Any, suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class PlatformView(APIView):
    """Every route: login first, then the version, then the ids."""

    authentication_classes = [PlatformAuthentication]
    permission_classes = [IsAuthenticated]
    parser_classes = [serializers.BodyParser]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = OnlyJSON
    metadata_class = None  # OPTIONS is no method of the specification

    def get_exception_handler(self) -> Any:
        return handle

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        check_version(request)
        for name, text in kwargs.items():
            serializers.check_id(name, text)

    def finalize_response(
        self, request: Any, response: Any, *args: Any, **kwargs: Any
    ) -> Any:
        super().finalize_response(request, response, *args, **kwargs)
        identity = request_identity(request)
        if identity:
            response["X-Broker-API-Request-Identity"] = identity
        response.setdefault("Cache-Control", "no-store")
        return response


class Unknown(PlatformView):
    """Any other path: known only to those who are logged in."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise exceptions.NotFound


class Catalog(PlatformView):
    def get(self, request: Request) -> HttpResponse:
        """The document, or 304 to a platform that has it already."""
        catalog = responses.catalog()
        response = HttpResponse(catalog.content, headers=catalog.headers)
        conditional = get_conditional_response(
            request._request, catalog.etag, None, response
        )
        answer = conditional or response
        answer["ETag"] = catalog.etag
        answer["Cache-Control"] = catalog.headers["Cache-Control"]
        return answer


class Instance(PlatformView):
    def get(self, request: Request, instance_id: str) -> Response:
        instance = ServiceInstance.objects.get_live(instance_id)
        _check_hints(instance, request)
        if instance.state != ServiceInstance.State.READY:
            raise errors.NotFound("This service instance cannot be fetched now.")
        return responses.instance(instance)

    def put(self, request: Request, instance_id: str) -> Response:
        is_async = serializers.accepts_incomplete(request.query_params)
        wish = serializers.read(serializers.ProvisionRequest, request.data)
        operation, is_new = provision.accept(
            guid=instance_id,
            offering_id=wish.pop("service_id"),
            actor=actor(request),
            api_host=api_host(request),
            owner="" if is_async else web_owner(),
            adopter=web_owner(),
            asked_at=asked_at(request),
            **wish,
        )
        if is_new and operation.owner:
            operation = run_now(operation, once=not is_async)
            # A standby that has died: the worker goes on with a new container.
            if operation.is_finished or not is_async:
                _succeeded(operation)
        if operation.is_finished:
            return responses.provisioned(operation, is_new=is_new)
        if not is_async:
            raise errors.ConcurrencyError
        return responses.accepted(operation)

    def patch(self, request: Request, instance_id: str) -> Response:
        is_async = serializers.accepts_incomplete(request.query_params)
        wish = serializers.read(serializers.UpdateRequest, request.data)
        if wishes(wish["parameters"]):
            return responses.accepted(self._own(instance_id, wish, is_async))
        instance, operation = update.accept(
            guid=instance_id,
            offering_id=wish["service_id"],
            plan_id=wish.get("plan_id") or "",
            wanted=wish["parameters"],
            context=wish["context"],
            maintenance_version=(wish.get("maintenance_info") or {}).get("version", ""),
            actor=actor(request),
            owner="" if is_async else web_owner(),
        )
        if operation is None:
            return responses.updated(instance)
        if is_async:
            return responses.accepted(operation)
        if operation.owner != web_owner():
            raise errors.ConcurrencyError
        return responses.updated(_succeeded(run_now(operation)).instance)

    def _own(self, guid: str, wish: dict[str, Any], is_async: bool) -> Operation:
        """What is asked of the broker and not of the database."""
        return developer.accept(
            guid=guid,
            offering_id=wish["service_id"],
            wanted=wish["parameters"],
            actor=actor(self.request),
            owner="" if is_async else web_owner(),
        )

    def delete(self, request: Request, instance_id: str) -> Response:
        is_async = serializers.accepts_incomplete(request.query_params)
        query = serializers.read(serializers.DeletionQuery, request.query_params)
        instance = deprovision.find_or_bury(instance_id, query["plan_id"])
        if instance is None:
            raise errors.Gone("This service instance does not exist any more.")
        check_plan(
            instance,
            offering_id=query["service_id"],
            plan_id=query["plan_id"],
            or_former=True,
        )
        operation, is_new = deprovision.accept(
            instance, actor=actor(request), owner="" if is_async else web_owner()
        )
        if is_async:
            return responses.accepted(operation)
        if not is_new:
            raise errors.ConcurrencyError
        _succeeded(run_now(operation))
        return responses.deleted()


class LastOperation(PlatformView):
    def get(self, request: Request, instance_id: str) -> Response:
        instance = ServiceInstance.objects.find_last(instance_id)
        if instance is None:
            raise errors.NotFound("There is no such service instance.")
        _check_hints(instance, request)
        operations = Operation.objects
        name = _name_in(request)
        operation = name and operations.find_polled(instance.key, name)
        operation = operation or operations.find_latest(instance)
        if operation is None:
            raise errors.NotFound("There is no such service instance.")
        return responses.last_operation(operation)


class Binding(PlatformView):
    def get(self, request: Request, instance_id: str, binding_id: str) -> Response:
        instance = ServiceInstance.objects.get_live(instance_id)
        _check_hints(instance, request)
        binding = ServiceBinding.objects.get_live(instance, binding_id)
        if binding.state not in MADE:
            raise errors.NotFound("There is no such service binding.")
        return responses.bound(binding, with_parameters=True)

    def put(self, request: Request, instance_id: str, binding_id: str) -> Response:
        serializers.accepts_incomplete(request.query_params)
        wish = serializers.read(serializers.BindRequest, request.data)
        app_guid = wish.pop("app_guid", None)
        binding, operation = bind.accept(
            instance_guid=instance_id,
            guid=binding_id,
            offering_id=wish.pop("service_id", ""),
            plan_id=wish.pop("plan_id", ""),
            app_guid=(app_guid or str(wish["bind_resource"].get("app_guid") or ""))[
                :255
            ],
            predecessor_guid=wish.pop("predecessor_binding_id", None) or "",
            actor=actor(request),
            owner=web_owner(),
            asked_at=asked_at(request),
            **wish,
        )
        if operation is not None:
            binding = _succeeded(run_now(operation)).binding or binding
        return responses.bound(binding, status=201 if operation else 200)

    def delete(self, request: Request, instance_id: str, binding_id: str) -> Response:
        serializers.accepts_incomplete(request.query_params)
        query = serializers.read(serializers.DeletionQuery, request.query_params)
        operation = unbind.accept(
            instance_guid=instance_id,
            guid=binding_id,
            offering_id=query["service_id"],
            plan_id=query["plan_id"],
            actor=actor(request),
            owner=web_owner(),
        )
        _succeeded(run_now(operation))
        return responses.deleted()


class LastBindingOperation(PlatformView):
    def get(self, request: Request, instance_id: str, binding_id: str) -> Response:
        """Binds are synchronous; a platform that lost the answer may still ask."""
        instance = ServiceInstance.objects.get_live(instance_id)
        _check_hints(instance, request)
        alike = instance.bindings.filter(guid=binding_id)
        rows = Operation.objects.filter(
            # To the letter, as not every database compares.
            binding__in=[row.pk for row in alike if row.guid == binding_id],
            kind__in=(Kind.BIND, Kind.UNBIND),
        )
        name = _name_in(request)
        operation = name and rows.filter(pk=name).first()
        operation = operation or rows.order_by("created_at").last()
        if operation is None:
            raise errors.NotFound("There is no such service binding.")
        return responses.last_operation(operation)


def _name_in(request: Request) -> uuid.UUID | None:
    """The operation that the platform names, if it could be one of ours."""
    try:
        return uuid.UUID(request.query_params.get("operation", ""))
    except ValueError:
        return None


def _check_hints(instance: ServiceInstance, request: Request) -> None:
    """OSB 2.17: service_id and plan_id may be left out of a query, not be wrong."""
    check_plan(
        instance,
        offering_id=request.query_params.get("service_id", instance.plan.offering_id),
        plan_id=request.query_params.get("plan_id", instance.plan_id),
        or_former=True,
    )


def _succeeded(operation: Operation) -> Operation:
    """Raise what went wrong instead, in words for the platform's user."""
    if operation.state == Operation.State.CANCELLED:
        raise errors.ConcurrencyError
    if operation.state != Operation.State.SUCCEEDED:
        raise errors.BrokerError(operation.error, detail=operation.detail)
    return operation
