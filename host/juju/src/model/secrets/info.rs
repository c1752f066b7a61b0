//! Metadata of secrets (ops §12).

use charmhost_hook_tools::ToolError;
use serde_json::Value;

use super::time;

/// How often Juju asks the owner to rotate a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant is the period of its name")]
pub enum Rotation {
    Never,
    Hourly,
    Daily,
    Weekly,
    Monthly,
    Quarterly,
    Yearly,
}

impl Rotation {
    const ALL: [Rotation; 7] = [
        Rotation::Never,
        Rotation::Hourly,
        Rotation::Daily,
        Rotation::Weekly,
        Rotation::Monthly,
        Rotation::Quarterly,
        Rotation::Yearly,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Rotation::Never => "never",
            Rotation::Hourly => "hourly",
            Rotation::Daily => "daily",
            Rotation::Weekly => "weekly",
            Rotation::Monthly => "monthly",
            Rotation::Quarterly => "quarterly",
            Rotation::Yearly => "yearly",
        }
    }

    fn from_juju(word: &str) -> Option<Self> {
        let mut all = Rotation::ALL.into_iter();
        all.find(|rotation| rotation.as_str() == word)
    }
}

/// Metadata of a secret that is set; what is none stays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SecretMetadata {
    /// The owner's label.
    pub label: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// When the latest revision expires, in seconds since 1970-01-01 UTC.
    pub expire: Option<f64>,
    /// How often it is to be rotated.
    pub rotate: Option<Rotation>,
}

impl SecretMetadata {
    /// Returns the flags that set it (ops §7).
    ///
    /// # Errors
    ///
    /// For an expiry time before 1970 or after the year 9999.
    pub(super) fn arguments(&self, tool: &str) -> Result<Vec<String>, ToolError> {
        let expire = self.expire.map(|seconds| {
            time::rfc3339(seconds).ok_or_else(|| {
                let text = format!(
                    "{seconds} is not an expiry time: it is in seconds since 1970, up to the year 9999"
                );
                ToolError::invalid(tool, text)
            })
        });
        let flags = [
            ("--label", self.label.clone()),
            ("--description", self.description.clone()),
            ("--expire", expire.transpose()?),
            (
                "--rotate",
                self.rotate.map(|rotate| rotate.as_str().to_owned()),
            ),
        ];
        let given = flags
            .into_iter()
            .filter_map(|(flag, value)| Some([flag.to_owned(), value?]));
        Ok(given.flatten().collect())
    }

    /// Returns whether nothing is none.
    pub(super) fn is_complete(&self) -> bool {
        self.label.is_some()
            && self.description.is_some()
            && self.expire.is_some()
            && self.rotate.is_some()
    }
}

/// Metadata of a secret that this unit or its application owns.
#[derive(Debug, Clone, PartialEq)]
pub struct SecretInfo {
    /// The URI.
    pub id: String,
    /// The owner's label.
    pub label: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// The latest revision.
    pub revision: u32,
    /// When the latest revision expires, in seconds since 1970-01-01 UTC.
    pub expires: Option<f64>,
    /// How often it is to be rotated; none for a word that this version of
    /// charmhost does not know.
    pub rotation: Option<Rotation>,
    /// When it is due for rotation, in seconds since 1970-01-01 UTC.
    pub rotates: Option<f64>,
}

impl SecretInfo {
    /// Reads the output of `secret-info-get`: the metadata by the ID.
    pub(super) fn read(printed: &Value) -> Result<Self, ToolError> {
        let unexpected = |what: &str| {
            let text = format!("its output {what}: {printed}");
            ToolError::unexpected("secret-info-get", text)
        };
        let entry = printed.as_object().and_then(|map| map.iter().next());
        let (id, info) = entry.ok_or_else(|| unexpected("has no secret"))?;
        let text = |key: &str| {
            info.get(key)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
        };
        let seconds = |key: &str| {
            let read = |text| time::parse(text).ok_or_else(|| unexpected("has a malformed time"));
            text(key).map(read).transpose()
        };
        let revision = info.get("revision").and_then(Value::as_u64);
        let revision = revision.and_then(|revision| u32::try_from(revision).ok());
        Ok(SecretInfo {
            id: id.clone(),
            label: text("label").map(str::to_owned),
            description: text("description").map(str::to_owned),
            revision: revision.ok_or_else(|| unexpected("has no revision"))?,
            expires: seconds("expiry")?,
            rotation: text("rotation").and_then(Rotation::from_juju),
            rotates: seconds("rotates")?,
        })
    }
}
