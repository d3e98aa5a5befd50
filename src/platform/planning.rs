//! Where a bundle would run, and why: asked for a bundle that is not installed, when one is, and when the configuration
//! of an installed one has changed.

use std::{io, path::Path, sync::Arc};

use mint_context::{Result, runtime::Release};
use mint_domain::{
    Digest, Manifest, Mode, Permission, Plan, TenantId,
    lifecycle::Failure,
    manifest::CapabilityRequest,
    plan::{self, Findings, ForcedBy, Installed, PlatformPython, Question, Refused},
    requirement::PythonParts,
};
use mint_store::installations::{self, Installation};
use serde::Serialize;

use crate::{Caller, Platform, content, install::Upload};

/// What would become of a bundle.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct PlannedPlugin {
    /// Slug.
    pub name: String,
    /// Version.
    pub version: String,
    /// Digest of the bundle.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// `shared` or `isolated`; null where it would be refused.
    #[schema(value_type = Option<String>)]
    pub mode: Option<Mode>,
    /// Why.
    pub reason: String,
    /// What it asks for, with the author's reasons.
    #[schema(value_type = Vec<Object>)]
    pub requested: Vec<CapabilityRequest>,
    /// What the mode was decided on: wishes, what components do not carry, clashes.
    #[schema(value_type = Object)]
    pub plan: Findings,
}

/// A bundle that was looked into and put away again.
struct Looked {
    manifest: Manifest,
    digest: Digest,
    python: Option<PythonParts>,
}

/// A question, on its own.
#[derive(Clone)]
struct Asked {
    manifest: Arc<Manifest>,
    python: Option<Arc<PythonParts>>,
    platform: Arc<PlatformPython>,
    not_made: Option<String>,
    installed: Arc<[Installed]>,
    configured: Option<Mode>,
    decided: Option<Mode>,
}

impl Platform {
    /// Tells where a bundle would run, and why. Nothing of it stays.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, or what is wrong with the bundle.
    pub async fn plan(&self, caller: &Caller, upload: Upload, mode: Option<Mode>) -> Result<PlannedPlugin> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsInstall)?;
        let bundle = content::open(&upload.0).await?;
        let uploads = self.layout().uploads();
        // The task owns the files, so that they go even if nobody waits for the answer any more.
        let look = move || {
            let (manifest, digest) = (bundle.manifest().clone(), bundle.digest());
            let scratch = tempfile::Builder::new().prefix(".plan-").tempdir_in(uploads)?;
            let unpacked = scratch.path().join("bundle");
            bundle.unpack(&unpacked).map_err(content::refused)?;
            let python = mint_bundle::python_parts(&unpacked, &manifest).map_err(content::refused)?;
            drop(upload);
            Ok::<_, mint_context::Error>(Looked { manifest, digest, python })
        };
        let Looked { manifest, digest, python } = tokio::task::spawn_blocking(look).await.map_err(io::Error::other)??;
        let (mode, reason, findings) = match self.decide(caller.tenant, &manifest, python, mode).await? {
            Ok(Plan { mode, reason, findings }) => (Some(mode), reason, findings),
            Err(refused) => (None, refused.reason, refused.findings),
        };
        Ok(PlannedPlugin {
            name: manifest.plugin.slug.to_string(),
            version: manifest.plugin.version,
            digest,
            mode,
            reason,
            requested: manifest.capabilities,
            plan: findings,
        })
    }

    /// Decides where an unpacked release runs.
    pub(crate) async fn decide_release(
        &self,
        tenant: TenantId,
        release: &Release,
        mode: Option<Mode>,
    ) -> Result<Result<Plan, Box<Refused>>> {
        let python = python_parts(&release.directory, &release.manifest).await?;
        self.decide(tenant, &release.manifest, python, mode).await
    }

    /// Decides where an unpacked release runs of whose wheels no component can be made, or none that runs.
    pub(crate) async fn decide_without_component(
        &self,
        tenant: TenantId,
        release: &Release,
        why: String,
    ) -> Result<Result<Plan, Box<Refused>>> {
        let python = python_parts(&release.directory, &release.manifest).await?;
        let mut asked = self.asked(tenant, &release.manifest, python, None).await?;
        asked.not_made = Some(why);
        asked.decide().await
    }

    /// Decides again where an installation runs, if the configuration has begun to force it elsewhere, or ceased to.
    pub(crate) async fn obey_configuration(&self, installation: &mut Installation, release: &Release) -> Result<(), Failure> {
        let is_obeyed = match self.forced(&installation.slug) {
            Some(mode) => mode == installation.mode(),
            None => installation.findings.forced_by != Some(ForcedBy::Configuration),
        };
        if is_obeyed {
            return Ok(());
        }
        let hint = "Change plugins.forceShared or plugins.forceIsolated and restart the server, or install another release.";
        let broken = |error: mint_context::Error| Failure::new("plan", error.public().message, hint);
        let tenant = installation.tenant_id;
        let plan = self.decide_release(tenant, release, None).await.map_err(broken)?;
        let plan = plan.map_err(|refused| Failure::new("plan", refused.reason, hint))?;
        let written = async {
            let mut tx = self.services().db.begin().await?;
            installations::set_plan(&mut tx, tenant, installation.id, &plan, self.services().clock.now()).await?;
            Ok(tx.commit().await?)
        };
        written.await.map_err(broken)?;
        tracing::info!(plugin.slug = installation.slug, mode = %plan.mode, reason = plan.reason, "a plugin changes its mode");
        installation.adopt(plan);
        Ok(())
    }

    async fn decide(
        &self,
        tenant: TenantId,
        manifest: &Manifest,
        python: Option<PythonParts>,
        decided: Option<Mode>,
    ) -> Result<Result<Plan, Box<Refused>>> {
        let mut asked = self.asked(tenant, manifest, python, decided).await?;
        let plan = asked.decide().await?;
        // What makes components may have to be fetched, so it is looked for only where one is to be made.
        if plan.as_ref().is_ok_and(|plan| plan.findings.builds_component)
            && let Err(why) = self.runtime(Mode::Shared).makes_components().await
        {
            asked.not_made = Some(format!("None can be made of them: {why}"));
            return asked.decide().await;
        }
        Ok(plan)
    }

    async fn asked(
        &self,
        tenant: TenantId,
        manifest: &Manifest,
        python: Option<PythonParts>,
        decided: Option<Mode>,
    ) -> Result<Asked> {
        let mut tx = self.services().db.read().await?;
        let installed = installations::list(&mut tx, tenant).await?;
        drop(tx);
        Ok(Asked {
            configured: self.forced(manifest.plugin.slug.as_str()),
            manifest: Arc::new(manifest.clone()),
            python: python.map(Arc::new),
            platform: Arc::clone(self.python()),
            not_made: None,
            installed: installed.into_iter().map(|row| Installed { slug: row.slug, wants: row.findings.wants }).collect(),
            decided,
        })
    }
}

impl Asked {
    /// Somebody else wrote the requirements; comparing many of them takes a while.
    async fn decide(&self) -> Result<Result<Plan, Box<Refused>>> {
        let asked = self.clone();
        let decided = tokio::task::spawn_blocking(move || {
            plan::decide(&Question {
                manifest: &asked.manifest,
                python: asked.python.as_deref(),
                platform: &asked.platform,
                not_made: asked.not_made.as_deref(),
                installed: &asked.installed,
                configured: asked.configured,
                decided: asked.decided,
            })
        });
        Ok(decided.await.map_err(io::Error::other)?)
    }
}

async fn python_parts(directory: &Path, manifest: &Arc<Manifest>) -> Result<Option<PythonParts>> {
    let (directory, manifest) = (directory.to_owned(), Arc::clone(manifest));
    let read = tokio::task::spawn_blocking(move || mint_bundle::python_parts(&directory, &manifest)).await;
    read.map_err(io::Error::other)?.map_err(content::refused)
}
