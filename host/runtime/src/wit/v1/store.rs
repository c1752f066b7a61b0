//! `charmhost:store/store`: snapshots and notices as ops stores them (ops §5).

use charmhost_error_chain::ErrorChain;
use charmhost_store::{Error as StateError, Notice};

use super::bindings::store::{self as wit, Host};
use super::{Error, code, full, other};
use crate::state::State;

impl State {
    fn hold_notice(&self, item: &wit::Notice) -> Result<(), Error> {
        let texts = [&item.event_path, &item.observer_path, &item.method];
        self.hold(&texts.map(String::as_str)).map_err(full)
    }
}

impl Host for State {
    fn exists(&mut self) -> bool {
        self.charm.local.exists()
    }

    fn load_snapshot(&mut self, path: String) -> Result<Option<Vec<u8>>, Error> {
        let bytes = self.charm.local.bytes(&path).map_err(unreadable)?;
        bytes.transpose().map_err(|reason| {
            other(
                code::STATE,
                format!("cannot load the snapshot {path:?}: {reason}"),
            )
        })
    }

    fn save_snapshot(&mut self, path: String, data: Vec<u8>) -> Result<(), Error> {
        self.hold_snapshot(&path, data.len()).map_err(full)?;
        let saved = self.charm.local.save_bytes(path, data);
        saved.map_err(|reason| Error::InvalidInput(format!("cannot save a snapshot: {reason}")))
    }

    fn drop_snapshot(&mut self, path: String) -> Result<(), Error> {
        self.hold_snapshot(&path, 0).map_err(full)?;
        self.charm.local.delete(path);
        Ok(())
    }

    fn list_snapshots(&mut self) -> Result<Vec<String>, Error> {
        self.charm.local.handles().map_err(unreadable)
    }

    fn list_notices(&mut self) -> Result<Vec<wit::Notice>, Error> {
        let notices = self.charm.local.notices().map_err(unreadable)?;
        let notice = |notice: Notice| wit::Notice {
            event_path: notice.event_path,
            observer_path: notice.observer_path,
            method: notice.method,
        };
        Ok(notices.into_iter().map(notice).collect())
    }

    fn add_notice(&mut self, item: wit::Notice) -> Result<(), Error> {
        self.hold_notice(&item)?;
        let added = self.charm.local.add_notice(notice(item));
        added.map_err(|reason| Error::InvalidInput(format!("cannot add a notice: {reason}")))
    }

    fn drop_notice(&mut self, item: wit::Notice) -> Result<(), Error> {
        self.hold_notice(&item)?;
        self.charm.local.drop_notice(notice(item));
        Ok(())
    }
}

fn notice(notice: wit::Notice) -> Notice {
    Notice {
        event_path: notice.event_path,
        observer_path: notice.observer_path,
        method: notice.method,
    }
}

fn unreadable(error: StateError) -> Error {
    other(code::STATE, error.chain().to_string())
}
