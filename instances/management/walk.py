"""The demo's walk: what a platform and an app do with a broker, told in sentences."""

import time
import uuid
from collections.abc import Callable
from typing import Any

import pymysql

from instances.management.platform import Instance, Platform, PlatformError

Say = Callable[[str], Any]
NAME = "brokersite-demo"
TAG = "mysql"
"""What this app can talk to."""
ACCESS_DENIED = (1045, 1698)
"""MariaDB says either, so that nobody learns which users there are."""
CLEAN_UP_LIMIT_S = 20.0
ROWS = ("one", "two", "three")


class Walk:
    """One service instance: created, bound, used, unbound, deleted."""

    def __init__(self, platform: Platform, say: Say) -> None:
        self._platform = platform
        self._say = say
        self._binding = str(uuid.uuid4())
        self._is_finished = False
        self._operation = ""
        self._instance: Instance
        self._credentials: dict[str, Any]
        self._session: Any

    def run(self) -> None:
        """Raise PlatformError with the sentence that says what went wrong."""
        self._tell(self._read_catalog)
        try:
            for step in (
                self._create,
                self._wait_until_ready,
                self._bind,
                self._use,
                self._keep_session,
                self._unbind,
                self._find_login_refused,
                self._find_session_dead,
                self._delete,
                self._wait_until_gone,
            ):
                self._tell(step)
            self._is_finished = True
        finally:
            if not self._is_finished:
                self._clean_up()

    def _tell(self, step: Callable[[], str]) -> None:
        started_at = time.monotonic()
        sentence = step()
        self._say(f"{time.monotonic() - started_at:8.3f} s  {sentence}")

    def _read_catalog(self) -> str:
        offerings = self._platform.catalog()
        fitting = [each for each in offerings if TAG in each.get("tags", ())]
        if not fitting:
            raise PlatformError(f"The catalog has no offering with the tag {TAG}.")
        offering, plan = fitting[0], fitting[0]["plans"][0]
        self._instance = Instance(self._platform, offering["id"], plan["id"], NAME)
        return f"The catalog offers {offering['name']}; plan {plan['name']} it is."

    def _create(self) -> str:
        self._operation = self._instance.provision()
        how = "accepted, and under way" if self._operation else "done at once"
        return f"create-service: {how}."

    def _wait_until_ready(self) -> str:
        self._instance.wait_for(self._operation)
        return f"The database is ready (last_operation asked {self._instance.polls}x)."

    def _bind(self) -> str:
        self._credentials = self._instance.bind(self._binding)
        shown = "user {username}, database {name} at {hostname}:{port}"
        return f"bind-service: {shown.format_map(self._credentials)}."

    def _use(self) -> str:
        with self._log_in() as session, session.cursor() as cursor:
            try:
                cursor.execute("CREATE TABLE walk (word VARCHAR(20))")
                cursor.executemany("INSERT INTO walk VALUES (%s)", ROWS)
                session.commit()
                cursor.execute("SELECT word FROM walk")
                found = {row[0] for row in cursor.fetchall()}
            except pymysql.MySQLError as error:
                raise PlatformError(f"The app's SQL failed: {error}") from error
        if found != set(ROWS):
            raise PlatformError(f"The app wrote {ROWS} and read {sorted(found)}.")
        return f"As the app: logged in, made a table, wrote {len(ROWS)} rows, read all."

    def _keep_session(self) -> str:
        self._session = self._log_in()
        return "As the app: a second session is open, and stays so."

    def _unbind(self) -> str:
        self._instance.unbind(self._binding)
        return "unbind-service: done."

    def _find_login_refused(self) -> str:
        try:
            self._connect().close()
        except pymysql.OperationalError as error:
            if error.args[0] in ACCESS_DENIED:
                return "A new login with the same credentials is refused."
            raise PlatformError(
                f"A login after the unbind failed for another reason: {error}"
            ) from error
        raise PlatformError("The credentials still work after the unbind.")

    def _find_session_dead(self) -> str:
        try:
            self._session.query("SELECT 1")
        except pymysql.MySQLError:
            return "The session that was open is dead."
        raise PlatformError("The app's open session has survived the unbind.")

    def _delete(self) -> str:
        self._operation = self._instance.deprovision()
        how = "accepted, and under way" if self._operation else "done at once"
        return f"delete-service: {how}."

    def _wait_until_gone(self) -> str:
        self._instance.wait_for(self._operation)
        return "The database is gone."

    def _connect(self) -> Any:
        return pymysql.connect(
            host=self._credentials["hostname"],
            port=self._credentials["port"],
            user=self._credentials["username"],
            password=self._credentials["password"],
            database=self._credentials["name"],
            connect_timeout=10,
            read_timeout=10,
        )

    def _log_in(self) -> Any:
        try:
            return self._connect()
        except pymysql.MySQLError as error:
            raise PlatformError(
                f"The app cannot log in with its credentials: {error}"
            ) from error

    def _clean_up(self) -> None:
        """A create whose answer was lost may have left an instance, so ask anyway."""
        try:
            self._instance.unbind(self._binding)
        except PlatformError as error:
            self._say(f"The clean-up could not unbind: {error}")
        try:
            operation = self._instance.deprovision()
            self._instance.wait_for(operation, limit_s=CLEAN_UP_LIMIT_S)
            self._say("Cleaned up: the service instance of this walk is gone.")
        except PlatformError as error:
            self._say(
                f"Service instance {self._instance.guid} is not gone yet: {error}"
            )
