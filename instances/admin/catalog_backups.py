"""What a plan's form says about backups."""

from typing import Any

FIELDS = (
    *("backup_method", "backup_interval_h", "backup_cron"),
    *("backup_keep", "backup_keep_days", "backup_keep_gib", "final_backup_days"),
    *("backup_on_bind", "backup_on_update", "backup_on_upgrade"),
    "backup_by_developer",
)
HELP_TEXTS = {
    "backup_method": "Paused: writers wait 65 ms and 4.3 ms for each MB. Hot: about "
    "100 ms, it takes longer, and MariaDB's needs room for the data twice. By the "
    "size: hot from 100 MB on.",
    "backup_interval_h": "Such as 24. Empty: none is taken by the clock.",
    "backup_keep": "At most so many verified ones of an instance, which lie on its "
    "Docker host; empty: no limit. Those with an end of their own do not count.",
    "backup_cron": "Instead of the hours: minute, hour, day of the month, month, day "
    "of the week, in UTC. 30 2 * * * is 02:30 each night; at most once an hour.",
    "backup_keep_gib": "The oldest of an instance go when its own take more, the image "
    "below them not counted; empty: no limit.",
    "backup_on_update": "Before another plan or other parameters: the update takes as "
    "much longer, and platforms have to poll for it.",
    "backup_on_upgrade": "Before the image changes.",
}
FIELDSET: tuple[str, Any] = (
    "Backups",
    {
        "fields": FIELDS,
        "description": "A backup counts once its data was found in it. What is said "
        "here holds at once, for the service instances that there are too, unless an "
        "operator has said otherwise on their pages. The last verified one never goes. "
        "The engine generic has none: nothing is known of its data.",
    },
)
