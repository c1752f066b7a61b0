#!/usr/bin/env python3
"""tests/guests/bench on Python ops: the same events, calls and texts."""

import logging

import ops

logger = logging.getLogger(__name__)

WRITES = 20


class Bench(ops.CharmBase):
    _stored = ops.StoredState()

    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        self._stored.set_default(starts=0)
        framework.observe(self.on.start, self.on_start)
        framework.observe(self.on.config_changed, self.on_config_changed)
        framework.observe(self.on.leader_elected, self.on_leader_elected)
        framework.observe(self.on["db"].relation_changed, self.on_db_changed)
        framework.observe(self.on.greet_action, self.on_greet)
        framework.observe(self.on.collect_unit_status, self.on_collect_unit_status)

    def on_start(self, _event: ops.StartEvent):
        self._stored.starts += 1

    def on_config_changed(self, _event: ops.ConfigChangedEvent):
        logger.info("saying %r on port %s", self.config["greeting"], self.config["port"])
        self.unit.set_ports(self.config["port"])

    def on_leader_elected(self, _event: ops.LeaderElectedEvent):
        pass

    def on_db_changed(self, event: ops.RelationChangedEvent):
        data = event.relation.data
        keys = sum(len(data[unit]) for unit in event.relation.units)
        for number in range(WRITES):
            data[self.unit][f"key-{number}"] = str(keys)

    def on_greet(self, event: ops.ActionEvent):
        name = event.params["name"]
        event.log(f"greeting {name}")
        event.set_results({"text": f"{self.config['greeting']}, {name}!"})

    def on_collect_unit_status(self, event: ops.CollectStatusEvent):
        greeting, port = self.config["greeting"], self.config["port"]
        event.add_status(ops.ActiveStatus(f"saying {greeting} on port {port}"))


if __name__ == "__main__":
    ops.main(Bench)
