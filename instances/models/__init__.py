"""The rows. Each state changes by compare-and-set, each rule is a constraint."""

from instances.models.audit_event import WORKER, Actor, AuditEvent
from instances.models.backup import Backup
from instances.models.backup_copy import BackupCopy
from instances.models.backup_override import BackupOverride
from instances.models.broker import Broker, BrokerCredential, Worker
from instances.models.bulk_run import BulkItem, BulkRun
from instances.models.container import Container
from instances.models.docker_host import DockerHost
from instances.models.evidence import Evidence
from instances.models.finding import Finding
from instances.models.host_image import HostImage
from instances.models.login_attempt import LoginAttempt
from instances.models.operation import Operation
from instances.models.operation_kind import Kind
from instances.models.operator_identity import OperatorIdentity
from instances.models.platform_lookup import PlatformLookup
from instances.models.port_lease import PortLease
from instances.models.sample import ContainerSample, HostSample
from instances.models.service_binding import ServiceBinding
from instances.models.service_instance import ServiceInstance
from instances.models.service_offering import ServiceOffering, ServicePlan
from instances.models.tombstone import Tombstone

__all__ = [
    "WORKER",
    "Actor",
    "AuditEvent",
    "Backup",
    "BackupCopy",
    "BackupOverride",
    "Broker",
    "BrokerCredential",
    "BulkItem",
    "BulkRun",
    "Container",
    "ContainerSample",
    "DockerHost",
    "Evidence",
    "Finding",
    "HostImage",
    "HostSample",
    "Kind",
    "LoginAttempt",
    "Operation",
    "OperatorIdentity",
    "PlatformLookup",
    "PortLease",
    "ServiceBinding",
    "ServiceInstance",
    "ServiceOffering",
    "ServicePlan",
    "Tombstone",
    "Worker",
]
