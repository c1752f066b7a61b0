#!/usr/bin/env python3
"""Defers what its configuration names, and logs every call, on Python ops."""

import logging
import sys

import ops

logger = logging.getLogger(__name__)


class Queue(ops.CharmBase):
    # How many calls there were, and the names of the last.
    _calls = ops.StoredState()

    def __init__(self, framework):
        super().__init__(framework)
        self._calls.set_default(count=0, last=[])
        framework.observe(self.on.start, self.on_start_first)
        framework.observe(self.on.start, self.on_start_second)
        framework.observe(self.on.start, self.on_start_first)
        framework.observe(self.on.config_changed, self.on_config_changed)
        framework.observe(self.on.leader_elected, self.on_leader_elected)
        framework.observe(self.on.db_relation_joined, self.on_db_joined)
        framework.observe(self.on.db_relation_changed, self.on_db_changed)
        framework.observe(self.on.db_relation_broken, self.on_db_broken)
        framework.observe(self.on.data_storage_attached, self.on_data_attached)

    def _called(self, handler, details, event):
        self._calls.count += 1
        self._calls.last.append(handler)
        if len(self._calls.last) > 3:
            self._calls.last.pop(0)
        last = " ".join(self._calls.last)
        logger.info("%s %s %s after %s", self._calls.count, handler, details, last)
        if self.config["fail"] == handler:
            sys.exit(3)
        if handler in self.config["defer"].split(" "):
            event.defer()

    def on_start_first(self, event):
        self._called("start_first", "", event)

    def on_start_second(self, event):
        self._called("start_second", "", event)

    def on_config_changed(self, event):
        self._called("config_changed", "", event)

    def on_leader_elected(self, event):
        self._called("leader_elected", "", event)

    def _about(self, event):
        app = event.app.name if event.app else "nobody"
        unit = event.unit.name if event.unit else "nobody"
        return f"{event.relation.id} {app} {unit}"

    def on_db_joined(self, event):
        self._called("db_joined", self._about(event), event)

    def on_db_changed(self, event):
        self._called("db_changed", self._about(event), event)

    def on_db_broken(self, event):
        self._called("db_broken", self._about(event).rsplit(" ", 1)[0], event)

    def on_data_attached(self, event):
        storage = event.storage
        details = f"{storage.name}/{storage.index} {storage.location}"
        self._called("data_attached", details, event)


if __name__ == "__main__":
    ops.main(Queue)
