//! `/v1/notices` (`pebble §15`).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::client::{checked, each, with_query};
use crate::http::MAX_LIST;
use crate::time::{go_duration, optional_duration};
use crate::version::Needed;
use crate::wire::nullable;
use crate::{Client, Error, Timestamp};

/// Versions that have notices.
const NOTICES: Needed = Needed::Since(5);
/// Versions that select notices by user; earlier ones ignore the filter.
const BY_USER: Needed = Needed::Since(9);

/// A notice.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Notice {
    /// Its id.
    pub id: String,
    /// The user it belongs to; none if it is public.
    pub user_id: Option<u32>,
    /// Its type, for example `custom`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its key, for example `example.com/backup-done`.
    pub key: String,
    /// When it first occurred.
    pub first_occurred: Timestamp,
    /// When it last occurred.
    pub last_occurred: Timestamp,
    /// When it was last repeated.
    pub last_repeated: Timestamp,
    /// How often it occurred.
    #[serde(default)]
    pub occurrences: u32,
    /// The data of its last occurrence.
    #[serde(default, deserialize_with = "nullable")]
    pub last_data: BTreeMap<String, String>,
    /// For how long it is not repeated.
    #[serde(default, deserialize_with = "optional_duration")]
    pub repeat_after: Option<Duration>,
    /// After how long the daemon forgets it.
    #[serde(default, deserialize_with = "optional_duration")]
    pub expire_after: Option<Duration>,
}

/// Which notices are wanted. An empty list means any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NoticeFilter {
    /// Also those of other users. Otherwise only public ones and the caller's.
    pub all_users: bool,
    /// Only those of this user.
    pub user_id: Option<u32>,
    /// Types, for example `custom`.
    pub kinds: Vec<String>,
    /// Keys, for example `example.com/backup-done`.
    pub keys: Vec<String>,
}

impl NoticeFilter {
    fn check(&self) -> Result<(), Error> {
        match self.all_users && self.user_id.is_some() {
            true => Err(Error::Invalid(
                "cannot list notices of one user and of all users: choose one".to_owned(),
            )),
            false => Ok(()),
        }
    }

    fn path(&self, after: Option<Timestamp>, wait: Duration) -> String {
        let user = self.user_id.map(|id| id.to_string());
        let after = after.map(|after| after.to_string());
        let wait = (!wait.is_zero()).then(|| go_duration(wait));
        let users = self.all_users.then_some(("users", "all"));
        let parameters = users
            .into_iter()
            .chain(user.as_deref().map(|id| ("user-id", id)))
            .chain(each("types", &self.kinds))
            .chain(each("keys", &self.keys))
            .chain(after.as_deref().map(|after| ("after", after)))
            .chain(wait.as_deref().map(|wait| ("timeout", wait)));
        with_query("/v1/notices", parameters)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct AddNotice<'a> {
    action: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    key: &'a str,
    data: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repeat_after: Option<String>,
}

#[derive(Deserialize)]
struct Added {
    id: String,
}

impl Client {
    /// Adds a custom notice and returns its id. The key has the form
    /// `example.com/backup-done`.
    pub async fn notify<'a>(
        &self,
        key: &str,
        data: impl IntoIterator<Item = (&'a str, &'a str)>,
        repeat_after: Option<Duration>,
    ) -> Result<String, Error> {
        let body = AddNotice {
            action: "add",
            kind: "custom",
            key,
            data: data.into_iter().collect(),
            repeat_after: repeat_after.map(go_duration),
        };
        let answer = self.post::<Added>("/v1/notices", &body).await;
        let answer = self.explain(NOTICES, "record a notice", answer).await;
        Ok(answer?.result.id)
    }

    /// Returns a notice.
    pub async fn notice(&self, id: &str) -> Result<Notice, Error> {
        let path = format!("/v1/notices/{}", checked(id)?);
        let answer = self.get(&path).await;
        Ok(self
            .explain(NOTICES, "return a notice", answer)
            .await?
            .result)
    }

    /// Returns notices in the order in which they were last repeated.
    pub async fn notices(&self, filter: &NoticeFilter) -> Result<Vec<Notice>, Error> {
        filter.check()?;
        let verb = "list notices of other users";
        if filter.all_users || filter.user_id.is_some() {
            self.require(BY_USER, verb).await?;
        }
        self.notices_after(filter, None, Duration::ZERO).await
    }

    /// Returns the notices that were repeated after a point in time. If there are
    /// none, waits for the first one, and returns none when the time is over.
    pub(crate) async fn notices_after(
        &self,
        filter: &NoticeFilter,
        after: Option<Timestamp>,
        wait: Duration,
    ) -> Result<Vec<Notice>, Error> {
        let answer = self
            .get_within(&filter.path(after, wait), wait, MAX_LIST)
            .await;
        let answer = self.explain(NOTICES, "list notices", answer).await?;
        let notices: Option<Vec<Notice>> = answer.result;
        Ok(notices.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_becomes_a_query() {
        let none = NoticeFilter::default();
        assert_eq!(none.path(None, Duration::ZERO), "/v1/notices");
        let filter = NoticeFilter {
            user_id: Some(7),
            kinds: vec!["custom".to_owned()],
            keys: vec!["a.b/c".to_owned(), "a.b/d,e".to_owned()],
            ..NoticeFilter::default()
        };
        let after = Timestamp::parse("2026-11-22T00:00:00.000000001Z");
        assert_eq!(
            filter.path(after, Duration::from_millis(1500)),
            "/v1/notices?user-id=7&types=custom&keys=a.b%2Fc&keys=a.b%2Fd%2Ce\
             &after=2026-11-22T00%3A00%3A00.000000001Z&timeout=1.500000000s"
        );
        let both = NoticeFilter {
            all_users: true,
            user_id: Some(7),
            ..NoticeFilter::default()
        };
        assert!(matches!(both.check(), Err(Error::Invalid(_))));
    }

    #[test]
    fn fields_of_a_notice_may_be_missing() {
        let notice: Notice = serde_json::from_str(
            r#"{"id":"1","user-id":null,"type":"new-type","key":"k",
                "first-occurred":"2026-11-22T00:00:00Z","last-occurred":"2026-11-22T00:00:00Z",
                "last-repeated":"2026-11-22T00:00:00Z","occurrences":1,"expire-after":"168h0m0s"}"#,
        )
        .unwrap();
        assert!(notice.last_data.is_empty());
        assert_eq!(notice.repeat_after, None);
        assert_eq!(
            notice.expire_after,
            Some(Duration::from_secs(7 * 24 * 3600))
        );
    }
}
