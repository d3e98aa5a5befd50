//! A list of weighed samples, in the shape that each of five releases gave it. The masses are the same in all of them.

use mint_sdk::database::{self, Value};
use mint_sdk::json::{self, json};
use mint_sdk::{Request, Response, Result, Route, Router};
use serde::Deserialize;

static ROUTER: Router = Router::new(&[Route::get("/samples", list), Route::post("/samples", add)]);

mint_sdk::routes!(ROUTER);

mint_sdk::migrations! {
    "migrations/v1_samples.rs" => v1_samples,
    #[cfg(feature = "r2")]
    "migrations/v2_operator.rs" => v2_operator,
    #[cfg(feature = "r3")]
    "migrations/v3_balances.rs" => v3_balances,
    #[cfg(feature = "r4")]
    "migrations/v4_micrograms.rs" => v4_micrograms,
    #[cfg(feature = "r5")]
    "migrations/v5_filled.rs" => v5_filled,
    #[cfg(feature = "r5")]
    "migrations/v6_milligrams_gone.rs" => v6_milligrams_gone,
}

/// A sample, as it is given.
#[derive(Deserialize)]
struct Sample {
    name: String,
    mass_ug: i64,
    balance: Option<String>,
}

/// The mass in micrograms, as this release finds it.
const MASS: &str = if cfg!(feature = "r5") {
    "s.mass_ug"
} else if cfg!(feature = "r4") {
    "coalesce(s.mass_ug, cast(round(s.mass_mg * 1000) as bigint))"
} else {
    "cast(round(s.mass_mg * 1000) as bigint)"
};

/// Answers with all samples: names, masses, and what else this release knows.
fn list(_request: Request) -> Result<Response> {
    let operator = if cfg!(feature = "r2") { "s.operator" } else { "null" };
    let (balance, join) = match cfg!(feature = "r3") {
        true => ("b.name", "left join balances b on b.id = s.balance_id"),
        false => ("null", ""),
    };
    let found =
        database::query(&format!("select s.name, {MASS}, {operator}, {balance} from samples s {join} order by s.id"), &[])?;
    let field = |value: Value| match value {
        Value::Integer(number) => json!(number),
        Value::Real(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::Null | Value::Boolean(_) | Value::Blob(_) => json::Value::Null,
    };
    let rows: Vec<json::Value> = found.rows.into_iter().map(|row| row.into_iter().map(field).collect()).collect();
    Response::json(&json!({ "columns": ["name", "mass_ug", "operator", "balance"], "samples": rows }))
}

/// Adds a sample.
fn add(request: Request) -> Result<Response> {
    let operator = request.user().map(|user| user.username);
    let sample: Sample = request.json()?;
    let mass_mg = Value::Real(sample.mass_ug as f64 / 1000.0);
    let mut fields: Vec<(&str, Value)> = vec![("name", sample.name.into())];
    if cfg!(not(feature = "r5")) {
        fields.push(("mass_mg", mass_mg));
    }
    if cfg!(feature = "r4") {
        fields.push(("mass_ug", sample.mass_ug.into()));
    }
    if cfg!(feature = "r2") {
        fields.push(("operator", operator.into()));
    }
    if let Some(balance) = sample.balance.filter(|_| cfg!(feature = "r3")) {
        fields.push(("balance_id", balance_id(&balance)?));
    }
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let places: Vec<String> = (1..=fields.len()).map(|number| format!("${number}")).collect();
    let values: Vec<Value> = fields.into_iter().map(|(_, value)| value).collect();
    database::execute(&format!("insert into samples ({}) values ({})", names.join(", "), places.join(", ")), &values)?;
    Response::json(&json!({ "added": 1 }))
}

/// The number of a balance, which is noted when it is new.
fn balance_id(name: &str) -> Result<Value> {
    database::execute("insert into balances (name) values ($1) on conflict (name) do nothing", &[name.into()])?;
    let found = database::query("select id from balances where name = $1", &[name.into()])?;
    Ok(found.rows.into_iter().flatten().next().unwrap_or(Value::Null))
}
