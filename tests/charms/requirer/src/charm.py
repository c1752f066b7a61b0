#!/usr/bin/env python3
"""Requires a database, and reads its password from a secret."""

import logging

import ops

logger = logging.getLogger(__name__)


class Requirer(ops.CharmBase):
    def __init__(self, framework: ops.Framework) -> None:
        super().__init__(framework)
        framework.observe(self.on.start, self._on_start)
        framework.observe(self.on["db"].relation_created, self._on_created)
        framework.observe(self.on["db"].relation_changed, self._on_changed)
        framework.observe(self.on["db"].relation_departed, self._on_departed)
        framework.observe(self.on["db"].relation_broken, self._on_broken)
        framework.observe(self.on.secret_changed, self._on_secret_changed)

    def _on_start(self, event: ops.StartEvent) -> None:
        if not self.model.get_relation("db"):
            self.unit.status = ops.BlockedStatus("needs a database")

    def _on_created(self, event: ops.RelationCreatedEvent) -> None:
        event.relation.data[self.unit]["user"] = self.unit.name.replace("/", "-")

    def _on_changed(self, event: ops.RelationChangedEvent) -> None:
        data = event.relation.data[event.app]
        if not (uri := data.get("secret")):
            return
        secret = self.model.get_secret(id=uri, label="database")
        self._connect(data["primary"], secret.get_content()["password"])

    def _on_secret_changed(self, event: ops.SecretChangedEvent) -> None:
        logger.info("changed: %s", event.secret.label)
        relation = self.model.get_relation("db")
        password = event.secret.get_content(refresh=True)["password"]
        self._connect(relation.data[relation.app]["primary"], password)

    def _on_departed(self, event: ops.RelationDepartedEvent) -> None:
        logger.info("gone: %s, leaving: %s", event.unit.name, event.departing_unit.name)

    def _on_broken(self, event: ops.RelationBrokenEvent) -> None:
        self.unit.status = ops.BlockedStatus("needs a database")

    def _connect(self, primary: str, password: str) -> None:
        """Shows how long the password is: what it is does not belong in a status."""
        self.unit.status = ops.ActiveStatus(f"{primary}, password of {len(password)}")


if __name__ == "__main__":
    ops.main(Requirer)
