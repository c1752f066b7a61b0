#!/usr/bin/env python3
"""Uses secrets, networks and the goal state as its action says, on Python ops."""

import datetime
import json
import logging

import ops
from ops import hookcmds

logger = logging.getLogger(__name__)
UTC = datetime.timezone.utc


class Vault(ops.CharmBase):
    def __init__(self, framework):
        super().__init__(framework)
        framework.observe(self.on.run_action, self._on_run)
        framework.observe(self.on.secret_changed, self._on_secret_changed)
        framework.observe(self.on.secret_rotate, self._on_secret_rotate)
        framework.observe(self.on.secret_expired, self._on_secret_expired)
        framework.observe(self.on.secret_remove, self._on_secret_remove)

    def _on_run(self, event):
        self._secrets = {}
        for step in event.params["steps"]:
            try:
                seen = self._perform(step)
            except Exception as error:
                seen = _outcome(error)
            logger.info("%s: %s", step["do"], seen)

    def _on_secret_changed(self, event):
        content = event.secret.get_content(refresh=True)
        logger.info("changed %s: %s", event.secret.label or "-", _shown(content))

    def _on_secret_rotate(self, event):
        event.secret.set_content({"token": "rotated", "serial": "2"})

    def _on_secret_expired(self, event):
        logger.info("expired %s", event.revision)
        event.remove_revision()

    def _on_secret_remove(self, event):
        logger.info("remove %s", event.revision)
        event.remove_revision()

    def _perform(self, step):
        perform = getattr(self, "_" + step["do"].replace("-", "_"))
        result = perform(step)
        return "done" if result is None else result

    def _secret(self, step):
        return self._secrets[step["secret"]]

    def _relation(self, step):
        return self.model.get_relation(*step["relation"])

    def _remote_unit(self, step):
        unit = step.get("unit")
        return self.model.get_unit(unit) if unit else None

    def _add(self, step):
        owner = self.app if step["owner"] == "app" else self.unit
        added = owner.add_secret(dict(step["content"]), **_metadata(step))
        self._secrets[step.get("name", "")] = added

    def _get(self, step):
        secret = self.model.get_secret(id=step.get("id"), label=step.get("label"))
        self._secrets[step.get("name", "")] = secret
        return _shown(secret.get_content())

    def _content(self, step):
        return _shown(self._secret(step).get_content())

    def _refresh(self, step):
        return _shown(self._secret(step).get_content(refresh=True))

    def _peek(self, step):
        return _shown(self._secret(step).peek_content())

    def _info(self, step):
        info = self._secret(step).get_info()
        rotation = info.rotation.value if info.rotation else "-"
        parts = [
            _last(info.id),
            info.label or "-",
            info.description or "-",
            str(info.revision),
            _seconds(info.expires),
            rotation,
            _seconds(info.rotates),
        ]
        return " ".join(parts)

    def _set_content(self, step):
        self._secret(step).set_content(dict(step["content"]))

    def _set_info(self, step):
        self._secret(step).set_info(**_metadata(step))

    def _grant(self, step):
        self._secret(step).grant(self._relation(step), unit=self._remote_unit(step))

    def _revoke(self, step):
        self._secret(step).revoke(self._relation(step), unit=self._remote_unit(step))

    def _remove(self, step):
        if "revision" in step:
            self._secret(step).remove_revision(step["revision"])
        else:
            self._secret(step).remove_all_revisions()

    def _config(self, step):
        uri = self.config.get("password")
        if uri is None:
            return "-"
        return _shown(self.model.get_secret(id=uri).get_content())

    def _ids(self, step):
        return " ".join(sorted(hookcmds.secret_ids() or []))

    def _network(self, step):
        key = self._relation(step) if "relation" in step else step["binding"]
        network = self.model.get_binding(key).network
        bound = [f"{i.name or '-'} {i.address} {i.subnet}" for i in network.interfaces]
        ingress = " ".join(str(address) for address in network.ingress_addresses)
        egress = " ".join(str(subnet) for subnet in network.egress_subnets)
        return f"{', '.join(bound)}; {network.bind_address or '-'}; {ingress}; {egress}"

    def _planned_units(self, step):
        return str(self.app.planned_units())

    def _goal_state(self, step):
        state = hookcmds.goal_state()
        parts = [_goals(state.units)]
        for name, remote in sorted(state.relations.items()):
            parts.append(f"{name}: {_goals(remote)}")
        return "; ".join(parts)

    def _cloud_spec(self, step):
        spec = self.model.get_cloud_spec()
        credential = "-"
        if spec.credential:
            attributes = _shown(spec.credential.attributes)
            redacted = " ".join(spec.credential.redacted)
            credential = f"{spec.credential.auth_type} {attributes} [{redacted}]"
        parts = [
            spec.type,
            spec.name,
            spec.region or "-",
            spec.endpoint or "-",
            spec.identity_endpoint or "-",
            spec.storage_endpoint or "-",
            f"({credential})",
            f"[{' '.join(spec.ca_certificates)}]",
            str(spec.skip_tls_verify).lower(),
            str(spec.is_controller_cloud).lower(),
        ]
        return " ".join(parts)

    def _model_uuid(self, step):
        return self._relation(step).remote_model.uuid


def _outcome(error):
    """A word that is the same for the errors of this host."""
    if isinstance(error, (ops.SecretNotFoundError, ops.RelationNotFoundError)):
        return "gone"
    if isinstance(error, (TypeError, ValueError)):
        return "invalid"
    if "no network config found" in str(error):
        return "gone"
    cause = error if isinstance(error, hookcmds.Error) else error.__cause__
    return "invalid" if getattr(cause, "returncode", 1) == 2 else "failed"


def _metadata(step):
    metadata = {}
    for key in ("label", "description"):
        if key in step:
            metadata[key] = step[key]
    if "expire" in step:
        metadata["expire"] = datetime.datetime.fromtimestamp(step["expire"], tz=UTC)
    if "rotate" in step:
        metadata["rotate"] = ops.SecretRotate(step["rotate"])
    return metadata


def _shown(content):
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _goals(goals):
    shown = [f"{name} {goal.status} {_seconds(goal.since)}" for name, goal in sorted(goals.items())]
    return ", ".join(shown)


def _last(uri):
    return uri.rsplit("/", 1)[-1].removeprefix("secret:")


def _seconds(time):
    return "-" if time is None else f"{time.timestamp():.6f}"


if __name__ == "__main__":
    ops.main(Vault)
