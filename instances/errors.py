"""What can go wrong, in one tree.

    BrokerError
    ├── InvalidRequest        the platform asked for something that cannot be
    ├── NotFound              no such service instance or binding
    ├── Gone                  deleted, or never known
    ├── Conflict              the id is taken by something else
    ├── MaintenanceInfoConflict  the platform's catalog is older or newer
    ├── AsyncRequired         it takes longer than a request may
    ├── UpdateNotSupported    this change cannot be made to an instance
    ├── ConcurrencyError      another operation holds the resource
    ├── NoCapacity            no host has room
    ├── BackupRefused         a backup would not hold the data
    ├── DiskFull              the host's disk has no room for it
    ├── ArchiveRefused        a file is no backup, or not one to be taken in
    ├── TransfersBusy         as many transfers as may are under way
    ├── ContainerFailed       the database's container cannot run
    │   └── ImageMissing
    ├── ImageFailed           an image cannot be built or pulled
    ├── Unreadable            a secret that no encryption key opens
    ├── LoginRefused          a person is not let in
    ├── Cancelled             an operator has asked to give it up
    ├── Transient             worth another try, later
    │   ├── HostUnreachable   the Docker Engine does not answer
    │   │   ├── HostRefused   it answers with an error
    │   │   └── WrongEngine   another Docker Engine answers in its place
    │   ├── PortTaken         the host's port belongs to somebody else
    │   ├── EngineUnreachable the database does not answer
    │   ├── LoginUnavailable  who knows the persons does not answer
    │   └── PlatformUnavailable  Cloud Controller does not say what it knows
    └── Stopped               this attempt must not write any more
        ├── LeaseLost         another worker, or a deprovision, has taken over
        └── Interrupted       this process is shutting down

``str(error)`` is fit for the platform's user. ``detail`` is for the operator.
"""


class BrokerError(Exception):
    message = "The service broker could not do this."

    def __init__(self, message: str = "", *, detail: str = "") -> None:
        super().__init__(message or self.message)
        self.detail = detail or str(self)


class InvalidRequest(BrokerError):
    message = "The request is not valid."


class NotFound(BrokerError):
    message = "There is no such resource."


class Gone(BrokerError):
    message = "This resource does not exist any more."


class Conflict(BrokerError):
    message = "This id is in use with other attributes."


class MaintenanceInfoConflict(BrokerError):
    """OSB 2.17, Maintenance Info: the code and the sentence are the spec's."""

    message = "The maintenance information for the requested Service Plan has changed."


class AsyncRequired(BrokerError):
    """OSB 2.17, Asynchronous Operations: the code and the sentence are the spec's."""

    message = (
        "This Service Plan requires client support for asynchronous service operations."
    )


class UpdateNotSupported(BrokerError):
    message = "This service instance cannot be changed in this way."


class ConcurrencyError(BrokerError):
    """OSB 2.17, Blocking Operations: the code and the sentence are the spec's."""

    message = "Another operation for this Service Instance is in progress."


class NoCapacity(BrokerError):
    message = "There is no room for another service instance of this plan."


class BackupRefused(BrokerError):
    message = "A backup of this database would not hold its data."


class DiskFull(BrokerError):
    message = "There is not enough room on the disk of the database's host."


class ArchiveRefused(BrokerError):
    message = "This file is not a backup that can be taken in."


class TransfersBusy(BrokerError):
    message = "Other transfers are under way here. Try again when one has ended."


class ContainerFailed(BrokerError):
    message = "The database could not be started."


class ImageMissing(ContainerFailed):
    message = "The database's image is missing on the host."


class ImageFailed(BrokerError):
    message = "The image could not be built or pulled."


class Unreadable(BrokerError):
    message = "A stored secret cannot be read."


class LoginRefused(BrokerError):
    message = "The login was refused."


class Cancelled(BrokerError):
    message = "An operator has cancelled this."


class Transient(BrokerError):
    message = "The database's host cannot be reached at the moment."


class HostUnreachable(Transient):
    pass


class HostRefused(HostUnreachable):
    message = "The database's host could not do this."


class WrongEngine(HostUnreachable):
    """Nothing is asked of it, and nothing concluded from what it has (F44)."""

    def __init__(self, *, found: str, known: str) -> None:
        super().__init__(
            detail=f"another Docker Engine answers ({found}) than the one that this "
            f"host is known by ({known}): see its page under Docker hosts"
        )
        self.found = found


class PortTaken(Transient):
    message = "The database's port is not free at the moment."


class EngineUnreachable(Transient):
    message = "The database does not answer at the moment."


class LoginUnavailable(Transient):
    message = "The login service does not answer at the moment."


class PlatformUnavailable(Transient):
    message = "Cloud Controller does not answer as it should."

    def __init__(self, *, detail: str, retry_after_s: int = 0) -> None:
        super().__init__(detail=detail)
        self.retry_after_s = retry_after_s


class Stopped(BrokerError):
    message = "This attempt has ended."


class LeaseLost(Stopped):
    pass


class Interrupted(Stopped):
    pass
