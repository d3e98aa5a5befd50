//! Roles that people hold inside one plugin.

use mint_domain::{TenantId, UserId};

use crate::{Result, Tx};

/// The role of a user inside a plugin.
///
/// # Errors
/// The database's.
pub async fn get(tx: &mut Tx, tenant: TenantId, plugin: &str, user: UserId) -> Result<Option<String>> {
    let row = rows!(
        tx, optional (String,),
        "select role from plugin_roles where tenant_id = $1 and plugin = $2 and user_id = $3",
        tenant.0, plugin, user.0,
    )?;
    Ok(row.map(|(role,)| role))
}
