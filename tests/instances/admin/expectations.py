"""Who may do what in the console: a line for every page and every action.

test_roles compares this with what the console has: a page or an action without a
line fails there.
"""

from dataclasses import dataclass

LADDER = (
    *("anonymous", "former", "stranger"),
    *("viewer", "operator", "administrator", "superuser"),
)
"""Each may do what those before it may. A former administrator has lost the staff
status, a stranger has it without any role."""


def _from(role: str) -> frozenset[str]:
    return frozenset(LADDER[LADDER.index(role) :])


EVERYBODY = _from("anonymous")
STAFF = _from("stranger")
VIEWERS = _from("viewer")
OPERATORS = _from("operator")
ADMINISTRATORS = _from("administrator")
SUPERUSERS = _from("superuser")
NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Page:
    """Who may GET and who may POST it: the same, if nothing else is said."""

    get: frozenset[str]
    post: frozenset[str] | None = None
    path: str = ""
    """For a route whose pattern does not tell an address."""
    is_found: bool = True
    """Without: even who may is told that there is nothing."""

    @property
    def posting(self) -> frozenset[str]:
        return self.get if self.post is None else self.post


@dataclass(frozen=True)
class Model:
    """The pages that Django's admin makes for each model."""

    view: frozenset[str] = VIEWERS
    add: frozenset[str] = NOBODY
    change: frozenset[str] = NOBODY
    delete: frozenset[str] = NOBODY
    delete_selected: frozenset[str] = NOBODY


MODELS = {
    "auth_group": Model(ADMINISTRATORS, *[SUPERUSERS] * 4),
    "auth_user": Model(*[ADMINISTRATORS] * 5),
    "instances_auditevent": Model(),
    "instances_backup": Model(),
    "instances_broker": Model(change=ADMINISTRATORS),
    "instances_brokercredential": Model(),
    "instances_bulkrun": Model(),
    "instances_container": Model(),
    "instances_dockerhost": Model(VIEWERS, *[ADMINISTRATORS] * 3),
    "instances_loginattempt": Model(ADMINISTRATORS),
    "instances_operation": Model(),
    "instances_portlease": Model(),
    "instances_servicebinding": Model(),
    "instances_serviceinstance": Model(),
    "instances_serviceoffering": Model(VIEWERS, *[ADMINISTRATORS] * 3),
    "instances_serviceplan": Model(VIEWERS, *[ADMINISTRATORS] * 3),
    "instances_worker": Model(),
}

PAGES = {
    "index": Page(STAFF),
    "login": Page(EVERYBODY),
    "logout": Page(EVERYBODY),
    "password_change": Page(STAFF),
    "password_change_done": Page(STAFF),
    "jsi18n": Page(STAFF),
    "app_list": Page(VIEWERS, path="instances/"),
    # No form of the console asks for completions, so none is allowed any.
    "autocomplete": Page(NOBODY),
    # No row has an address on another site.
    "view_on_site": Page(STAFF, is_found=False),
    "(?P<url>.*)$": Page(STAFF, path="no-such-page", is_found=False),
    "auth_user_password_change": Page(ADMINISTRATORS),
    "instances_backup_clone": Page(OPERATORS),
    "instances_backup_copy": Page(NOBODY, OPERATORS),
    "instances_backup_checksum": Page(ADMINISTRATORS),
    "instances_backup_download": Page(NOBODY, ADMINISTRATORS),
    "instances_backup_export": Page(NOBODY, ADMINISTRATORS),
    "instances_backup_off_host": Page(OPERATORS),
    "instances_backup_remove_copy": Page(NOBODY, OPERATORS),
    "instances_backup_restore": Page(OPERATORS),
    "instances_bulkrun_progress": Page(VIEWERS),
    "instances_bulkrun_start": Page(OPERATORS),
    "instances_bulkrun_steer": Page(NOBODY, OPERATORS),
    "instances_catalog_preview": Page(VIEWERS),
    "instances_dockerhost_accept": Page(ADMINISTRATORS),
    "instances_dockerhost_adopt": Page(OPERATORS, is_found=False),
    "instances_dockerhost_cancel_drain": Page(NOBODY, OPERATORS),
    "instances_dockerhost_check": Page(OPERATORS),
    "instances_dockerhost_concede": Page(OPERATORS),
    "instances_dockerhost_containers": Page(VIEWERS, NOBODY),
    "instances_dockerhost_drain": Page(OPERATORS),
    "instances_dockerhost_images": Page(VIEWERS),
    "instances_dockerhost_placement": Page(VIEWERS),
    "instances_dockerhost_prestage": Page(OPERATORS),
    "instances_dockerhost_remove_container": Page(OPERATORS, is_found=False),
    "instances_dockerhost_remove": Page(ADMINISTRATORS),
    "instances_operation_cancel": Page(NOBODY, OPERATORS),
    "instances_operation_retry": Page(NOBODY, OPERATORS),
    "instances_servicebinding_reveal": Page(ADMINISTRATORS),
    "instances_serviceinstance_back_up": Page(OPERATORS),
    "instances_serviceinstance_backup_policy": Page(OPERATORS),
    "instances_serviceinstance_bindings_renewed": Page(OPERATORS),
    "instances_serviceinstance_deprovision": Page(OPERATORS),
    **{
        f"instances_serviceinstance_tab_{slug}": Page(VIEWERS, NOBODY)
        for slug in (
            *("audit", "backups", "bindings", "container", "operations"),
            *("live", "live_now", "logs", "logs_part", "logs_file"),
        )
    },
    "instances_serviceinstance_move": Page(OPERATORS),
    "instances_serviceinstance_export": Page(
        NOBODY, VIEWERS, path="instances/serviceinstance/export/csv/"
    ),
    "instances_serviceinstance_force_deprovision": Page(ADMINISTRATORS),
    "instances_serviceinstance_resize": Page(OPERATORS),
    "instances_serviceinstance_restart": Page(OPERATORS),
    "instances_serviceinstance_rotate_secret": Page(OPERATORS),
    "instances_serviceinstance_start": Page(OPERATORS),
    "instances_serviceinstance_stop": Page(OPERATORS),
    "instances_serviceinstance_upload_backup": Page(ADMINISTRATORS),
    "instances_serviceinstance_upgrade": Page(OPERATORS),
}

ACTIONS = {
    "instances_loginattempt.unlock": ADMINISTRATORS,
    "instances_serviceinstance.back_up_chosen": OPERATORS,
    "instances_serviceinstance.deprovision_chosen": OPERATORS,
    "instances_serviceinstance.lift_disk_limit": OPERATORS,
    "instances_serviceinstance.restart_chosen": OPERATORS,
    "instances_serviceinstance.upgrade_chosen": OPERATORS,
}


def of_page(key: str, model: str) -> Page:
    """Raise KeyError for a page without a line."""
    if key in PAGES or not model:
        return PAGES[key]
    said = MODELS[model]
    pages = {
        f"{model}_changelist": Page(said.view),
        f"{model}_add": Page(said.add),
        f"{model}_change": Page(said.view, said.change),
        f"{model}_delete": Page(said.delete),
        f"{model}_history": Page(said.view),
        # It only leads on to the page of the row.
        f"{model}/<path:object_id>/": Page(STAFF),
    }
    return pages[key]


def of_action(model: str, name: str) -> frozenset[str]:
    """Raise KeyError for an action without a line."""
    if name == "delete_selected":
        return MODELS[model].delete_selected
    return ACTIONS[f"{model}.{name}"]
