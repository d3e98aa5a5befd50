//! What SQLite would let a statement reach beyond the tables of its file.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use super::migration::ledger;

/// Facts about tables that programs ask for; they change nothing.
const PRAGMAS: &[&str] =
    &["table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list"];

/// Functions that reach out of the file.
const FUNCTIONS: &[&str] = &["load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"];

/// Decides about every statement that is prepared. `platform` is set while the platform prepares its own.
pub(super) fn authorizer(platform: Arc<AtomicBool>) -> impl FnMut(AuthContext<'_>) -> Authorization + Send + 'static {
    move |context| {
        let allowed = platform.load(Ordering::Relaxed) || may(&context.action, context.database_name);
        if allowed { Authorization::Allow } else { Authorization::Deny }
    }
}

fn may(action: &AuthAction<'_>, database: Option<&str>) -> bool {
    // The temporary database counts towards no quota.
    if database == Some("temp") {
        // Renaming looks there too; nobody can write into it by a statement.
        let renames = matches!(action, AuthAction::Update { table_name: "sqlite_temp_master", .. });
        return renames || matches!(action, AuthAction::Read { .. } | AuthAction::Select);
    }
    if changed(action).is_some_and(|table| table.eq_ignore_ascii_case(ledger::TABLE)) {
        return false;
    }
    match action {
        AuthAction::Pragma { pragma_name, .. } => PRAGMAS.iter().any(|name| name.eq_ignore_ascii_case(pragma_name)),
        AuthAction::Function { function_name } => !FUNCTIONS.iter().any(|name| name.eq_ignore_ascii_case(function_name)),
        AuthAction::CreateIndex { .. }
        | AuthAction::CreateTable { .. }
        | AuthAction::CreateView { .. }
        | AuthAction::Delete { .. }
        | AuthAction::DropIndex { .. }
        | AuthAction::DropTable { .. }
        | AuthAction::DropView { .. }
        | AuthAction::Insert { .. }
        | AuthAction::Read { .. }
        | AuthAction::Select
        | AuthAction::Update { .. }
        | AuthAction::AlterTable { .. }
        | AuthAction::Reindex { .. }
        | AuthAction::Analyze { .. }
        | AuthAction::Recursive => true,
        // Attached and temporary databases, modules, transactions of its own, and whatever comes with another SQLite.
        _ => false,
    }
}

/// The table that an action would change.
fn changed<'a>(action: &AuthAction<'a>) -> Option<&'a str> {
    match action {
        AuthAction::CreateTable { table_name }
        | AuthAction::CreateIndex { table_name, .. }
        | AuthAction::Delete { table_name }
        | AuthAction::DropIndex { table_name, .. }
        | AuthAction::DropTable { table_name }
        | AuthAction::Insert { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::AlterTable { table_name, .. } => Some(table_name),
        _ => None,
    }
}
