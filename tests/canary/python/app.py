"""The canary in Python, on the bindings as they are generated."""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import entry
from wit_world.imports import (
    config,
    context,
    errors,
    framework,
    hook_tools,
    log,
    pebble,
    ports,
    relations,
    status,
    store,
    stored_state,
    unit,
)

LIBRARY = "Canary/Lib[a]"
READY = framework.EventKey(LIBRARY, "ready")


def info(message):
    log.write(log.Level.INFO, message)


def error_of(call, *arguments):
    """The case of the error that a call ends with."""
    try:
        call(*arguments)
    except Err as error:
        return type(error.value).__name__.partition("_")[2].lower()
    return "none"


class Canary:
    def on_config_changed(self, delivery):
        greeting = config.get("greeting")
        count = config.get("count")
        ratio = config.get("ratio")
        assert isinstance(greeting, config.ConfigValue_String)
        assert isinstance(count, config.ConfigValue_Integer)
        assert isinstance(ratio, config.ConfigValue_Float)
        info(f"config {greeting.value} {count.value} {ratio.value}")
        info(f"missing {error_of(config.get, 'missing')}")
        calls = json.loads(stored_state.load("Canary", "calls") or "0") + 1
        stored_state.save("Canary", "calls", json.dumps(calls))
        info(f"calls {calls}")
        for following in framework.emit(READY, json.dumps({"n": count.value})):
            deliver(self, following)
        ports.set([ports.Port_Tcp(ports.PortNumbers(8080, 8080))])
        for port in ports.opened():
            assert isinstance(port, ports.Port_Tcp)
            info(f"port {port.value.first}-{port.value.last}")
        if calls == 1:
            return "once more"
        return None

    def on_ready(self, delivery):
        data = json.loads(delivery.event.value.snapshot)
        info(f"ready {data['n']} of {delivery.observer.event.source}")

    def on_update_status(self, delivery):
        deferred = delivery.deferred
        known = "new" if deferred is None else f"{deferred.count} {deferred.reason}"
        info(f"update-status {known}")
        found = relations.list("db")
        for relation in found:
            info(f"relation {relation.id} {relation.app} {' '.join(relation.units)}")
            if relation.app is not None:
                owner = relations.DatabagOwner_App(relation.app)
                for item in relations.read("db", relation.id, owner):
                    info(f"data {item.key}={item.value}")
            change = [relations.DatabagChange("seen", "yes")]
            relations.write("db", relation.id, relations.OwnDatabag.UNIT, change)
        info(f"error {error_of(relations.list, 'nowhere')}")
        info(f"error {error_of(hook_tools.run, 'no-such-tool', [], None)}")
        info(f"error {error_of(pebble.get_system_info, 'app')}")
        misspelt = framework.Observer(framework.EventKey("Canary", "strat"), "Canary", "x")
        info(f"error {error_of(framework.observe, misspelt)}")
        store.save_snapshot("Canary/raw", b"\x00\x01\xff")
        info(f"raw {list(store.load_snapshot('Canary/raw') or b'')}")
        output = hook_tools.run("is-leader", ["--format=json"], None)
        printed = output.stdout.decode().strip()
        info(f"tool {output.exit_code} {printed} {unit.is_leader()}".lower())

    def on_collect_unit_status(self, delivery):
        active = status.SettableStatusName.ACTIVE
        framework.collect_status(status.SettableStatus(active, "sings"))


OBSERVED = [
    ("Canary", "config_changed", "on_config_changed"),
    ("Canary", "update_status", "on_update_status"),
    (LIBRARY, "ready", "on_ready"),
    ("Canary", "collect_unit_status", "on_collect_unit_status"),
]


def deliver(canary, delivery):
    reason = getattr(canary, delivery.observer.method)(delivery)
    if reason is None:
        framework.done(delivery.id, framework.Settlement_Handled())
    else:
        framework.done(delivery.id, framework.Settlement_Deferred(reason))


class Entry(exports.Entry):
    def run(self):
        canary = Canary()
        about = context.get()
        info(f"{about.unit_name} {about.hook_name} {about.machine_id or 'no machine'}")
        framework.define(READY)
        for source, name, method in OBSERVED:
            event = framework.EventKey(source, name)
            framework.observe(framework.Observer(event, "Canary", method))
        try:
            while (delivery := framework.next()) is not None:
                deliver(canary, delivery)
        except Err as error:
            assert not isinstance(error.value, errors.Error_InvalidInput)
            return entry.Outcome_Exited(entry.ExitRequest(4, str(error.value)))
        return entry.Outcome_Completed()
