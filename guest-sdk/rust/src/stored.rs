//! State that a charm saves between dispatches.

use std::cell::{Ref, RefCell};
use std::panic::Location;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::stored_state as wit;
use crate::error::ModelResult;
use crate::{Error, ErrorKind, Result};

/// A saved value: any serde type with a default, loaded by
/// [`Observe::stored`](crate::Observe::stored).
///
/// Changes are saved when the dispatch succeeds. On Kubernetes they are lost with the
/// pod, unless `storage = "juju"` is set.
///
/// ```
/// # use charmhost::prelude::*;
/// #[derive(Default, serde::Serialize, serde::Deserialize)]
/// struct Seen {
///     backups: u32,
/// }
///
/// struct Backup {
///     seen: Stored<Seen>,
/// }
///
/// impl Charm for Backup {
///     fn new(on: &mut Observe<Self>) -> Result<Self> {
///         on.action("backup", Self::on_backup);
///         Ok(Backup { seen: on.stored("seen")? })
///     }
/// }
///
/// impl Backup {
///     fn on_backup(&self, _event: ActionEvent) {
///         self.seen.update(|seen| seen.backups += 1);
///         log::info!("backup {}", self.seen.get().backups);
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Stored<T>(Rc<Slot<T>>);

#[derive(Debug)]
struct Slot<T> {
    object: String,
    name: String,
    value: RefCell<T>,
    /// The value as JSON before its first change since it was loaded or saved.
    before: RefCell<Option<String>>,
    /// The line of the charm that loaded it.
    place: &'static Location<'static>,
}

/// A value that is saved if it has changed.
trait Saved {
    fn is_of(&self, object: &str, name: &str) -> bool;
    fn save(&self) -> Result<()>;
}

thread_local! {
    /// All values that were loaded.
    static LOADED: RefCell<Vec<Rc<dyn Saved>>> = RefCell::default();
}

/// Saves what has changed.
pub(crate) fn save_all() -> Result<()> {
    let loaded = LOADED.with_borrow(Vec::clone);
    loaded.iter().try_for_each(|value| value.save())
}

impl<T: Serialize + DeserializeOwned + Default + 'static> Stored<T> {
    /// Loads the value of an object, or the type's default.
    #[track_caller]
    pub(crate) fn load(object: &str, name: &str) -> Result<Self> {
        if LOADED.with_borrow(|loaded| loaded.iter().any(|value| value.is_of(object, name))) {
            return Err(Error::invalid(format!(
                "cannot load the state {name:?} of {object} twice: the copies would overwrite each other"
            )));
        }
        let value = match wit::load(object, name).model()? {
            None => T::default(),
            Some(text) => match serde_json::from_str(&text) {
                Ok(value) => value,
                Err(error) => {
                    return Err(Error::new(
                        ErrorKind::InvalidValue,
                        format!("cannot load the state {name:?} of {object}: {error}"),
                    ));
                }
            },
        };
        let slot = Rc::new(Slot {
            object: object.to_owned(),
            name: name.to_owned(),
            value: RefCell::new(value),
            before: RefCell::default(),
            place: Location::caller(),
        });
        LOADED.with_borrow_mut(|loaded| loaded.push(Rc::clone(&slot) as Rc<dyn Saved>));
        Ok(Stored(slot))
    }
}

impl<T: Serialize> Stored<T> {
    /// The value. It must not be held while the value is changed.
    pub fn get(&self) -> Ref<'_, T> {
        self.0.value.borrow()
    }

    /// Changes the value.
    ///
    /// # Panics
    ///
    /// If the value is in use: by a `get` that is still held, or by a change within
    /// which this one is made.
    #[track_caller]
    pub fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let mut value = self.0.value.borrow_mut();
        let mut before = self.0.before.borrow_mut();
        if before.is_none() {
            // What cannot be serialised differs from everything.
            *before = Some(serde_json::to_string(&*value).unwrap_or_default());
        }
        change(&mut value)
    }

    /// Replaces the value.
    #[track_caller]
    pub fn set(&self, value: T) {
        self.update(|old| *old = value);
    }

    /// Saves the value now instead of at the end, for a charm that handles errors
    /// of saving.
    #[track_caller]
    pub fn save(&self) -> Result<()> {
        self.0.save_at(Location::caller())
    }
}

impl<T: Serialize> Slot<T> {
    fn save_at(&self, place: &'static Location<'static>) -> Result<()> {
        let Some(before) = self.before.take() else {
            return Ok(());
        };
        let Slot { object, name, .. } = self;
        let saved = match serde_json::to_string(&*self.value.borrow()) {
            Ok(text) if text == before => Ok(()),
            Ok(text) => wit::save(object, name, &text).model(),
            Err(error) => Err(Error::invalid(format!(
                "cannot save the state {name:?} of {object}: {error}"
            ))),
        };
        saved.map_err(|error| error.at(place))
    }
}

impl<T: Serialize> Saved for Slot<T> {
    fn is_of(&self, object: &str, name: &str) -> bool {
        self.object == object && self.name == name
    }

    fn save(&self) -> Result<()> {
        self.save_at(self.place)
    }
}
