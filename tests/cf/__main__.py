"""`make cf-test`: the scenario on each of the broker's databases, and its tables."""

import argparse
import json
import sys
import tempfile
import time
import traceback
from pathlib import Path

import docker

from tests.cf import manifest, staging
from tests.cf.backing import KINDS, MariaDB, certificates, secrets_service
from tests.cf.cell import application
from tests.cf.gate import Gate
from tests.cf.given import secret_values
from tests.cf.release import make_second
from tests.cf.report import Report
from tests.cf.router import Router
from tests.cf.scenario import Scenario
from tests.cf.space import App, Space

HOSTNAME = "brokersite.apps.example.com"


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.cf", description=__doc__)
    parser.add_argument(
        "--database", choices=KINDS, action="append", help="only on this one"
    )
    wanted = parser.parse_args().database or list(KINDS)
    client = docker.DockerClient(timeout=120)
    started = time.monotonic()
    droplets, migration = _stage(client)
    reports = [_prove(client, name, droplets, migration) for name in wanted]
    for report in reports:
        report.print()
    failed = sum(len(report.faults) for report in reports)
    passed = sum(report.checks for report in reports) - failed
    print(f"\ncf-test: {passed} passed, {failed} failed")
    print(f"after {time.monotonic() - started:.0f} s")
    return 1 if failed else 0


def _stage(client: docker.DockerClient) -> tuple[list[staging.Droplet], str]:
    """Two releases, with what staging has: no database answers at that address."""
    print("staging two releases …", flush=True)
    staging.ensure_stack(client)
    chosen = manifest.load(
        {"docker-host": "tcp://192.0.2.1:2376", "database-host": "192.0.2.1"}
    )
    web = chosen.processes["web"]
    nowhere = MariaDB.described("192.0.2.2", "no-password", ca=certificates()[0])
    services = nowhere | secrets_service(secret_values())
    env = chosen.env | {
        "VCAP_APPLICATION": application(chosen.name, "staging", HOSTNAME, web),
        "VCAP_SERVICES": json.dumps(services),
    }
    first = staging.stage(client, manifest.ROOT, env)
    with tempfile.TemporaryDirectory() as folder:
        migration = make_second(manifest.ROOT, Path(folder))
        second = staging.stage(client, Path(folder), env)
    staging.forget_old(client)
    return [first, second], migration


def _prove(
    client: docker.DockerClient,
    database: str,
    droplets: list[staging.Droplet],
    migration: str,
) -> Report:
    print(f"{database}:", flush=True)
    report = Report(database, droplets=droplets)
    with (
        Space(client) as space,
        Gate(space.gateway) as gate,
        Router(HOSTNAME) as router,
    ):
        chosen = manifest.load(
            {
                "docker-host": f"tcp://{space.gateway}:{gate.port}",
                "database-host": space.gateway,
            }
        )
        backing = KINDS[database](client, space.network, space.app_id)
        services = backing.vcap_services() | secrets_service(secret_values())
        in_a_file = database == "postgres"  # both ways are tried
        app = App(space, router, chosen, services, in_a_file=in_a_file)
        scenario = Scenario(client, app, router, backing, report)
        try:
            scenario.run(*droplets, migration)
        except Exception as error:
            traceback.print_exc()
            report.check(False, f"{type(error).__name__}: {error}")
    return report


sys.exit(main())
