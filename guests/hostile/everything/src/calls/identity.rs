use mint_sdk::Result;
use mint_sdk::json::{Value, json};
use mint_sdk::platform::identity::{self, User};

use super::Arguments;

pub(super) fn call(function: &str, with: &Arguments) -> Result<Value> {
    Ok(match function {
        "current" => json!(identity::current().map(|actor| json!({ "username": actor.username, "role": actor.role }))),
        "permissions" => json!(identity::permissions()),
        "require-role" => {
            identity::require_role(&with.texts("roles").unwrap_or_default())?;
            Value::Null
        }
        "get-user" => shown(identity::get_user(with.number("id"))?),
        "find-user" => shown(identity::find_user(&with.text("username"))?),
        "list-users" => identity::list_users(with.page())?.into_iter().map(shown).collect(),
        other => return Err(super::no_such_function(other)),
    })
}

fn shown(user: User) -> Value {
    json!({ "id": user.id, "username": user.username, "role": user.role })
}
