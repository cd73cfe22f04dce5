"""PostgreSQL that only reads: the writers of a database become its readers for a while.

A setting such as default_transaction_read_only is a wish that any session may undo, so
rights are taken instead: each binding's role leaves the owner and joins the reader and
a third role, whose existence says that the database is held. That role remembers who
wrote, and when the last one lost the right. What this cannot take away are rights that
the owner gave to PUBLIC or to the reader itself, or lends in a SECURITY DEFINER
function: a database that grows all the same is stopped.
"""

from typing import LiteralString

from psycopg.sql import Identifier, Literal

from instances import errors
from instances.engines.base import Endpoint, User, binding_users, our_name
from instances.engines.postgres_session import (
    Session,
    open_session,
    reader_of,
    role_id_of,
)


def set_read_only(endpoint: Endpoint, database: str, is_read_only: bool) -> None:
    with open_session(endpoint) as session:
        if is_read_only:
            _hold(session, database)
            _end_sessions_of(session, _held(database), _LOST_THE_RIGHT)
            names = _owners_among(session, _held(database))
        elif role_id_of(session, _held(database)) is not None:
            _release(session, database)
    if is_read_only and names:
        with open_session(endpoint, database) as inside:
            for name in names:
                hand_over(inside, name, database)


def join_group(session: Session, user: User) -> str:
    """Make the role a member of what it may be today: the owner or the reader.

    Return which. Belongs into the transaction that creates the role.
    """
    _serialise(session)
    owner, reader = user.database, reader_of(user.database)
    held = _held(owner)
    is_held = role_id_of(session, held) is not None
    role, other = (reader, owner) if is_held or user.read_only else (owner, reader)
    session.run("REVOKE {} FROM {}", other, user.name)
    session.run("GRANT {} TO {}", role, user.name)
    if is_held:
        memory: LiteralString = (
            "REVOKE {} FROM {}" if user.read_only else "GRANT {} TO {}"
        )
        session.run(memory, held, user.name)
    # What it makes belongs to the owner; a reader makes nothing.
    session.run("ALTER ROLE {} SET role = {}", user.name, role)
    return role


def hand_over(inside: Session, name: str, owner: str) -> None:
    """Give what a role made as itself to the owner, and take its own rights."""
    inside.run("REASSIGN OWNED BY {} TO {}", name, Identifier(owner))
    inside.run("DROP OWNED BY {}", name)


def _hold(session: Session, database: str) -> None:
    """Turn all writers into readers, at once; those that already are stay."""
    held, reader = _held(database), reader_of(database)
    with session.transaction():
        _serialise(session)
        if role_id_of(session, held) is None:
            session.run("CREATE ROLE {} NOLOGIN", held)
        writers = _members(session, database)
        for name in writers:
            session.run("GRANT {}, {} TO {}", held, reader, name)
            session.run("REVOKE {} FROM {}", database, name)
            session.run("ALTER ROLE {} SET role = {}", name, reader)
        if writers:
            ((now,),) = session.run("SELECT clock_timestamp()::text")
            session.run("COMMENT ON ROLE {} IS {}", held, Literal(now))


def _release(session: Session, database: str) -> None:
    """The writers write again; their sessions end, since they would go on as readers.

    The role that remembers them goes last: a crash in between is made good by the
    next call.
    """
    held = _held(database)
    with session.transaction():
        _serialise(session)
        _let_write(session, database)
    _end_sessions_of(session, held, _ANY)
    with session.transaction():
        _serialise(session)
        _let_write(session, database)
        session.run("DROP ROLE {}", held)


def _let_write(session: Session, database: str) -> None:
    for name in _members(session, _held(database)):
        session.run("GRANT {} TO {}", database, name)
        session.run("REVOKE {} FROM {}", reader_of(database), name)
        session.run("ALTER ROLE {} SET role = {}", name, database)


def _held(database: str) -> str:
    """The name of the role that remembers the writers: d1 has w1."""
    return f"w{our_name(database)[1:]}"


def _serialise(session: Session) -> None:
    """No two transactions change the groups at once: no tenant reaches this lock."""
    session.run("SELECT pg_advisory_xact_lock(1)")


def _members(session: Session, role: str) -> list[str]:
    """The bindings' users that are members of it."""
    rows = session.run(_MEMBERS, Literal(role))
    return sorted(binding_users(row[0] for row in rows))


_MEMBERS: LiteralString = """
    SELECT member.rolname FROM pg_auth_members
    JOIN pg_roles AS role ON role.oid = roleid
    JOIN pg_roles AS member ON member.oid = member
    WHERE role.rolname = {}
"""

_ANY: LiteralString = "true"
# And a few seconds more: a login that was half done still had the right.
_LOST_THE_RIGHT: LiteralString = (
    "backend_start < shobj_description(role.oid, 'pg_authid')::timestamptz"
    " + interval '3 s'"
)


def _end_sessions_of(session: Session, role: str, which: LiteralString) -> None:
    """End those of a role's members. Raise EngineUnreachable if one does not end."""
    for (has_ended,) in session.run(_END + which, Literal(role)):
        if not has_ended:
            raise errors.EngineUnreachable(detail=f"sessions of {role} do not end")


_END: LiteralString = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    JOIN pg_auth_members ON member = usesysid
    JOIN pg_roles AS role ON role.oid = roleid
    WHERE role.rolname = {} AND """


def _owners_among(session: Session, role: str) -> list[str]:
    """The members that own something themselves, or were given a right of their own."""
    return [row[0] for row in session.run(_OWNERS, Literal(role))]


_OWNERS: LiteralString = """
    SELECT DISTINCT member.rolname FROM pg_shdepend
    JOIN pg_auth_members ON member = refobjid
    JOIN pg_roles AS role ON role.oid = roleid
    JOIN pg_roles AS member ON member.oid = member
    WHERE refclassid = 'pg_authid'::regclass AND dbid <> 0 AND role.rolname = {}
"""
