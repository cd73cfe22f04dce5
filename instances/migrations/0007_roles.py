"""The console's roles, as Django's groups with the permissions of each."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

SEEN = (
    "auditevent backup broker brokercredential container dockerhost operation "
    "portlease servicebinding serviceinstance serviceoffering serviceplan worker"
)
VIEWER = [f"instances.view_{name}" for name in SEEN.split()]
OPERATOR = [
    *VIEWER,
    "instances.back_up_serviceinstance",
    "instances.upgrade_serviceinstance",
    "instances.lift_disk_limit_serviceinstance",
    "instances.deprovision_serviceinstance",
    "instances.set_backup_policy_serviceinstance",
    "instances.restore_backup",
    "instances.clone_backup",
    "instances.copy_backup",
    "instances.check_dockerhost",
    "instances.prestage_dockerhost",
]
ADMINISTRATOR = [
    *OPERATOR,
    "instances.force_deprovision_serviceinstance",
    "instances.reveal_servicebinding",
    "instances.download_backup",
    "instances.upload_backup_serviceinstance",
    "instances.change_broker",
    *(
        f"{what}_{model}"
        for model in ("dockerhost", "serviceoffering", "serviceplan")
        for what in ("instances.add", "instances.change", "instances.delete")
    ),
    *(f"auth.{what}_user" for what in ("view", "add", "change", "delete")),
    "auth.view_group",
]
ROLES = {"viewer": VIEWER, "operator": OPERATOR, "administrator": ADMINISTRATOR}


def make_roles(apps, schema_editor):
    """Add what is missing; a group that has more keeps it."""
    alias = schema_editor.connection.alias
    # Otherwise they are made after the last migration only.
    for label in ("auth", "instances"):
        create_permissions(
            installed.get_app_config(label), verbosity=0, using=alias, apps=apps
        )
    groups = apps.get_model("auth", "Group").objects.using(alias)
    permissions = apps.get_model("auth", "Permission").objects.using(alias)
    ids = {
        f"{label}.{codename}": pk
        for pk, label, codename in permissions.values_list(
            "pk", "content_type__app_label", "codename"
        )
    }
    for role, names in ROLES.items():
        group, _ = groups.get_or_create(name=role)
        group.permissions.add(*(ids[name] for name in names))


def remove_roles(apps, schema_editor):
    groups = apps.get_model("auth", "Group").objects
    groups.using(schema_editor.connection.alias).filter(name__in=ROLES).delete()


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('contenttypes', '0002_remove_content_type_name'),
        ('instances', '0006_backups_off_the_host'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='backup',
            options={'ordering': ['-created_at'], 'permissions': [('restore_backup', 'Can restore backup'), ('clone_backup', 'Can make service instance of backup'), ('copy_backup', 'Can copy backup to another place'), ('download_backup', 'Can download and export backup')]},
        ),
        migrations.AlterModelOptions(
            name='dockerhost',
            options={'ordering': ['name'], 'permissions': [('check_dockerhost', 'Can test connection of Docker host'), ('prestage_dockerhost', 'Can prestage images on Docker host')]},
        ),
        migrations.AlterModelOptions(
            name='servicebinding',
            options={'ordering': ['-created_at'], 'permissions': [('reveal_servicebinding', 'Can reveal credentials')]},
        ),
        migrations.AlterModelOptions(
            name='serviceinstance',
            options={'ordering': ['-created_at'], 'permissions': [('back_up_serviceinstance', 'Can back up service instance'), ('set_backup_policy_serviceinstance', 'Can set backup policy'), ('upload_backup_serviceinstance', 'Can upload backup'), ('upgrade_serviceinstance', 'Can upgrade service instance'), ('lift_disk_limit_serviceinstance', 'Can lift disk limit for an hour'), ('deprovision_serviceinstance', 'Can deprovision service instance'), ('force_deprovision_serviceinstance', 'Can force or forget deprovision')]},
        ),
        migrations.RunPython(make_roles, remove_roles),
    ]
