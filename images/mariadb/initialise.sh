#!/usr/bin/env bash
# Lay out the data directory while the image is built, with accounts that only the
# socket inside the container accepts.
set -euo pipefail

install -d -o mysql -g mysql -m 0700 /var/lib/mysql /var/lib/mysql/{incoming,data,data/.applied}
install -d -o mysql -g mysql -m 0755 /run/mysqld
mariadb-install-db --user=mysql --skip-test-db --auth-root-authentication-method=socket >/dev/null
{
    echo "USE mysql;"
    # It names the machine that built the image.
    echo "DELETE FROM proxies_priv WHERE Host <> 'localhost';"
    # Django and others convert time zones in SQL, which needs these tables.
    # They are only read: kept out of Aria's log, they leave it small for every backup.
    for table in time_zone time_zone_name time_zone_transition time_zone_transition_type; do
        echo "ALTER TABLE $table TRANSACTIONAL = 0;"
    done
    rm -rf /usr/share/zoneinfo/{posix,right}
    mariadb-tzinfo-to-sql --skip-write-binlog /usr/share/zoneinfo 2>/dev/null
} | mariadbd --user=mysql --bootstrap --log-warnings=0
