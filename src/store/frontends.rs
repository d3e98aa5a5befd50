//! Front-ends: what a tenant's plugins show, and who has been let in to their origins.

use mint_domain::{Digest, InstallationId, State, TenantId};
use time::OffsetDateTime;

use crate::{Result, Tx};

/// Where an installation's front-end stands, if its release has one.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Mount {
    /// The installation.
    #[sqlx(try_from = "i64")]
    pub installation_id: InstallationId,
    /// Slug of the plugin.
    pub slug: String,
    /// Where its routes stand, without `/api`.
    pub prefix: String,
    /// Digest of the active release.
    #[sqlx(try_from = "String")]
    pub digest: Digest,
    /// How the installation stands.
    #[sqlx(json)]
    pub state: State,
}

/// Who is let in, and where.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Admission {
    /// Hash of the token of the person's session.
    pub session_sha256: String,
    /// The installation.
    #[sqlx(try_from = "i64")]
    pub installation_id: InstallationId,
    /// Where the person came from, such as `https://mint.example.org`.
    pub platform_origin: String,
}

/// A tenant's installations.
///
/// # Errors
/// The database's.
pub async fn mounts(tx: &mut Tx, tenant: TenantId) -> Result<Vec<Mount>> {
    rows!(
        tx, all Mount,
        "select i.id as installation_id, i.slug, i.prefix, i.state, r.digest from installations i join releases r on r.id = i.release_id
         where i.tenant_id = $1",
        tenant.0,
    )
}

/// One installation.
///
/// # Errors
/// The database's.
pub async fn mount(tx: &mut Tx, tenant: TenantId, id: InstallationId) -> Result<Option<Mount>> {
    rows!(
        tx, optional Mount,
        "select i.id as installation_id, i.slug, i.prefix, i.state, r.digest from installations i join releases r on r.id = i.release_id
         where i.tenant_id = $1 and i.id = $2",
        tenant.0, id.0,
    )
}

/// Keeps a code, and forgets those that nobody used in time.
///
/// # Errors
/// The database's.
pub async fn insert_code(
    tx: &mut Tx,
    code_sha256: &str,
    admission: &Admission,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> Result<()> {
    execute!(tx, "delete from frontend_codes where expires_at <= $1", now)?;
    execute!(
        tx,
        "insert into frontend_codes (code_sha256, session_sha256, installation_id, platform_origin, expires_at)
         values ($1, $2, $3, $4, $5)",
        code_sha256,
        &admission.session_sha256,
        admission.installation_id.0,
        &admission.platform_origin,
        expires_at,
    )
    .map(|_| ())
}

/// Uses a code up. None when there is none, or when its time is over.
///
/// # Errors
/// The database's.
pub async fn take_code(tx: &mut Tx, code_sha256: &str, now: OffsetDateTime) -> Result<Option<Admission>> {
    rows!(
        tx, optional Admission,
        "delete from frontend_codes where code_sha256 = $1 and expires_at > $2
         returning session_sha256, installation_id, platform_origin",
        code_sha256, now,
    )
}

/// Lets a browser in until the person's session ends, and forgets all but the last `kept` of that session there.
///
/// # Errors
/// The database's.
pub async fn insert_session(
    tx: &mut Tx,
    token_sha256: &str,
    admission: &Admission,
    kept: i64,
    now: OffsetDateTime,
) -> Result<()> {
    execute!(
        tx,
        "insert into frontend_sessions (token_sha256, session_sha256, installation_id, platform_origin, created_at)
         values ($1, $2, $3, $4, $5)",
        token_sha256,
        &admission.session_sha256,
        admission.installation_id.0,
        &admission.platform_origin,
        now,
    )?;
    execute!(
        tx,
        "delete from frontend_sessions where session_sha256 = $1 and installation_id = $2 and token_sha256 not in
            (select token_sha256 from frontend_sessions where session_sha256 = $1 and installation_id = $2
             order by created_at desc, token_sha256 limit $3)",
        &admission.session_sha256,
        admission.installation_id.0,
        kept,
    )
    .map(|_| ())
}

/// Whom a token lets in; none when it is unknown or its session has ended.
///
/// # Errors
/// The database's.
pub async fn find_session(tx: &mut Tx, token_sha256: &str) -> Result<Option<Admission>> {
    rows!(
        tx, optional Admission,
        "select session_sha256, installation_id, platform_origin from frontend_sessions where token_sha256 = $1",
        token_sha256,
    )
}
