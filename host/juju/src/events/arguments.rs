//! The values of the dispatched event, from the variables of the environment
//! (ops §3.2).

use serde_json::{Map, Value};

use super::Event;
use super::table::{Field, Presence, REMOTE_APP, REMOTE_UNIT, Subject};
use crate::environment::{Environment, EnvironmentError};
use crate::metadata::Metadata;

impl Environment {
    /// Returns the event of this dispatch; none for a name that this charm does
    /// not have, which is no error: Juju also sends events that are newer than
    /// the charm, and expects success (ops §2.1).
    ///
    /// A relation event without `JUJU_REMOTE_APP` takes the application from
    /// `JUJU_REMOTE_UNIT`.
    ///
    /// # Errors
    ///
    /// If a variable that the event needs is missing, or variables contradict
    /// one another or the event's name.
    pub fn event(&self, metadata: &Metadata) -> Result<Option<Event>, EnvironmentError> {
        let name = self.event_name();
        let Some((kind, subject)) = metadata.event(&name) else {
            return Ok(None);
        };
        let reader = Reader {
            environment: self,
            event: &name,
        };
        let row = kind.row();
        let mut values = Map::new();
        for field in row.fields.iter().copied() {
            if let Some(value) = reader.value(field)? {
                if row.subject.name_field() == Some(field) {
                    reader.check_subject(row.subject, field, &value, subject)?;
                }
                values.insert(field.key.to_owned(), value);
            }
        }
        if row.subject == Subject::Relation {
            reader.complete_relation(&mut values)?;
        }
        Ok(Some(Event {
            kind,
            subject: subject.to_owned(),
            values,
        }))
    }
}

struct Reader<'a> {
    environment: &'a Environment,
    event: &'a str,
}

impl Reader<'_> {
    fn value(&self, field: &Field) -> Result<Option<Value>, EnvironmentError> {
        let text = self.environment.variable(field.variable.name);
        let form = field.variable.form;
        if let Some(value) = text.and_then(|text| form.parse(text)) {
            return Ok(Some(value));
        }
        match field.presence {
            Presence::Required => Err(EnvironmentError::Missing {
                event: self.event.to_owned(),
                variable: field.variable.name,
                expected: field.variable.expected,
            }),
            Presence::Optional => Ok(None),
            Presence::Nullable => Ok(Some(Value::Null)),
            Presence::Empty => Ok(Some("".into())),
        }
    }

    fn contradiction<T>(&self, field: &Field, expected: String) -> Result<T, EnvironmentError> {
        let value = self.environment.variable(field.variable.name);
        Err(EnvironmentError::Contradiction {
            event: self.event.to_owned(),
            variable: field.variable.name,
            value: value.unwrap_or_default().to_owned(),
            expected,
        })
    }

    /// Checks that a variable names the subject that the event's name contains.
    fn check_subject(
        &self,
        subject: Subject,
        field: &Field,
        value: &Value,
        name: &str,
    ) -> Result<(), EnvironmentError> {
        if value.as_str() == Some(name) {
            return Ok(());
        }
        let expected = match subject {
            Subject::Storage => {
                format!("an instance of the storage {name}, for example {name}/0")
            }
            Subject::Container => format!("the name of the container, here {name}"),
            _ => format!("the name of the endpoint, here {name}"),
        };
        self.contradiction(field, expected)
    }

    /// Checks the remote unit, and takes the remote application from it if that
    /// is missing.
    fn complete_relation(&self, values: &mut Map<String, Value>) -> Result<(), EnvironmentError> {
        let Some(unit) = self.environment.variable(REMOTE_UNIT.variable.name) else {
            return Ok(());
        };
        let Some((unit_app, _)) = unit.split_once('/') else {
            return self.contradiction(&REMOTE_UNIT, REMOTE_UNIT.variable.expected.to_owned());
        };
        let app = values
            .entry(REMOTE_APP.key)
            .or_insert_with(|| unit_app.into());
        match app.as_str() {
            Some(app) if app != unit_app => {
                let expected = format!("a unit of JUJU_REMOTE_APP, here {app}");
                self.contradiction(&REMOTE_UNIT, expected)
            }
            _ => Ok(()),
        }
    }
}
