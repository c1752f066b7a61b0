//! State that a charm saves between dispatches.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::stored_state as wit;
use crate::error::ModelResult;
use crate::{Error, ErrorKind, Result};

thread_local! {
    /// Path of the charm, to which the state belongs.
    static OWNER: Cell<&'static str> = const { Cell::new("Charm") };
}

pub(crate) fn set_owner(charm: &'static str) {
    OWNER.set(charm);
}

/// A saved value: any serde type with a default.
///
/// It is committed when the dispatch succeeds. On Kubernetes it is lost with the pod,
/// unless `storage = "juju"` is set.
///
/// ```
/// # use charmhost::prelude::*;
/// #[derive(Default, serde::Serialize, serde::Deserialize)]
/// struct Seen {
///     backups: u32,
/// }
/// # fn handler() -> Result<()> {
/// let mut seen: Stored<Seen> = Stored::load("seen")?;
/// seen.backups += 1;
/// seen.save()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Stored<T> {
    object: String,
    name: String,
    value: T,
}

impl<T: Serialize + DeserializeOwned + Default> Stored<T> {
    /// Loads the value that the charm saved under a name, or the type's default. A
    /// library uses [`Object::stored`](crate::Object::stored).
    #[track_caller]
    pub fn load(name: &str) -> Result<Self> {
        Stored::load_of(OWNER.get(), name)
    }

    #[track_caller]
    pub(crate) fn load_of(owner: &str, name: &str) -> Result<Self> {
        let value = match wit::load(owner, name).model()? {
            None => T::default(),
            Some(text) => match serde_json::from_str(&text) {
                Ok(value) => value,
                Err(error) => {
                    return Err(Error::new(
                        ErrorKind::InvalidValue,
                        format!("cannot load the state {name:?} of {owner}: {error}"),
                    ));
                }
            },
        };
        Ok(Stored {
            object: owner.to_owned(),
            name: name.to_owned(),
            value,
        })
    }

    /// Saves the current value.
    #[track_caller]
    pub fn save(&self) -> Result<()> {
        let text = match serde_json::to_string(&self.value) {
            Ok(text) => text,
            Err(error) => {
                let Stored { object, name, .. } = self;
                return Err(Error::invalid(format!(
                    "cannot save the state {name:?} of {object}: {error}"
                )));
            }
        };
        wit::save(&self.object, &self.name, &text).model()
    }
}

impl<T> Deref for Stored<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Stored<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}
