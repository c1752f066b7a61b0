"""The canary in Python, on the bindings as they are generated."""

import json

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.exports import entry
from wit_world.imports import (
    actions,
    config,
    context,
    crash,
    events,
    framework,
    hook_tools,
    log,
    pebble,
    pebble_errors,
    ports,
    readiness,
    relations,
    secrets,
    status,
    store,
    stored_state,
    unit,
)

LIBRARY = "Canary/Lib[a]"
READY = framework.EventKey(LIBRARY, "ready")
# Bytes that are written or read at once.
CHUNK = 64 * 1024
# Length of the pattern that is sent to `cat`.
PERIOD = 251
LAYER = "services: {idle: {override: replace, command: sleep 600}}"


def info(message):
    log.write(log.Level.INFO, message)


def error_of(call, *arguments):
    """The case of the error that a call ends with."""
    try:
        call(*arguments)
    except Err as error:
        return type(error.value).__name__.partition("_")[2].lower()
    return "none"


def lower(truth):
    """A truth value as the other languages write it."""
    return "true" if truth else "false"


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

    def on_db_relation_changed(self, delivery):
        event = delivery.event.value
        assert isinstance(event, events.RelationChangedEvent)
        info(f"changed {event.endpoint} {event.relation_id} {event.app} {event.unit or 'none'}")
        for relation in relations.list(event.endpoint):
            info(f"relation {relation.id} {relation.app} {' '.join(relation.units)}")
            owner = relations.DatabagOwner_App(relation.app)
            for item in relations.read(event.endpoint, relation.id, owner):
                info(f"data {item.key}={item.value}")
                if item.key == "secret":
                    self.read_secret(item.value)
            ours = self.add_secret()
            secrets.grant(secrets.SecretReference_Id(ours), relation.id, None)
            for databag, key, value in [
                (relations.OwnDatabag.APP, "token", ours),
                (relations.OwnDatabag.UNIT, "seen", "yes"),
            ]:
                change = relations.DatabagChange(key, value)
                relations.write(event.endpoint, relation.id, databag, [change])

    def read_secret(self, id):
        labelled = secrets.SecretReference_Labelled(secrets.LabelledSecret(id, "theirs"))
        for key, value in secrets.get_content(labelled, secrets.ContentMode.CURRENT):
            info(f"secret {key} of {len(value)}")

    def add_secret(self):
        content = [("first", "one"), ("second", "three")]
        monthly = secrets.Rotation.MONTHLY
        metadata = secrets.SecretMetadata("ours", None, 4102444800.0, monthly)
        return secrets.add(secrets.SecretOwner.APP, content, metadata)

    def on_secret_changed(self, delivery):
        event = delivery.event.value
        assert isinstance(event, events.SecretEvent)
        secret = secrets.SecretReference_Label("theirs")
        for mode in [secrets.ContentMode.CURRENT, secrets.ContentMode.REFRESH]:
            for key, value in secrets.get_content(secret, mode):
                info(f"{event.id} {key} of {len(value)}")
        ours = secrets.get_info(secrets.SecretReference_Label("ours"))
        monthly = lower(ours.rotation == secrets.Rotation.MONTHLY)
        info(f"ours {ours.revision} {monthly} {int(ours.expires or 0)}")
        nobodys = secrets.SecretReference_Label("nobodys")
        info(f"error {error_of(secrets.get_info, nobodys)}")

    def on_app_pebble_ready(self, delivery):
        event = delivery.event.value
        assert isinstance(event, events.WorkloadEvent)
        files(event.container)
        services(event.container)
        commands(event.container)
        info(f"error {error_of(pebble.get_system_info, 'nowhere')}")

    def on_copy_action(self, delivery):
        event = delivery.event.value
        assert isinstance(event, events.ActionEvent)
        mib = json.loads(actions.params())["mib"]
        actions.log(f"{event.name} {mib}")
        process = run("app", ["cat"], [])
        bytes_, intact = copy(process, mib << 20)
        code = process.wait()
        results = {"bytes": bytes_, "exit-code": code, "intact": intact}
        actions.set_results(json.dumps(results))

    def on_update_status(self, delivery):
        deferred = delivery.deferred
        known = "new" if deferred is None else f"{deferred.count} {deferred.reason}"
        info(f"update-status {known}")
        info(f"error {error_of(relations.list, 'nowhere')}")
        info(f"error {error_of(hook_tools.run, 'no-such-tool', [], None)}")
        misspelt = framework.Observer(framework.EventKey("Canary", "strat"), "Canary", "x")
        info(f"error {error_of(framework.observe, misspelt)}")
        store.save_snapshot("Canary/raw", b"\x00\x01\xff")
        info(f"raw {list(store.load_snapshot('Canary/raw') or b'')}")
        output = hook_tools.run("is-leader", ["--format=json"], None)
        printed = output.stdout.decode().strip()
        info(f"tool {output.exit_code} {printed} {lower(unit.is_leader())}")

    def on_collect_unit_status(self, delivery):
        active = status.SettableStatusName.ACTIVE
        framework.collect_status(status.SettableStatus(active, "sings"))


def files(container):
    path = "/srv/canary/data"
    data = pattern(3000)
    writer = pebble.push(
        container, path, pebble.FileOptions(0o640, None, None, None, None, True)
    )
    written = 0
    while written < len(data):
        written += writer.write(data[written:])
    writer.close()
    about = pebble.stat(container, path)
    info(f"stat {int(about.size or 0)} {about.permissions} {about.name}")
    pulled = b""
    with pebble.pull(container, path) as reader:
        while chunk := reader.read(1000):
            pulled += chunk
    info(f"pulled {len(pulled)} {lower(pulled == data)}")
    for file in pebble.pull_many(container, [path, "/nowhere"]):
        if isinstance(file.content, Ok):
            info(f"file {file.path} {len(file.content.value)}")
        else:
            missing = file.content.value.kind == pebble_errors.PathErrorKind.NOT_FOUND
            info(f"file {file.path} missing {lower(missing)}")
    info(f"error {error_of(pebble.pull, container, '/nowhere')}")


def services(container):
    pebble.add_layer(container, "canary", LAYER, True)
    id = pebble.start_services(container, ["idle"], 20.0)
    for service in pebble.services(container, []):
        active = isinstance(service.current, pebble.ServiceStatus_Active)
        info(f"service {service.name} {lower(active)}")
    change = pebble.change(container, id)
    ended = change.ready_time is not None and change.ready_time >= change.spawn_time
    info(f"change {change.kind} {change.status} {len(change.tasks)} {lower(ended)}")
    pebble.stop_services(container, ["idle"], None)


def run(container, command, environment):
    """A command without options."""
    options = pebble.ExecOptions(
        None, environment, None, 50.0, None, None, None, None, False, None, None
    )
    return pebble.exec(container, command, options)


def commands(container):
    script = "echo $WORD; echo hiss >&2; exit 3"
    output = run(container, ["sh", "-c", script], [("WORD", "tweet")]).wait_output(1000)
    stdout = output.stdout.decode().strip()
    stderr = output.stderr.decode().strip()
    info(f"exec {output.exit_code} {stdout} {stderr} {lower(output.stdout_truncated)}")
    try:
        run(container, ["no-such-program"], [])
    except Err as error:
        assert isinstance(error.value, pebble_errors.PebbleError_Api)
        info(f"api {error.value.value.status}")


def pattern(length):
    """Bytes that repeat after `PERIOD`."""
    return bytes(index % PERIOD for index in range(length))


def copy(process, total):
    """Feeds a command while it prints. Returns how much it printed, and whether
    that is what it was fed."""
    data = pattern(CHUNK + PERIOD)
    sent, read, intact = 0, 0, True
    with (
        process.subscribe(pebble.StandardStream.STDOUT) as stdout,
        process.subscribe(pebble.StandardStream.STDIN) as stdin,
    ):
        while True:
            ready = readiness.poll([stdout, stdin] if sent < total else [stdout], 30.0)
            assert ready, f"nothing is ready after {sent} and {read}"
            if 1 in ready:
                start = sent % PERIOD
                sent += process.write_stdin(data[start : start + min(CHUNK, total - sent)])
                if sent == total:
                    process.close_stdin()
            if 0 in ready:
                chunk = process.read_stdout(CHUNK)
                if not chunk:
                    return read, intact
                intact = intact and chunk[0] == read % PERIOD
                read += len(chunk)
                intact = intact and chunk[-1] == (read - 1) % PERIOD


OBSERVED = [
    ("Canary", "config_changed"),
    ("Canary", "db_relation_changed"),
    ("Canary", "secret_changed"),
    ("Canary", "app_pebble_ready"),
    ("Canary", "copy_action"),
    ("Canary", "update_status"),
    (LIBRARY, "ready"),
    ("Canary", "collect_unit_status"),
]


def deliver(canary, delivery):
    reason = getattr(canary, delivery.observer.method)(delivery)
    if reason is None:
        framework.done(delivery.id, framework.Settlement_Handled())
    else:
        framework.done(delivery.id, framework.Settlement_Deferred(reason))


def dispatch():
    canary = Canary()
    about = context.get()
    info(f"{about.unit_name} {about.hook_name or 'no hook'}")
    framework.define(READY)
    for source, name in OBSERVED:
        event = framework.EventKey(source, name)
        framework.observe(framework.Observer(event, "Canary", f"on_{name}"))
    while (delivery := framework.next()) is not None:
        deliver(canary, delivery)


class Entry(exports.Entry):
    def run(self):
        try:
            dispatch()
        except Err as error:
            message = str(error.value)
            return entry.Outcome_Failed(
                crash.Failure("canary", message, None, None, None, None)
            )
        return entry.Outcome_Completed()
