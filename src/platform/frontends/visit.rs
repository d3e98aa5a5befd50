//! Who visits a plugin's origin, and what is shown there.

use std::{path::PathBuf, sync::Arc, time::Duration};

use mint_bundle::{FRONTEND_FILES, FRONTEND_REVISION};
use mint_context::Result;
use mint_domain::{InstallationId, State};
use mint_store::frontends::{self, Admission, Mount};
use moka::sync::Cache;

use super::OriginName;
use crate::{
    Platform,
    not_ready::disabled,
    sign_in::{Identity, hashed},
};

/// What is forgotten or replaced is gone within this time on every replica.
const VISIT_TTL: Duration = Duration::from_secs(1);
/// Visits remembered for that long.
const VISITS_MAX: u64 = 10_000;

/// Who has been let in to which plugin, by hash of the token.
#[derive(Debug)]
pub struct Visits(Cache<String, Arc<Visit>>);

#[derive(Debug)]
struct Visit {
    admission: Admission,
    mount: Mount,
}

/// Somebody who has been let in to a plugin's origin.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// Who.
    pub identity: Identity,
    /// The plugin.
    pub installation: InstallationId,
    /// Where it stands, without `/api`.
    pub prefix: String,
    /// The directory of its front-end's files, which a release without one does not have.
    pub files: PathBuf,
    /// The file in which their revision stands.
    pub revision: PathBuf,
    /// Where the visitor came from.
    pub platform_origin: String,
}

impl Default for Visits {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(VISITS_MAX).time_to_live(VISIT_TTL).build())
    }
}

impl Platform {
    /// Who shows a token at a plugin's origin; none when it is not good there, or the session that it came from has ended.
    ///
    /// # Errors
    /// `plugin.disabled`; the database's.
    pub async fn identify_visitor(&self, name: &OriginName, token: &str) -> Result<Option<Visitor>> {
        let hash = hashed(token);
        let known = self.visits().0.get(&hash);
        let visit = match known {
            Some(visit) => visit,
            None => match self.find_visit(&hash).await? {
                Some(visit) => {
                    self.visits().0.insert(hash, visit.clone());
                    visit
                }
                None => return Ok(None),
            },
        };
        let Some(identity) = self.identify_hashed(visit.admission.session_sha256.clone()).await? else { return Ok(None) };
        let frontend = self.layout().frontend(&visit.mount.digest);
        let is_seen = identity.actor.sees_plugin(&visit.mount.slug);
        let is_here = is_seen && identity.tenant_slug == name.tenant && visit.mount.slug == name.plugin.as_str();
        if is_here && visit.mount.state == State::Disabled {
            return Err(disabled(&visit.mount.slug).into());
        }
        Ok(is_here.then(|| Visitor {
            identity,
            installation: visit.mount.installation_id,
            prefix: visit.mount.prefix.clone(),
            files: frontend.join(FRONTEND_FILES),
            revision: frontend.join(FRONTEND_REVISION),
            platform_origin: visit.admission.platform_origin.clone(),
        }))
    }

    async fn find_visit(&self, hash: &str) -> Result<Option<Arc<Visit>>> {
        let mut tx = self.services().db.read().await?;
        let Some(admission) = frontends::find_session(&mut tx, hash).await? else { return Ok(None) };
        drop(tx);
        let Some(identity) = self.identify_hashed(admission.session_sha256.clone()).await? else { return Ok(None) };
        let mut tx = self.services().db.read().await?;
        let mount = frontends::mount(&mut tx, identity.tenant, admission.installation_id).await?;
        Ok(mount.map(|mount| Arc::new(Visit { admission, mount })))
    }
}
