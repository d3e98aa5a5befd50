use mint_sdk::Result;
use mint_sdk::json::{Value, json};
use mint_sdk::platform::projects::{self, Project};

use super::Arguments;

pub(super) fn call(function: &str, with: &Arguments) -> Result<Value> {
    Ok(match function {
        "get" => shown(projects::get(with.number("id"))?),
        "list" => {
            let (found, total) = projects::list(with.page())?;
            json!({ "found": found.into_iter().map(shown).collect::<Vec<_>>(), "total": total })
        }
        other => return Err(super::no_such_function(other)),
    })
}

fn shown(project: Project) -> Value {
    json!({ "id": project.id, "name": project.name, "description": project.description })
}
