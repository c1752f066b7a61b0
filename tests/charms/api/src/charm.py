#!/usr/bin/env python3
"""Operates a small HTTP API."""

import logging

import ops

logger = logging.getLogger(__name__)

SERVICE = "api"


class DemoApi(ops.CharmBase):
    def __init__(self, framework: ops.Framework) -> None:
        super().__init__(framework)
        self.container = self.unit.get_container("demo-server")
        framework.observe(self.on.demo_server_pebble_ready, self._on_ready)
        framework.observe(self.on.config_changed, self._on_config_changed)
        framework.observe(self.on.collect_unit_status, self._on_collect_status)
        framework.observe(self.on["database"].relation_changed, self._on_database)
        framework.observe(self.on.get_db_info_action, self._on_get_db_info)

    def _on_ready(self, event: ops.PebbleReadyEvent) -> None:
        self._replan()

    def _on_config_changed(self, event: ops.ConfigChangedEvent) -> None:
        if self.config["server-port"] == 22:
            return
        self._replan()

    def _on_database(self, event: ops.RelationChangedEvent) -> None:
        self._replan()

    def _on_collect_status(self, event: ops.CollectStatusEvent) -> None:
        if self.config["server-port"] == 22:
            event.add_status(ops.BlockedStatus("cannot use port 22: it is for SSH"))
        if not self.model.get_relation("database"):
            event.add_status(ops.BlockedStatus("waiting for a database relation"))
        try:
            running = self.container.get_service(SERVICE).is_running()
        except (ops.ModelError, ops.pebble.ConnectionError):
            running = False
        if not running:
            event.add_status(ops.MaintenanceStatus("waiting for the service"))
        event.add_status(ops.ActiveStatus())

    def _on_get_db_info(self, event: ops.ActionEvent) -> None:
        database = self._database()
        if not database:
            event.fail("no database is related")
            return
        event.set_results({"db-host": database["endpoints"]})

    def _database(self) -> dict[str, str]:
        relation = self.model.get_relation("database")
        return dict(relation.data[relation.app]) if relation and relation.app else {}

    def _replan(self) -> None:
        try:
            self.container.add_layer("api", self._layer(), combine=True)
            self.container.replan()
            version, _ = self.container.exec(["uvicorn", "--version"]).wait_output()
            self.unit.set_workload_version(version.strip())
        except ops.pebble.ConnectionError as error:
            logger.info("cannot reach Pebble: %s", error)

    def _layer(self) -> ops.pebble.Layer:
        return ops.pebble.Layer(
            {
                "summary": "the API",
                "services": {
                    SERVICE: {
                        "override": "replace",
                        "command": f"uvicorn demo:app --port {self.config['server-port']}",
                        "startup": "enabled",
                        "environment": {"DB": self._database().get("endpoints", "")},
                    }
                },
            }
        )


if __name__ == "__main__":
    ops.main(DemoApi)
