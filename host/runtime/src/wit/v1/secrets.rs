//! `charmhost:secrets/secrets`: secrets and access to them (ops §12).

use charmhost_juju::{
    ContentMode, Rotation, SecretContent, SecretMetadata, SecretOwner, SecretReference,
};

use super::bindings::secrets::{self as wit, Host};
use super::{Error, error};
use crate::state::State;

impl Host for State {
    fn get_content(
        &mut self,
        secret: wit::SecretReference,
        mode: wit::ContentMode,
    ) -> Result<Vec<(String, String)>, Error> {
        let mode = match mode {
            wit::ContentMode::Current => ContentMode::Current,
            wit::ContentMode::Refresh => ContentMode::Refresh,
            wit::ContentMode::Peek => ContentMode::Peek,
        };
        let model = &mut self.charm.model;
        let content = model.secret_content(&reference(secret), mode);
        content.map(SecretContent::into_entries).map_err(error)
    }

    fn get_info(&mut self, secret: wit::SecretReference) -> Result<wit::SecretInfo, Error> {
        let info = self.charm.model.secret_info(&reference(secret));
        let info = info.map_err(error)?;
        Ok(wit::SecretInfo {
            id: info.id,
            label: info.label,
            description: info.description,
            revision: info.revision,
            expires: info.expires,
            rotation: info.rotation.map(rotation_to_wit),
            rotates: info.rotates,
        })
    }

    fn add(
        &mut self,
        owner: wit::SecretOwner,
        content: Vec<(String, String)>,
        metadata: wit::SecretMetadata,
    ) -> Result<String, Error> {
        let owner = match owner {
            wit::SecretOwner::App => SecretOwner::App,
            wit::SecretOwner::Unit => SecretOwner::Unit,
        };
        let model = &mut self.charm.model;
        let uri = model.add_secret(owner, &content, &metadata_from_wit(metadata));
        uri.map_err(error)
    }

    fn set_content(
        &mut self,
        secret: wit::SecretReference,
        content: Vec<(String, String)>,
    ) -> Result<(), Error> {
        let model = &mut self.charm.model;
        let set = model.set_secret_content(&reference(secret), &content);
        set.map_err(error)
    }

    fn set_info(
        &mut self,
        secret: wit::SecretReference,
        metadata: wit::SecretMetadata,
    ) -> Result<(), Error> {
        let model = &mut self.charm.model;
        let set = model.set_secret_info(&reference(secret), &metadata_from_wit(metadata));
        set.map_err(error)
    }

    fn grant(
        &mut self,
        secret: wit::SecretReference,
        relation_id: u32,
        unit: Option<String>,
    ) -> Result<(), Error> {
        let model = &mut self.charm.model;
        let granted = model.grant_secret(&reference(secret), relation_id, unit.as_deref());
        granted.map_err(error)
    }

    fn revoke(
        &mut self,
        secret: wit::SecretReference,
        relation_id: u32,
        unit: Option<String>,
    ) -> Result<(), Error> {
        let model = &mut self.charm.model;
        let revoked = model.revoke_secret(&reference(secret), relation_id, unit.as_deref());
        revoked.map_err(error)
    }

    fn remove(&mut self, secret: wit::SecretReference, revision: Option<u32>) -> Result<(), Error> {
        let model = &mut self.charm.model;
        let removed = model.remove_secret(&reference(secret), revision);
        removed.map_err(error)
    }

    fn ids(&mut self) -> Result<Vec<String>, Error> {
        self.charm.model.secret_ids().map_err(error)
    }
}

fn reference(secret: wit::SecretReference) -> SecretReference {
    match secret {
        wit::SecretReference::Id(id) => SecretReference::Id(id),
        wit::SecretReference::Label(label) => SecretReference::Label(label),
        wit::SecretReference::Labelled(wit::LabelledSecret { id, label }) => {
            SecretReference::Labelled { id, label }
        }
    }
}

fn metadata_from_wit(metadata: wit::SecretMetadata) -> SecretMetadata {
    SecretMetadata {
        label: metadata.label,
        description: metadata.description,
        expire: metadata.expire,
        rotate: metadata.rotate.map(rotation_from_wit),
    }
}

fn rotation_from_wit(rotation: wit::Rotation) -> Rotation {
    match rotation {
        wit::Rotation::Never => Rotation::Never,
        wit::Rotation::Hourly => Rotation::Hourly,
        wit::Rotation::Daily => Rotation::Daily,
        wit::Rotation::Weekly => Rotation::Weekly,
        wit::Rotation::Monthly => Rotation::Monthly,
        wit::Rotation::Quarterly => Rotation::Quarterly,
        wit::Rotation::Yearly => Rotation::Yearly,
    }
}

fn rotation_to_wit(rotation: Rotation) -> wit::Rotation {
    match rotation {
        Rotation::Never => wit::Rotation::Never,
        Rotation::Hourly => wit::Rotation::Hourly,
        Rotation::Daily => wit::Rotation::Daily,
        Rotation::Weekly => wit::Rotation::Weekly,
        Rotation::Monthly => wit::Rotation::Monthly,
        Rotation::Quarterly => wit::Rotation::Quarterly,
        Rotation::Yearly => wit::Rotation::Yearly,
    }
}
