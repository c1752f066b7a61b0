#!/usr/bin/env python3
"""Serves a page from a container: what charms/web does, on Python ops."""

import logging

import ops

CONTAINER = "web"
SERVICE = "web"
RING = "ring"
ROOT = "/srv/web"

# Prints what a visitor gets.
FETCH = """import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode(), end='')"""

logger = logging.getLogger(__name__)


class Web(ops.CharmBase):
    def __init__(self, framework):
        super().__init__(framework)
        framework.observe(self.on.web_pebble_ready, self._on_pebble_ready)
        framework.observe(self.on.config_changed, self._on_config_changed)
        framework.observe(self.on.leader_elected, self._on_leader_elected)
        framework.observe(self.on[RING].relation_changed, self._on_ring_changed)
        framework.observe(self.on[RING].relation_departed, self._on_ring_departed)
        framework.observe(self.on.fetch_action, self._on_fetch)
        framework.observe(self.on.collect_unit_status, self._on_collect_unit_status)

    def _on_pebble_ready(self, event):
        version, _ = event.workload.exec(["python3", "--version"]).wait_output()
        self.unit.set_workload_version(version.strip().removeprefix("Python "))
        self._serve()

    def _on_config_changed(self, event):
        greeting = self.config["greeting"]
        ring = self.model.get_relation(RING)
        if ring:
            ring.data[self.unit]["greeting"] = greeting
        self._serve()

    def _on_leader_elected(self, event):
        ring = self.model.get_relation(RING)
        if ring:
            ring.data[self.app]["leader"] = self.unit.name

    def _on_ring_changed(self, event):
        logger.info("heard of %s", event.unit.name if event.unit else "the application")
        self._serve()

    def _on_ring_departed(self, event):
        name = event.departing_unit.name if event.departing_unit else "somebody"
        logger.info("%s leaves", name)
        self._serve()

    def _on_fetch(self, event):
        path = event.params["path"]
        container = self.unit.get_container(CONTAINER)
        if not container.can_connect():
            event.fail("cannot fetch the page: the container is not ready")
            return
        url = f"http://localhost:{self.config['port']}{path}"
        event.log(f"fetching {url}")
        process = container.exec(["python3", "-c", FETCH, url], timeout=10)
        try:
            page, _ = process.wait_output()
        except ops.pebble.ExecError:
            event.fail(f"cannot fetch {path}")
            return
        event.set_results({"page": page})

    def _on_collect_unit_status(self, event):
        event.add_status(self._status())

    def _status(self):
        port = self.config["port"]
        if not is_port(port):
            return ops.BlockedStatus(f"cannot serve on port {port}: it must be 1 to 65535")
        container = self.unit.get_container(CONTAINER)
        if not container.can_connect():
            return ops.WaitingStatus("waiting for the container")
        service = container.get_services(SERVICE).get(SERVICE)
        if not service:
            return ops.MaintenanceStatus("setting up the web server")
        if not service.is_running():
            return ops.BlockedStatus("the web server does not run")
        check = container.get_checks("up").get("up")
        if check and check.status != ops.pebble.CheckStatus.UP:
            return ops.WaitingStatus("the web server does not answer")
        return ops.ActiveStatus(f"serving on port {port}")

    def _serve(self):
        greeting, port = self.config["greeting"], self.config["port"]
        container = self.unit.get_container(CONTAINER)
        if not is_port(port) or not container.can_connect():
            return
        container.push(f"{ROOT}/index.html", self._page(greeting), make_dirs=True)
        container.add_layer("web", layer(port), combine=True)
        container.replan()
        self.unit.set_ports(port)

    def _page(self, greeting):
        page = f"<h1>{greeting}</h1>\n"
        ring = self.model.get_relation(RING)
        if not ring:
            return page
        leader = ring.data[self.app].get("leader")
        if leader:
            page += f"<p>led by {leader}</p>\n"
        for unit in sorted(ring.units, key=lambda unit: unit.name):
            said = ring.data[unit].get("greeting")
            if said:
                page += f"<p>{unit.name} says {said}</p>\n"
        return page


def is_port(port):
    return 1 <= port <= 65535


def layer(port):
    return {
        "services": {
            SERVICE: {
                "override": "replace",
                "command": f"python3 -m http.server {port} --directory {ROOT}",
                "summary": "The web server",
                "startup": "enabled",
            }
        },
        "checks": {
            "up": {
                "override": "replace",
                "level": "ready",
                "http": {"url": f"http://localhost:{port}/"},
            }
        },
    }


if __name__ == "__main__":
    ops.main(Web)
