//! Roles that people hold inside one plugin.

use std::collections::BTreeMap;

use mint_domain::{TenantId, UserId};

use crate::{Result, Tx};

/// The roles of a user inside plugins, by the plugin's slug.
///
/// # Errors
/// The database's.
pub async fn of_user(tx: &mut Tx, tenant: TenantId, user: UserId) -> Result<BTreeMap<String, String>> {
    let rows = rows!(
        tx,
        all(String, String),
        "select plugin, role from plugin_roles where tenant_id = $1 and user_id = $2",
        tenant.0,
        user.0,
    )?;
    Ok(rows.into_iter().collect())
}
