#!/usr/bin/env python3
"""charms/hello on Python ops: the same events, calls and texts."""

import logging

import ops

logger = logging.getLogger(__name__)


class Hello(ops.CharmBase):
    """Says hello, on a port of the operator's choice."""

    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        framework.observe(self.on.config_changed, self._on_config_changed)
        framework.observe(self.on.start, self._on_start)
        framework.observe(self.on.greet_action, self._on_greet)
        framework.observe(self.on.collect_unit_status, self._on_collect_unit_status)

    def _on_config_changed(self, _event: ops.ConfigChangedEvent):
        logger.info("saying %r on port %s", self.config["greeting"], self.config["port"])
        self.unit.set_ports(self.config["port"])

    def _on_start(self, _event: ops.StartEvent):
        self.unit.set_workload_version("0.1.0")

    def _on_greet(self, event: ops.ActionEvent):
        name = event.params["name"]
        if not name:
            event.fail("cannot greet nobody: give a name")
            return
        event.log(f"greeting {name}")
        event.set_results({"text": f"{self.config['greeting']}, {name}!"})

    def _on_collect_unit_status(self, event: ops.CollectStatusEvent):
        greeting, port = self.config["greeting"], self.config["port"]
        if not greeting:
            event.add_status(ops.BlockedStatus("the greeting is empty: set one with juju config"))
        else:
            event.add_status(ops.ActiveStatus(f"saying {greeting} on port {port}"))


if __name__ == "__main__":
    ops.main(Hello)
