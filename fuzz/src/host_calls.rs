//! What guests call, interface by interface, with any values: refused or done, and never a failure of the platform's own.

use mint_context::{
    Call, Error, calendar, database, designs,
    experiments::{self, Change, Draft, Filter, Patch},
    identity, instruments, jobs, notifications, objects, projects, results, roles, settings,
};
use mint_domain::{ExperimentId, JobId, ProjectId, UserId};
use mint_store::{Page, tables::Value as Parameter};
use serde_json::{Value, json};

use super::{house::House, pieces::Pieces};

/// Who calls, then calls until nothing is left.
pub fn run(data: &[u8]) {
    let house = House::get();
    let mut pieces = Pieces(data);
    let call = match pieces.byte() % 4 {
        0 => house.nobody().clone(),
        1 => house.person("viewer"),
        2 => house.person("member"),
        _ => house.person("admin"),
    };
    house.block_on(async {
        for _ in 0..8 {
            if pieces.0.is_empty() {
                break;
            }
            let done = match pieces.byte() % 9 {
                0 => of_experiments(&call, &mut pieces).await,
                1 => of_designs_and_results(&call, &mut pieces).await,
                2 => of_objects(&call, &mut pieces).await,
                3 => of_settings(&call, &mut pieces).await,
                4 => of_database(&call, &mut pieces).await,
                5 => of_people(&call, &mut pieces).await,
                6 => of_calendar(&call, &mut pieces).await,
                7 => of_jobs(&call, &mut pieces).await,
                _ => of_instruments(&call, &mut pieces).await,
            };
            match done {
                Ok(()) | Err(Error::Refused(_)) => {}
                Err(error) => panic!("the platform failed: {error:?}"),
            }
        }
    });
}

fn experiment(pieces: &mut Pieces<'_>) -> ExperimentId {
    ExperimentId(pieces.number())
}

fn page(pieces: &mut Pieces<'_>) -> Page {
    Page::new(pieces.number() as u32, pieces.number() as u32)
}

fn change(pieces: &mut Pieces<'_>) -> Change<String> {
    match pieces.byte() % 3 {
        0 => Change::Keep,
        1 => Change::Clear,
        _ => Change::Set(pieces.text()),
    }
}

async fn of_experiments(call: &Call, pieces: &mut Pieces<'_>) -> Result<(), Error> {
    match pieces.byte() % 6 {
        0 => {
            let (name, experiment_type, project) = (pieces.text(), pieces.text(), pieces.maybe());
            let parent_experiment_id = (pieces.byte() % 2 == 1).then(|| pieces.number());
            let (notes, tags) = (pieces.maybe(), Some(pieces.json()));
            experiments::create(call, Draft { name, experiment_type, project, parent_experiment_id, notes, tags }).await.map(drop)
        }
        1 => {
            let patch = Patch {
                name: pieces.maybe(),
                experiment_type: pieces.maybe(),
                project: change(pieces),
                notes: change(pieces),
                tags: Some(pieces.json()),
                custom_metadata: Some(pieces.json()),
                start_date: change(pieces),
                end_date: change(pieces),
                ..Patch::default()
            };
            experiments::update(call, experiment(pieces), patch).await.map(drop)
        }
        2 => experiments::get(call, experiment(pieces)).await.map(drop),
        3 => {
            let filter = Filter { search: pieces.maybe(), experiment_type: pieces.maybe(), ..Filter::default() };
            experiments::list(call, &filter, page(pieces)).await.map(drop)
        }
        4 => projects::get(call, ProjectId(pieces.number())).await.map(drop),
        _ => projects::list(call, page(pieces)).await.map(drop),
    }
}

async fn of_designs_and_results(call: &Call, pieces: &mut Pieces<'_>) -> Result<(), Error> {
    let id = experiment(pieces);
    match pieces.byte() % 6 {
        0 => designs::save(call, id, pieces.json(), pieces.maybe().as_deref()).await.map(drop),
        1 => designs::load(call, id).await.map(drop),
        2 => {
            let (key, display_name, note, result) = (pieces.text(), pieces.maybe(), pieces.maybe(), pieces.json());
            results::save(call, id, results::Input { key, result, display_name, note }).await.map(drop)
        }
        3 => results::load(call, id, None, &pieces.text(), Some(&[pieces.text()]), pieces.byte() % 2 == 1).await.map(drop),
        4 => results::list(call, id, pieces.byte() % 2 == 1, pieces.byte() % 2 == 1).await.map(drop),
        _ => results::archive(call, id, &pieces.text()).await.map(drop),
    }
}

async fn of_objects(call: &Call, pieces: &mut Pieces<'_>) -> Result<(), Error> {
    let id = experiment(pieces);
    match pieces.byte() % 4 {
        0 => {
            let (key, content_type, metadata) = (pieces.text(), pieces.maybe(), pieces.json());
            let mut writer = objects::put(call, id, &key, content_type, metadata).await?;
            writer.write(pieces.text().into()).await?;
            writer.finish().await.map(drop)
        }
        1 => objects::list(call, id, &pieces.text()).await.map(drop),
        2 => objects::info(call, id, pieces.text().parse().ok().as_ref(), &pieces.text()).await.map(drop),
        _ => objects::delete(call, id, &pieces.text()).await.map(drop),
    }
}

async fn of_jobs(call: &Call, pieces: &mut Pieces<'_>) -> Result<(), Error> {
    match pieces.byte() % 6 {
        0 => {
            let wanted = jobs::Wanted {
                kind: pieces.text(),
                payload: pieces.json(),
                key: pieces.maybe(),
                delay_seconds: pieces.number() as u32,
                retries: pieces.number() as u32,
                heartbeat_seconds: (pieces.byte() % 2 == 1).then(|| pieces.number() as u32),
            };
            jobs::enqueue(call, &wanted).await.map(drop)
        }
        1 => jobs::get(call, JobId(pieces.number())).await.map(drop),
        2 => jobs::list(call, pieces.maybe().as_deref(), None, page(pieces)).await.map(drop),
        3 => jobs::cancel(call, JobId(pieces.number())).await.map(drop),
        4 => jobs::retry(call, JobId(pieces.number())).await.map(drop),
        _ => jobs::progress(call, Some(pieces.number() as u32), pieces.maybe().as_deref()).map(drop).map_err(Into::into),
    }
}

async fn of_settings(call: &Call, pieces: &mut Pieces<'_>) -> Result<(), Error> {
    match pieces.byte() % 2 {
        0 => settings::load(call).await.map(drop),
        _ => settings::compare_and_swap(call, &pieces.text(), pieces.json()).await.map(drop),
    }
}

async fn of_database(call: &Call, pieces: &mut Pieces<'_>) -> Result<(), Error> {
    let parameters = vec![
        Parameter::Integer(pieces.number()),
        Parameter::Real(f64::from_bits(pieces.number() as u64)),
        Parameter::Text(pieces.text()),
        Parameter::Blob(pieces.bytes().to_vec()),
    ];
    let count = usize::from(pieces.byte() % 5);
    let sql = match pieces.byte() % 4 {
        0 => "insert into samples (id, amount, name) values ($1, $2, $3) on conflict do nothing".to_owned(),
        1 => "select * from samples where name = $3 and amount > $2 and id <> $1".to_owned(),
        _ => pieces.text(),
    };
    database::query(call, sql, parameters.into_iter().take(count).collect()).await.map(drop)
}

async fn of_people(call: &Call, pieces: &mut Pieces<'_>) -> Result<(), Error> {
    let own = call.through_plugin()?.slug().clone();
    match pieces.byte() % 6 {
        0 => identity::get_user(call, UserId(pieces.number())).await.map(drop),
        1 => identity::find_user(call, &pieces.text()).await.map(drop),
        2 => identity::list_users(call, page(pieces)).await.map(drop),
        3 => roles::set(call, &own, UserId(pieces.number()), &pieces.text()).await.map(drop),
        4 => roles::list(call, &own, page(pieces)).await.map(drop),
        _ => Ok(identity::require_role(call, &[pieces.text()])?),
    }
}

async fn of_calendar(call: &Call, pieces: &mut Pieces<'_>) -> Result<(), Error> {
    let value = pieces.json();
    let event = |value: &Value| json!({ "operation": "upsert", "event_key": value, "title": value, "start": value, "end": value, "participant_user_ids": [1] });
    match pieces.byte() % 3 {
        0 => match serde_json::from_value(value) {
            Ok(changes) => calendar::publish(call, changes).await,
            Err(_) => Ok(()),
        },
        1 => match serde_json::from_value(json!([event(&value)])) {
            Ok(changes) => calendar::publish(call, changes).await,
            Err(_) => Ok(()),
        },
        _ => match serde_json::from_value(value) {
            Ok(events) => notifications::publish(call, &pieces.text(), &[], events).await.map(drop),
            Err(_) => Ok(()),
        },
    }
}

async fn of_instruments(call: &Call, pieces: &mut Pieces<'_>) -> Result<(), Error> {
    match pieces.byte() % 3 {
        0 => match serde_json::from_value(pieces.json()) {
            Ok(draft) => instruments::create(call, draft).await.map(drop),
            Err(_) => Ok(()),
        },
        1 => instruments::list(call, pieces.byte() % 2 == 1).await.map(drop),
        _ => match pieces.text().parse() {
            Ok(id) => instruments::update(call, &id, serde_json::from_value(pieces.json()).unwrap_or_default()).await.map(drop),
            Err(_) => Ok(()),
        },
    }
}
