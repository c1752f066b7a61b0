//! Logs every event with its data.

use charmhost::prelude::*;

struct Events;

/// Every event of the metadata, by the name that ops gives it.
const EVENTS: &[&str] = &[
    "install",
    "start",
    "stop",
    "remove",
    "update_status",
    "config_changed",
    "upgrade_charm",
    "leader_elected",
    "leader_settings_changed",
    "pre_series_upgrade",
    "post_series_upgrade",
    "collect_metrics",
    "my_db_relation_created",
    "my_db_relation_joined",
    "my_db_relation_changed",
    "my_db_relation_departed",
    "my_db_relation_broken",
    "ring_relation_changed",
    "data_storage_attached",
    "data_storage_detaching",
    "web_pebble_ready",
    "web_pebble_custom_notice",
    "web_pebble_check_failed",
    "web_pebble_check_recovered",
    "secret_changed",
    "secret_rotate",
    "secret_remove",
    "secret_expired",
    "do_backup_action",
    "collect_app_status",
    "collect_unit_status",
];

impl Charm for Events {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        for event in EVENTS {
            on.event(event, Self::on_event);
        }
        Ok(Events)
    }
}

impl Events {
    fn on_event(&self, event: Event) {
        log::info!("{event:?}");
    }
}

charmhost::main!(Events);
