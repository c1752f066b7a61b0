//! Notices and warnings of workload containers.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::bindings::pebble as wit;
use crate::container::names;
use crate::error::ModelResult;
use crate::{Container, Result, time};

/// A notice of a container's Pebble.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Notice {
    /// Its id.
    pub id: String,
    /// The user it belongs to; `None` if it is public.
    pub user_id: Option<u32>,
    /// Its type, for example `custom` or `change-update`.
    pub kind: String,
    /// Its key, for example `example.com/backup-done`.
    pub key: String,
    /// When it first occurred.
    pub first_occurred: SystemTime,
    /// When it last occurred.
    pub last_occurred: SystemTime,
    /// When it was last repeated.
    pub last_repeated: SystemTime,
    /// How often it occurred.
    pub occurrences: u32,
    /// The data of its last occurrence.
    pub last_data: BTreeMap<String, String>,
    /// For how long it is not repeated.
    pub repeat_after: Option<Duration>,
    /// After how long Pebble forgets it.
    pub expire_after: Option<Duration>,
}

/// Which notices are wanted: by default the public ones and the charm's own.
///
/// ```
/// # use charmhost::NoticeFilter;
/// let backups = NoticeFilter::new().kinds(["custom"]).keys(["example.com/backup-done"]);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NoticeFilter {
    all_users: bool,
    user_id: Option<u32>,
    kinds: Vec<String>,
    keys: Vec<String>,
}

impl NoticeFilter {
    /// Selects the public notices and the charm's own.
    pub fn new() -> Self {
        NoticeFilter::default()
    }

    /// Selects the notices of all users.
    pub fn all_users(mut self) -> Self {
        self.all_users = true;
        self
    }

    /// Selects the notices of one user.
    pub fn user_id(mut self, id: u32) -> Self {
        self.user_id = Some(id);
        self
    }

    /// Selects notices of these types, for example `custom`.
    pub fn kinds<N: Into<String>>(mut self, kinds: impl IntoIterator<Item = N>) -> Self {
        self.kinds = names(kinds);
        self
    }

    /// Selects notices with these keys.
    pub fn keys<N: Into<String>>(mut self, keys: impl IntoIterator<Item = N>) -> Self {
        self.keys = names(keys);
        self
    }

    pub(crate) fn to_wit(&self) -> wit::NoticeFilter {
        wit::NoticeFilter {
            all_users: self.all_users,
            user_id: self.user_id,
            kinds: self.kinds.clone(),
            keys: self.keys.clone(),
        }
    }
}

/// A warning of a Pebble before v1.16. Later ones have notices of type `warning`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warning {
    /// Its text.
    pub message: String,
    /// When it first occurred.
    pub first_added: SystemTime,
    /// When it last occurred.
    pub last_added: SystemTime,
    /// When it was last shown.
    pub last_shown: Option<SystemTime>,
    /// After how long Pebble forgets it.
    pub expire_after: Option<Duration>,
    /// For how long it is not shown again.
    pub repeat_after: Option<Duration>,
}

impl Container {
    /// Records a custom notice, and returns its id. The key has the form
    /// `example.com/path`.
    #[track_caller]
    pub fn notify<K: Into<String>, V: Into<String>>(
        &self,
        key: &str,
        data: impl IntoIterator<Item = (K, V)>,
    ) -> Result<String> {
        wit::notify(self.name(), key, &pairs(data), None).model()
    }

    /// The same, but it is not repeated for some time.
    #[track_caller]
    pub fn notify_rarely<K: Into<String>, V: Into<String>>(
        &self,
        key: &str,
        data: impl IntoIterator<Item = (K, V)>,
        repeat_after: Duration,
    ) -> Result<String> {
        let after = Some(repeat_after.as_secs_f64());
        wit::notify(self.name(), key, &pairs(data), after).model()
    }

    /// Returns the notice with an id.
    #[track_caller]
    pub fn notice(&self, id: &str) -> Result<Notice> {
        wit::notice(self.name(), id).model().map(from_wit)
    }

    /// Returns notices in the order in which they were last repeated.
    #[track_caller]
    pub fn notices(&self, filter: &NoticeFilter) -> Result<Vec<Notice>> {
        let notices = wit::notices(self.name(), &filter.to_wit()).model()?;
        Ok(notices.into_iter().map(from_wit).collect())
    }

    /// Returns the warnings that were not acknowledged.
    #[track_caller]
    pub fn warnings(&self) -> Result<Vec<Warning>> {
        let warnings = wit::warnings(self.name(), false).model()?;
        Ok(warnings.into_iter().map(warning).collect())
    }

    /// Returns all warnings.
    #[track_caller]
    pub fn all_warnings(&self) -> Result<Vec<Warning>> {
        let warnings = wit::warnings(self.name(), true).model()?;
        Ok(warnings.into_iter().map(warning).collect())
    }

    /// Acknowledges the warnings up to a point in time, and returns how many.
    #[track_caller]
    pub fn acknowledge_warnings(&self, until: SystemTime) -> Result<u32> {
        wit::acknowledge_warnings(self.name(), time::to_seconds(until)).model()
    }
}

fn pairs<K: Into<String>, V: Into<String>>(
    data: impl IntoIterator<Item = (K, V)>,
) -> Vec<(String, String)> {
    let data = data.into_iter();
    data.map(|(key, value)| (key.into(), value.into()))
        .collect()
}

pub(crate) fn from_wit(notice: wit::NoticeInfo) -> Notice {
    Notice {
        id: notice.id,
        user_id: notice.user_id,
        kind: notice.kind,
        key: notice.key,
        first_occurred: time::from_seconds(notice.first_occurred),
        last_occurred: time::from_seconds(notice.last_occurred),
        last_repeated: time::from_seconds(notice.last_repeated),
        occurrences: notice.occurrences,
        last_data: notice.last_data.into_iter().collect(),
        repeat_after: notice.repeat_after.map(time::duration),
        expire_after: notice.expire_after.map(time::duration),
    }
}

fn warning(warning: wit::WarningInfo) -> Warning {
    Warning {
        message: warning.message,
        first_added: time::from_seconds(warning.first_added),
        last_added: time::from_seconds(warning.last_added),
        last_shown: warning.last_shown.map(time::from_seconds),
        expire_after: warning.expire_after.map(time::duration),
        repeat_after: warning.repeat_after.map(time::duration),
    }
}
