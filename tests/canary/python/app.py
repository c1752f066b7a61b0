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

STATE = "Canary/StoredStateData[_stored]"


def info(message):
    log.write(log.Level.INFO, message)


def error_of(call, *arguments):
    """The case of the error that a call ends with."""
    try:
        call(*arguments)
    except Err as error:
        return type(error.value).__name__.removeprefix("Error_").lower()
    return "none"


class Canary:
    def on_config_changed(self, delivery):
        greeting = config.get("greeting")
        count = config.get("count")
        ratio = config.get("ratio")
        assert isinstance(greeting, config.ConfigValue_Text)
        assert isinstance(count, config.ConfigValue_Integer)
        assert isinstance(ratio, config.ConfigValue_Float)
        info(f"config {greeting.value} {count.value} {ratio.value}")
        info(f"missing {error_of(config.get, 'missing')}")
        state = json.loads(stored_state.load(STATE) or '{"calls": 0}')
        state["calls"] += 1
        stored_state.save(STATE, json.dumps(state))
        info(f"calls {state['calls']}")
        for following in framework.emit(
            "Canary/Lib[a]", "ready", json.dumps({"n": count.value})
        ):
            deliver(self, following)
        ports.set([ports.PortRange(ports.Protocol.TCP, 8080, 8080)])
        opened = ", ".join(f"{port.first}-{port.last}" for port in ports.opened())
        info(f"ports {opened}")
        if state["calls"] == 1:
            return "once more"
        return None

    def on_ready(self, delivery):
        data = json.loads(delivery.event.value.snapshot)
        info(f"ready {data['n']} of {delivery.source}")

    def on_update_status(self, delivery):
        deferred = delivery.deferred
        known = "new" if deferred is None else f"{deferred.count} {deferred.reason}"
        info(f"update-status {known}")
        found = relations.list_relations("db")
        for relation in found:
            info(f"relation {relation.id} {relation.app} {' '.join(relation.units)}")
            if relation.app is not None:
                owner = relations.DatabagOwner_App(relation.app)
                for item in relations.read("db", relation.id, owner):
                    info(f"data {item.key}={item.value}")
            change = [relations.DatabagChange("seen", "yes")]
            relations.write("db", relation.id, relations.OwnDatabag.UNIT, change)
        info(f"error {error_of(relations.list_relations, 'nowhere')}")
        info(f"error {error_of(hook_tools.run, 'no-such-tool', [], None)}")
        info(f"error {error_of(pebble.system_info, 'app')}")
        info(f"error {error_of(framework.observe, 'Canary', 'strat', 'Canary', 'x')}")
        store.save_snapshot("Canary/raw", b"\x00\x01\xff")
        info(f"raw {list(store.load_snapshot('Canary/raw') or b'')}")
        output = hook_tools.run("is-leader", ["--format=json"], None)
        info(f"tool {output.code} {output.output.decode().strip()} {unit.is_leader()}".lower())

    def on_collect_unit_status(self, delivery):
        status.collect(status.StatusInfo(status.StatusName_Active(), "sings"))


OBSERVED = [
    ("Canary", "config_changed", "on_config_changed"),
    ("Canary", "update_status", "on_update_status"),
    ("Canary/Lib[a]", "ready", "on_ready"),
    ("Canary", "collect_unit_status", "on_collect_unit_status"),
]


def deliver(canary, delivery):
    reason = getattr(canary, delivery.method)(delivery)
    if reason is None:
        framework.done(delivery.id, framework.Settlement_Handled())
    else:
        framework.done(delivery.id, framework.Settlement_Deferred(reason))


class Entry(exports.Entry):
    def run(self):
        canary = Canary()
        about = context.get()
        info(f"{about.unit_name} {about.hook_name} {about.machine_id or 'no machine'}")
        framework.define("Canary/Lib[a]", "ready")
        for source, event, method in OBSERVED:
            framework.observe(source, event, "Canary", method)
        try:
            while (delivery := framework.next()) is not None:
                deliver(canary, delivery)
        except Err as error:
            assert not isinstance(error.value, errors.Error_InvalidInput)
            return entry.Outcome_Exited(entry.ExitRequest(4, str(error.value)))
        return entry.Outcome_Completed()
