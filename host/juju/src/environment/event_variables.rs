//! The variables that Juju sets for the events that need them, and how their
//! texts are parsed (ops §1, juju §1.3). Those of every dispatch are read by
//! [`super::Environment`] itself.

use serde_json::Value;

/// A variable of the environment.
#[derive(Debug, PartialEq, Eq)]
pub struct Variable {
    /// The name.
    pub name: &'static str,
    /// The form of the text.
    pub form: Form,
    /// What Juju sets the variable to, for messages.
    pub expected: &'static str,
}

impl Variable {
    const fn new(name: &'static str, form: Form, expected: &'static str) -> Self {
        Variable {
            name,
            form,
            expected,
        }
    }
}

/// The endpoint of a relation.
pub const RELATION_NAME: Variable = Variable::new(
    "JUJU_RELATION",
    Form::Text,
    "the endpoint's name, for example db",
);
/// The number of a relation.
pub const RELATION_ID: Variable = Variable::new(
    "JUJU_RELATION_ID",
    Form::RelationNumber,
    "an endpoint and a number, for example db:7",
);
/// The remote application; absent when Juju no longer knows it.
pub const REMOTE_APP: Variable = Variable::new(
    "JUJU_REMOTE_APP",
    Form::Text,
    "the remote application's name, for example mysql",
);
/// The remote unit; absent when the event is about the application.
pub const REMOTE_UNIT: Variable = Variable::new(
    "JUJU_REMOTE_UNIT",
    Form::Text,
    "the remote unit's name, for example mysql/0",
);
/// The unit that leaves.
pub const DEPARTING_UNIT: Variable = Variable::new(
    "JUJU_DEPARTING_UNIT",
    Form::Text,
    "the name of the unit that leaves, for example mysql/0",
);
/// The name of a storage.
pub const STORAGE_NAME: Variable = Variable::new(
    "JUJU_STORAGE_ID",
    Form::StorageName,
    "a storage's name and a number, for example data/0",
);
/// The number of a storage instance.
pub const STORAGE_INDEX: Variable = Variable::new(
    "JUJU_STORAGE_ID",
    Form::StorageNumber,
    "a storage's name and a number, for example data/0",
);
/// The location of a storage instance.
pub const STORAGE_LOCATION: Variable = Variable::new(
    "JUJU_STORAGE_LOCATION",
    Form::Text,
    "the storage's mount point or device",
);
/// The name of a container.
pub const WORKLOAD_NAME: Variable = Variable::new(
    "JUJU_WORKLOAD_NAME",
    Form::Text,
    "the container's name in metadata.yaml",
);
/// The ID of a notice in Pebble.
pub const NOTICE_ID: Variable = Variable::new(
    "JUJU_NOTICE_ID",
    Form::Text,
    "the notice's ID, for example 42",
);
/// The type of a notice.
pub const NOTICE_TYPE: Variable = Variable::new("JUJU_NOTICE_TYPE", Form::Text, "custom");
/// The key of a notice.
pub const NOTICE_KEY: Variable = Variable::new(
    "JUJU_NOTICE_KEY",
    Form::Text,
    "the notice's key, for example example.com/backup-done",
);
/// The name of a check in the plan.
pub const PEBBLE_CHECK_NAME: Variable = Variable::new(
    "JUJU_PEBBLE_CHECK_NAME",
    Form::Text,
    "the check's name in the plan",
);
/// The URI of a secret.
pub const SECRET_ID: Variable = Variable::new(
    "JUJU_SECRET_ID",
    Form::Text,
    "the secret's URI, for example secret:cv0a2f5olq3c73f8cb60",
);
/// The label of a secret.
pub const SECRET_LABEL: Variable =
    Variable::new("JUJU_SECRET_LABEL", Form::Text, "the secret's label");
/// The number of a secret's revision.
pub const SECRET_REVISION: Variable = Variable::new(
    "JUJU_SECRET_REVISION",
    Form::Number,
    "a number, for example 3",
);
/// The action that is run. It is set in actions only (ops §1).
pub const ACTION_NAME: Variable =
    Variable::new("JUJU_ACTION_NAME", Form::Text, "the action's name");

/// The ID of an action's run.
pub const ACTION_UUID: Variable =
    Variable::new("JUJU_ACTION_UUID", Form::Text, "the ID of the action's run");

/// How the text of a variable becomes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As it is.
    Text,
    /// A number.
    Number,
    /// The 7 of `db:7`, or of `7`.
    RelationNumber,
    /// The `data` of `data/0`.
    StorageName,
    /// The 0 of `data/0`.
    StorageNumber,
}

impl Form {
    /// Parses the text of a variable; none if it is malformed.
    pub(crate) fn parse(self, text: &str) -> Option<Value> {
        match self {
            Form::Text => Some(text.into()),
            Form::Number => Some(number(text)?.into()),
            Form::RelationNumber => {
                let digits = text.rsplit_once(':').map_or(text, |(_, digits)| digits);
                Some(number(digits)?.into())
            }
            Form::StorageName => Some(storage_id(text)?.0.into()),
            Form::StorageNumber => Some(storage_id(text)?.1.into()),
        }
    }
}

/// Parses decimal digits, less than 2³¹; signs and blanks are not digits.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse::<i32>()
        .ok()
        .filter(|_| digits)
        .and_then(|number| u32::try_from(number).ok())
}

fn storage_id(text: &str) -> Option<(&str, u32)> {
    let (name, index) = text.split_once('/').filter(|(name, _)| !name.is_empty())?;
    Some((name, number(index)?))
}
