//! `charmhost:store/store`.

use charmhost_store::Notice;

use super::{Error, full};
use crate::bindings::store::{self as wit, Host};
use crate::kept::{Error as KeptError, Local};
use crate::state::State;

impl State {
    /// The local state, which is there until the guest has returned.
    fn local(&mut self) -> Result<&mut Local, Error> {
        let local = self.charm.local.as_mut();
        local.ok_or_else(|| Error::Other("the dispatch has ended".to_owned()))
    }

    fn hold_notice(&self, item: &wit::Notice) -> Result<(), Error> {
        let texts = [&item.event_path, &item.observer_path, &item.method];
        self.hold(&texts.map(String::as_str)).map_err(full)
    }
}

impl Host for State {
    fn load_snapshot(&mut self, path: String) -> Result<Option<Vec<u8>>, Error> {
        self.local()?.bytes(&path).map_err(other)
    }

    fn save_snapshot(&mut self, path: String, data: Vec<u8>) -> Result<(), Error> {
        self.hold_snapshot(&path, data.len()).map_err(full)?;
        self.local()?.save_bytes(path, data);
        Ok(())
    }

    fn drop_snapshot(&mut self, path: String) -> Result<(), Error> {
        self.hold_snapshot(&path, 0).map_err(full)?;
        self.local()?.forget(path);
        Ok(())
    }

    fn list_snapshots(&mut self) -> Result<Vec<String>, Error> {
        self.local()?.handles().map_err(other)
    }

    fn list_notices(&mut self) -> Result<Vec<wit::Notice>, Error> {
        let notices = self.local()?.notices().map_err(other)?;
        let notice = |notice: Notice| wit::Notice {
            event_path: notice.event_path,
            observer_path: notice.observer_path,
            method: notice.method,
        };
        Ok(notices.into_iter().map(notice).collect())
    }

    fn add_notice(&mut self, item: wit::Notice) -> Result<(), Error> {
        self.hold_notice(&item)?;
        self.local()?.add_notice(notice(item));
        Ok(())
    }

    fn drop_notice(&mut self, item: wit::Notice) -> Result<(), Error> {
        self.hold_notice(&item)?;
        self.local()?.drop_notice(notice(item));
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

fn other(error: KeptError) -> Error {
    Error::Other(error.to_string())
}
