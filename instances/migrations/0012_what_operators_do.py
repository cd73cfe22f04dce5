"""What an operator does to instances: run states, secrets, bulk runs, cancelling."""

import uuid

import django.db.models.deletion
from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations, models

import instances.encryption

VIEWER = ["instances.view_bulkrun"]
OPERATOR = [
    *VIEWER,
    "instances.restart_serviceinstance",
    "instances.resize_serviceinstance",
    "instances.rotate_secret_serviceinstance",
    "instances.retry_operation",
    "instances.cancel_operation",
]
ROLES = {"viewer": VIEWER, "operator": OPERATOR, "administrator": OPERATOR}


def grant(apps, schema_editor):
    """Add to the groups of 0007 what is new; one that has been removed stays away."""
    alias = schema_editor.connection.alias
    create_permissions(
        installed.get_app_config("instances"), verbosity=0, using=alias, apps=apps
    )
    groups = apps.get_model("auth", "Group").objects.using(alias)
    permissions = apps.get_model("auth", "Permission").objects.using(alias)
    ids = {
        f"{label}.{codename}": pk
        for pk, label, codename in permissions.values_list(
            "pk", "content_type__app_label", "codename"
        )
    }
    for group in groups.filter(name__in=ROLES):
        group.permissions.add(*(ids[name] for name in ROLES[group.name]))


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('contenttypes', '0002_remove_content_type_name'),
        ('instances', '0011_logins_of_persons'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='operation',
            options={'ordering': ['-created_at'], 'permissions': [('retry_operation', 'Can retry operation'), ('cancel_operation', 'Can cancel operation')]},
        ),
        migrations.AlterModelOptions(
            name='serviceinstance',
            options={'ordering': ['-created_at'], 'permissions': [('back_up_serviceinstance', 'Can back up service instance'), ('set_backup_policy_serviceinstance', 'Can set backup policy'), ('upload_backup_serviceinstance', 'Can upload backup'), ('upgrade_serviceinstance', 'Can upgrade service instance'), ('move_serviceinstance', 'Can move service instance'), ('lift_disk_limit_serviceinstance', 'Can lift disk limit for an hour'), ('deprovision_serviceinstance', 'Can deprovision service instance'), ('force_deprovision_serviceinstance', 'Can force or forget deprovision'), ('restart_serviceinstance', 'Can restart, stop and start database'), ('resize_serviceinstance', 'Can change plan of service instance'), ('rotate_secret_serviceinstance', 'Can rotate admin secret of database')]},
        ),
        migrations.AddField(
            model_name='container',
            name='first_secret',
            field=instances.encryption.EncryptedTextField(blank=True, db_default='', default='', editable=False),
        ),
        migrations.AddField(
            model_name='container',
            name='next_secret',
            field=instances.encryption.EncryptedTextField(blank=True, db_default='', default='', editable=False),
        ),
        migrations.AddField(
            model_name='container',
            name='stopped_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='operation',
            name='cancel_asked',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AlterField(
            model_name='operation',
            name='kind',
            field=models.CharField(choices=[('provision', 'Provision'), ('update', 'Update'), ('bind', 'Bind'), ('unbind', 'Unbind'), ('back_up', 'back up'), ('restore', 'Restore'), ('move', 'Move'), ('upload', 'Upload'), ('expire', 'Expire'), ('restart', 'Restart'), ('stop', 'Stop'), ('start', 'Start'), ('rotate_secret', 'rotate admin secret'), ('deprovision', 'Deprovision'), ('recreate_user', 're-create user'), ('adopt', 'Adopt')], max_length=20),
        ),
        migrations.CreateModel(
            name='BulkRun',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('action', models.CharField(choices=[('back_up', 'back up'), ('restart', 'Restart'), ('upgrade', 'Upgrade'), ('deprovision', 'Deprovision')], max_length=20)),
                ('state', models.CharField(choices=[('planned', 'not confirmed yet'), ('running', 'Running'), ('paused', 'Paused'), ('cancelled', 'Cancelled'), ('finished', 'Finished')], default='planned', max_length=20)),
                ('concurrency', models.PositiveSmallIntegerField(default=3, verbose_name='at a time')),
                ('with_backup', models.BooleanField(default=True)),
                ('reason', models.CharField(blank=True, max_length=255)),
                ('requested_by', models.CharField(max_length=150)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('started_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['-created_at'],
                'indexes': [models.Index(fields=['state', 'created_at'], name='instances_b_state_da2258_idx')],
            },
        ),
        migrations.CreateModel(
            name='BulkItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveIntegerField()),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('started', 'under way'), ('succeeded', 'Succeeded'), ('failed', 'Failed'), ('refused', 'Refused'), ('skipped', 'Skipped'), ('cancelled', 'Cancelled')], default='waiting', max_length=20)),
                ('reason', models.TextField(blank=True)),
                ('instance', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='bulk_items', to='instances.serviceinstance')),
                ('operation', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='bulk_items', to='instances.operation')),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='items', to='instances.bulkrun')),
            ],
            options={
                'ordering': ['position'],
                'indexes': [models.Index(fields=['run', 'state', 'position'], name='instances_b_run_id_3b0a18_idx')],
                'constraints': [models.UniqueConstraint(fields=('run', 'instance'), name='once_in_each_bulk_run')],
            },
        ),
        migrations.RunPython(grant, migrations.RunPython.noop),
    ]
