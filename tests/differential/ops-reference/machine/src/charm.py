#!/usr/bin/env python3
"""Follows the orders in its configuration, and logs the result of each, on Python ops."""

import json
import logging
import sys

import metadata_document
import ops
from ops import hookcmds

logger = logging.getLogger(__name__)


class Machine(ops.CharmBase):
    _calls = ops.StoredState()

    def __init__(self, framework):
        super().__init__(framework)
        self._calls.set_default(count=0)
        framework.observe(self.on.config_changed, self._follow)
        framework.observe(self.on.data_storage_detaching, self._follow)
        framework.observe(self.on.act_action, self._follow)

    def _follow(self, _):
        self._calls.count += 1
        for order in self.config["orders"].split(";"):
            order = order.strip()
            if not order:
                continue
            if order == "fail":
                sys.exit(3)
            try:
                result = self._obey(*order.split())
            except (KeyError, NameError, ops.ModelError, hookcmds.Error) as error:
                result = reason(error)
            logger.info("%s: %s", order, result)

    def _obey(self, verb, *args):
        return getattr(self, f"_{verb.replace('-', '_')}")(*args) or "done"

    def _count(self):
        return self._calls.count

    def _list(self, name):
        return joined(str(index) for index in sorted(s.index for s in self.model.storages[name]))

    def _get(self, name, index):
        if name not in self.model.storages:
            raise KeyError(name)
        # The model has neither kinds, nor instances that are not listed.
        found = hookcmds.storage_get(f"{name}/{index}")
        return f"{found.kind} {found.location}"

    def _write(self, name, index, text):
        found = (s for s in self.model.storages[name] if s.index == int(index))
        path = next(found).location / "written"
        path.write_text(text)
        return path.read_text()

    def _request(self, name, count):
        self.model.storages.request(name, int(count))

    def _fetch(self, name):
        path = self.model.resources.fetch(name)
        return f"{path}: {path.read_text().strip()}"

    def _fetch_path(self, name):
        return self.model.resources.fetch(name)

    def _open(self, port, endpoints=None):
        change_port(self.unit.open_port, hookcmds.open_port, port, endpoints)

    def _close(self, port, endpoints=None):
        change_port(self.unit.close_port, hookcmds.close_port, port, endpoints)

    def _set(self, *ports):
        parsed = [parse(port) for port in ports]
        self.unit.set_ports(*(ops.Port(protocol, first) for protocol, first, _ in parsed))

    def _opened(self):
        # The model leaves out the ends of ranges.
        return joined(shown(port) for port in hookcmds.opened_ports())

    def _opened_with_endpoints(self):
        opened = hookcmds.opened_ports(endpoints=True)
        return joined(
            f"{shown(port)} ({','.join(e for e in port.endpoints or [] if e != '*')})"
            for port in opened
        )

    def _metadata(self):
        return metadata_document.as_json(self.meta)

    def _roles(self):
        return ", ".join(
            f"{name} {relation.role.name.title()} {relation.interface_name}"
            for name, relation in sorted(self.meta.relations.items())
        )

    def _option(self, name):
        return json.dumps(self.config.get(name))

    def _reboot(self):
        self.unit.reboot()

    def _reboot_now(self):
        self.unit.reboot(now=True)


def joined(items):
    return " ".join(items) or "none"


def reason(error):
    """The case of the error of charmhost that corresponds to one of ops."""
    command = error if isinstance(error, hookcmds.Error) else error.__cause__
    if not isinstance(command, hookcmds.Error):
        return "not-found"
    if "storage not found" in command.stderr:
        return "not-found"
    return "invalid-input" if command.returncode == 2 else "hook-tool-failed"


def parse(text):
    numbers, _, protocol = text.partition("/")
    if not protocol:
        return "icmp", None, None
    first, _, last = numbers.partition("-")
    return protocol, int(first), int(last) if last else None


def change_port(of_unit, of_tool, text, endpoints):
    protocol, first, last = parse(text)
    if last is None and endpoints is None:
        of_unit(protocol, first)
        return
    # The model has neither ranges nor endpoints.
    names = endpoints.split(",") if endpoints else None
    of_tool(protocol, first, to_port=last, endpoints=names)


def shown(port):
    if port.port is None:
        return port.protocol
    numbers = str(port.port) if port.to_port is None else f"{port.port}-{port.to_port}"
    return f"{numbers}/{port.protocol}"


if __name__ == "__main__":
    ops.main(Machine)
