//! What SQLite would let a statement reach beyond the tables of its file.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

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
        return matches!(action, AuthAction::Read { .. } | AuthAction::Select);
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
