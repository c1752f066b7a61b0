#!/usr/bin/env python3
"""Does the steps of its action in a container, and logs how each ended, on Python ops."""

import datetime
import json
import logging

import ops
from ops import pebble

logger = logging.getLogger(__name__)


def shown(change):
    logs = any(task.log for task in change.tasks)
    fields = [
        change.kind,
        change.summary,
        change.status,
        str(change.ready).lower(),
        str(bool(change.err)).lower(),
        str(len(change.tasks)),
        str(logs).lower(),
    ]
    return " ".join(fields)


def word(value):
    return getattr(value, "value", value) or ""


def title(value):
    return word(value).title()


class Workload(ops.CharmBase):
    def __init__(self, framework):
        super().__init__(framework)
        framework.observe(self.on.run_action, self._on_run)

    def _on_run(self, event):
        for step in event.params["steps"]:
            name = step["do"]
            try:
                ended = getattr(self, "do_" + name.replace("-", "_"))(step)
            except pebble.APIError as error:
                ended = f"api {error.code}"
            except pebble.PathError as error:
                ended = f"path {error.kind}"
            except pebble.ChangeError as error:
                ended = f"change {shown(error.change)}"
            except pebble.TimeoutError:
                ended = f"timeout of {step['id']}"
            logger.info("%s: %s", name, "done" if ended is None else ended)

    @property
    def one(self):
        return self.unit.get_container("one")

    def _act(self, step, plain, client):
        if "wait" in step:
            return f"change {client(timeout=step['wait'])}"
        return plain()

    def do_autostart(self, step):
        return self._act(step, self.one.autostart, self.one.pebble.autostart_services)

    def do_replan(self, step):
        return self._act(step, self.one.replan, self.one.pebble.replan_services)

    def do_start(self, step):
        names = step["names"]
        return self._act(
            step,
            lambda: self.one.start(*names),
            lambda timeout: self.one.pebble.start_services(names, timeout=timeout),
        )

    def do_stop(self, step):
        names = step["names"]
        return self._act(
            step,
            lambda: self.one.stop(*names),
            lambda timeout: self.one.pebble.stop_services(names, timeout=timeout),
        )

    def do_restart(self, step):
        self.one.restart(*step["names"])

    def do_signal(self, step):
        self.one.send_signal(step["name"], *step["names"])

    def do_layer(self, step):
        self.one.add_layer(step["label"], step["layer"], combine=step.get("combine", False))

    def do_services(self, step):
        services = self.one.pebble.get_services()
        return ", ".join(f"{s.name} {word(s.startup)} {title(s.current)}" for s in services)

    def do_plan(self, step):
        services = self.one.get_plan().services
        return ", ".join(f"{name} {services[name].command}" for name in sorted(services))

    def do_changes(self, step):
        select = pebble.ChangeState(step.get("select", "in-progress"))
        changes = self.one.pebble.get_changes(select, service=step.get("name"))
        changes.sort(key=lambda change: change.spawn_time)
        return " ".join(change.kind for change in changes)

    def do_change(self, step):
        return shown(self.one.pebble.get_change(pebble.ChangeID(step["id"])))

    def do_wait(self, step):
        wait = step.get("wait", 30)
        return shown(self.one.pebble.wait_change(pebble.ChangeID(step["id"]), timeout=wait))

    def do_abort(self, step):
        return self.one.pebble.abort_change(pebble.ChangeID(step["id"])).kind

    def do_checks(self, step):
        level = pebble.CheckLevel(step["level"]) if "level" in step else None
        checks = self.one.pebble.get_checks(level=level)
        return ", ".join(
            f"{c.name} {word(c.level)} {word(c.startup)} {title(c.status)} {c.threshold}"
            f" {str(bool(c.change_id)).lower()}"
            for c in checks
        )

    def do_start_checks(self, step):
        return " ".join(self.one.start_checks(*step["names"]))

    def do_stop_checks(self, step):
        return " ".join(self.one.stop_checks(*step["names"]))

    def do_notify(self, step):
        repeat = step.get("repeat")
        return self.one.pebble.notify(
            pebble.NoticeType.CUSTOM,
            step["key"],
            data=step.get("data"),
            repeat_after=None if repeat is None else datetime.timedelta(seconds=repeat),
        )

    def do_notice(self, step):
        notice = self.one.pebble.get_notice(step["id"])
        repeat = notice.repeat_after.total_seconds() if notice.repeat_after else 0
        expire = notice.expire_after.total_seconds() if notice.expire_after else 0
        data = json.dumps(
            notice.last_data, sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        repeated = str(notice.last_repeated > notice.first_occurred).lower()
        return (
            f"{word(notice.type)} {notice.key} {notice.occurrences} {data}"
            f" {int(repeat)} {int(expire)} {repeated}"
        )

    def do_notices(self, step):
        notices = self.one.get_notices(
            users=pebble.NoticesUsers.ALL if step.get("users") else None,
            user_id=step.get("user-id"),
            types=step.get("names"),
            keys=[step["key"]] if "key" in step else None,
        )
        return " ".join(notice.key for notice in notices)

    def do_identities(self, step):
        identities = self.one.pebble.get_identities()
        return ", ".join(
            f"{name} {word(i.access)} {i.local.user_id if i.local else 0}"
            f" {i.basic.password if i.basic else '-'}"
            for name, i in sorted(identities.items())
        )

    def do_replace_identity(self, step):
        identity = {"access": step["access"]}
        if "password" in step:
            identity["basic"] = {"password": step["password"]}
        else:
            identity["local"] = {"user-id": step["user-id"]}
        self.one.pebble.replace_identities({step["name"]: identity})

    def do_remove_identities(self, step):
        self.one.pebble.remove_identities(step["names"])

    def do_push(self, step):
        mode = step.get("mode")
        self.one.push(
            step["path"], step["content"], make_dirs=step.get("parents", False), permissions=mode
        )

    def do_pull(self, step):
        return self.one.pull(step["path"]).read()

    def do_many(self, step):
        results = []
        for path in step["names"]:
            try:
                results.append(f"{path} {len(self.one.pull(path, encoding=None).read())}")
            except pebble.PathError as error:
                results.append(f"{path} path {error.kind}")
        return ", ".join(results)

    def _listed(self, path, **options):
        # For ops a path that cannot be listed is no error of a path.
        try:
            return self.one.list_files(path, **options)
        except pebble.APIError as error:
            kind = {404: "not-found", 400: "generic-file-error"}[error.code]
            raise pebble.PathError(kind, error.message) from error

    def do_stat(self, step):
        (info,) = self._listed(step["path"], itself=True)
        kind = {"file": "Regular", "directory": "Directory"}[info.type.value]
        return f"{info.name} {kind} {info.size or 0} {info.permissions:o}"

    def do_list(self, step):
        found = self._listed(step["path"], pattern=step.get("pattern"))
        return " ".join(info.name for info in found)

    def do_make_dir(self, step):
        mode = step.get("mode")
        self.one.make_dir(step["path"], make_parents=step.get("parents", False), permissions=mode)

    def do_remove(self, step):
        self.one.remove_path(step["path"], recursive=step.get("recursive", False))


if __name__ == "__main__":
    ops.main(Workload)
