"""The metadata that ops has, as the document of charmhost:metadata."""

import json


def document(meta):
    def text(value):
        return value if value is None or isinstance(value, str) else json.dumps(value)

    def endpoints(relations):
        return {
            name: {
                "interface": relation.interface_name,
                "limit": relation.limit,
                "scope": relation.scope,
                "optional": relation.optional,
            }
            for name, relation in relations.items()
        }

    def assumes(tree):
        return [
            feature
            if isinstance(feature, str)
            else {feature.condition.value: assumes(feature)}
            for feature in tree.features
        ]

    def bases(container):
        if container.bases is None:
            return None
        return [
            {"name": base.os_name, "channel": base.channel, "architectures": base.architectures}
            for base in container.bases
        ]

    return {
        "name": meta.name,
        "summary": text(meta.summary),
        "description": text(meta.description),
        "min-juju-version": text(meta.min_juju_version),
        "charm-user": meta.charm_user,
        "subordinate": meta.subordinate,
        "maintainers": meta.maintainers,
        "tags": meta.tags,
        "terms": meta.terms,
        "series": meta.series,
        "links": {
            "websites": meta.links.websites,
            "sources": meta.links.sources,
            "issues": meta.links.issues,
            "documentation": meta.links.documentation,
        },
        "assumes": assumes(meta.assumes),
        "requires": endpoints(meta.requires),
        "provides": endpoints(meta.provides),
        "peers": endpoints(meta.peers),
        "storage": {
            name: {
                "type": storage.type,
                "description": storage.description,
                "shared": storage.shared,
                "read-only": storage.read_only,
                "minimum-size": text(storage.minimum_size),
                "location": storage.location,
                "properties": storage.properties,
                "multiple": storage.multiple_range and list(storage.multiple_range),
            }
            for name, storage in meta.storages.items()
        },
        "resources": {
            name: {
                "type": resource.type,
                "filename": resource.filename,
                "description": resource.description,
            }
            for name, resource in meta.resources.items()
        },
        "containers": {
            name: {
                "resource": container.resource,
                "bases": bases(container),
                "mounts": {
                    storage: mount.locations for storage, mount in container.mounts.items()
                },
            }
            for name, container in meta.containers.items()
        },
        "payloads": {name: {"type": payload.type} for name, payload in meta.payloads.items()},
        "extra-bindings": meta.extra_bindings,
        "config": {
            name: {
                "type": option.type,
                "default": option.default,
                "description": option.description,
            }
            for name, option in meta.config.items()
        },
        "actions": {
            name: {
                "title": action.title,
                "description": action.description,
                "parameters": action.parameters,
                "required": action.required,
                "additional-properties": action.additional_properties,
            }
            for name, action in meta.actions.items()
        },
    }


def as_json(meta):
    return json.dumps(document(meta), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
