#!/usr/bin/env python3
"""A charm with a library in a library, on Python ops."""

import logging
import sys

import ops

logger = logging.getLogger(__name__)

# The custom events of all objects, by name.
events = {}


def orders(words, handler):
    """The rest of each word that begins with a handler's name and a colon."""
    split = [word.split(":", 2) for word in words.split(" ") if word]
    return [(name, rest) for first, name, rest in split if first == handler]


def called(this, handler, details=""):
    """Logs a call, counts it in the object's state, and emits; whether to defer."""
    this._stored.count += 1
    logger.info("%s %s %s", this._stored.count, handler, details)
    config = this.model.config
    for name, number in orders(config["emit"], handler):
        try:
            if name in events:
                events[name].emit(int(number))
        except SystemExit:
            if handler not in config["swallow"].split(" "):
                raise
            logger.info("%s goes on", handler)
    if config["fail"] == handler:
        sys.exit(3)
    return handler in config["defer"].split(" ")


def collect(this, handler, event):
    classes = {
        "active": ops.ActiveStatus,
        "blocked": ops.BlockedStatus,
        "maintenance": ops.MaintenanceStatus,
        "waiting": ops.WaitingStatus,
    }
    for name, message in orders(this.model.config["status"], handler):
        event.add_status(classes[name](message))


class Numbered(ops.EventBase):
    def __init__(self, handle, n):
        super().__init__(handle)
        self.n = n

    def snapshot(self):
        return {"n": self.n}

    def restore(self, snapshot):
        self.n = snapshot["n"]


class CacheEvents(ops.ObjectEvents):
    filled = ops.EventSource(Numbered)


class Cache(ops.Object):
    on = CacheEvents()
    _stored = ops.StoredState()

    def __init__(self, parent, charm, key):
        super().__init__(parent, key)
        self._stored.set_default(count=0)
        self.framework.observe(charm.on.start, self.on_start)
        events["filled"] = self.on.filled

    def on_start(self, event):
        if called(self, "cache_start"):
            event.defer()


class DbEvents(ops.ObjectEvents):
    ready = ops.EventSource(Numbered)
    gone = ops.EventSource(Numbered)


class Db(ops.Object):
    on = DbEvents()
    _stored = ops.StoredState()

    def __init__(self, charm, key):
        super().__init__(charm, key)
        self._stored.set_default(count=0)
        self.cache = Cache(self, charm, "c")
        events["ready"] = self.on.ready
        events["gone"] = self.on.gone
        observe = self.framework.observe
        observe(charm.on.config_changed, self.on_config_changed)
        observe(charm.on.db_relation_changed, self.on_changed)
        observe(self.cache.on.filled, self.on_filled)
        observe(charm.on.collect_unit_status, self.on_collect_unit_status)

    def on_config_changed(self, event):
        if called(self, "db_config_changed"):
            event.defer()

    def on_changed(self, event):
        if called(self, "db_changed", event.relation.id):
            event.defer()

    def on_filled(self, event):
        if called(self, "db_filled", event.n):
            event.defer()

    def on_collect_unit_status(self, event):
        collect(self, "db_unit", event)


class ShopEvents(ops.CharmEvents):
    tick = ops.EventSource(Numbered)


class Shop(ops.CharmBase):
    on = ShopEvents()
    _stored = ops.StoredState()

    def __init__(self, framework):
        super().__init__(framework)
        self._stored.set_default(count=0)
        events["tick"] = self.on.tick
        absent = self.config["absent"].split(" ")
        observe = framework.observe
        observe(self.on.start, self.on_start)
        if "db" not in absent:
            self.db = Db(self, "db")
            if "ready_first" in absent:
                del Shop.on_ready_first
            else:
                observe(self.db.on.ready, self.on_ready_first)
            observe(self.db.on.ready, self.on_ready_second)
            observe(self.db.on.gone, self.on_gone)
        if "config_changed" in absent:
            del Shop.on_config_changed
        else:
            observe(self.on.config_changed, self.on_config_changed)
        observe(self.on.update_status, self.on_update_status)
        observe(self.on.tick, self.on_tick)
        observe(self.on.tick, self.on_tick)
        observe(self.on.act_action, self.on_act)
        observe(self.on.collect_app_status, self.on_collect_app_status)
        observe(self.on.collect_unit_status, self.on_collect_unit_status)

    def on_start(self, event):
        if called(self, "start"):
            event.defer()

    def on_config_changed(self, event):
        if called(self, "config_changed"):
            event.defer()

    def on_update_status(self, event):
        if called(self, "update_status"):
            event.defer()

    def on_ready_first(self, event):
        if called(self, "ready_first", event.n):
            event.defer()
        event.n += 100

    def on_ready_second(self, event):
        if called(self, "ready_second", event.n):
            event.defer()

    def on_gone(self, event):
        if called(self, "gone", event.n):
            event.defer()

    def on_tick(self, event):
        if called(self, "tick", event.n):
            event.defer()

    def on_act(self, event):
        called(self, "act")

    def on_collect_app_status(self, event):
        collect(self, "app", event)

    def on_collect_unit_status(self, event):
        collect(self, "unit", event)


if __name__ == "__main__":
    ops.main(Shop)
