use mint_sdk::json::{Value, json};
use mint_sdk::platform::experiments::{self, Draft, Experiment, ExperimentStatus, Filter, IdChange, Patch, TextChange};
use mint_sdk::{Error, Result};

use super::Arguments;

pub(super) fn call(function: &str, with: &Arguments) -> Result<Value> {
    let id = with.number("id");
    Ok(match function {
        "get" => shown(experiments::get(id)?),
        "list" => {
            let (found, total) = experiments::list(&filter(with)?, with.page())?;
            json!({ "found": found.into_iter().map(shown).collect::<Vec<_>>(), "total": total })
        }
        "create" => shown(experiments::create(&Draft {
            name: with.text("name"),
            experiment_type: "test".to_owned(),
            project: with.optional_text("project"),
            parent_experiment_id: None,
            notes: with.optional_text("notes"),
            tags: None,
        })?),
        "update" => shown(experiments::update(id, &patch(with))?),
        "set-status" => shown(experiments::set_status(id, status(&with.text("status"))?)?),
        "delete" => {
            experiments::delete(id)?;
            Value::Null
        }
        other => return Err(super::no_such_function(other)),
    })
}

fn filter(with: &Arguments) -> Result<Filter> {
    Ok(Filter {
        status: with.optional_text("status").map(|text| status(&text)).transpose()?,
        experiment_type: None,
        project: with.optional_text("project"),
        created_by: None,
        parent_experiment_id: None,
        search: with.optional_text("search"),
    })
}

/// Sets the notes that are given, and clears those that are null.
fn patch(with: &Arguments) -> Patch {
    Patch {
        name: with.optional_text("name"),
        experiment_type: None,
        project: TextChange::Keep,
        parent_experiment_id: IdChange::Keep,
        notes: with.optional_text("notes").map_or(TextChange::Clear, TextChange::Set),
        tags: None,
        custom_metadata: None,
        start_date: TextChange::Keep,
        end_date: TextChange::Keep,
    }
}

fn status(text: &str) -> Result<ExperimentStatus> {
    match text {
        "planned" => Ok(ExperimentStatus::Planned),
        "ongoing" => Ok(ExperimentStatus::Ongoing),
        "completed" => Ok(ExperimentStatus::Completed),
        "cancelled" => Ok(ExperimentStatus::Cancelled),
        other => Err(Error::bad_request(format!("no status {other:?}"))),
    }
}

fn status_name(status: ExperimentStatus) -> &'static str {
    match status {
        ExperimentStatus::Planned => "planned",
        ExperimentStatus::Ongoing => "ongoing",
        ExperimentStatus::Completed => "completed",
        ExperimentStatus::Cancelled => "cancelled",
    }
}

fn shown(experiment: Experiment) -> Value {
    json!({
        "id": experiment.id, "name": experiment.name, "status": status_name(experiment.status), "notes": experiment.notes,
        "project": experiment.project,
    })
}
