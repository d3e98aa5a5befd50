//! The history of a Python plugin's tables, as its SDK declares it. A process of its own knows it and does its steps; its
//! statements come here, one by one, for the transaction is the platform's.

use std::{collections::BTreeMap, io, os::fd::OwnedFd, sync::Arc, time::Duration};

use async_trait::async_trait;
use mint_context::{
    database::Value,
    migration_ops::{Change, ColumnType, Dialect, MigrationOps, Savepoint},
    runtime::{self, Activation},
};
use mint_domain::{
    Refusal,
    lifecycle::Failure,
    migration::{AppliedMigration, Direction, Migration},
};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    sync::Mutex,
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    begin,
    child::Child,
    launch::PythonLaunch,
    sandbox::{Allowance, Network, Sandbox, of_interpreter},
    shim,
    spawn::{Bounds, Confinement, Program, Spawner},
};

/// Longest time for a plugin to tell its history: most of it goes into its imports.
const LIST_TIMEOUT: Duration = Duration::from_secs(60);
/// Most bytes of a message of the process: a statement, with its values.
const MESSAGE_BYTES_MAX: u32 = 16 << 20;

/// The history of a plugin, and the process that knows it. Dropped, that is killed.
#[derive(Debug)]
pub(crate) struct Migrations {
    history: Vec<Migration>,
    line: Mutex<UnixStream>,
    _child: Child,
    _output: Vec<AbortOnDropHandle<()>>,
    _temporary: TempDir,
}

/// What the process says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Said {
    /// All migrations; none where the plugin has no history.
    History(Option<Vec<Migration>>),
    /// A statement.
    Run { sql: String, parameters: Vec<Json> },
    /// What SQLite has no statement for.
    Change(Wanted),
    /// Sets a point to go back to, forgets it, or goes back.
    Savepoint(Point),
    /// The step is done.
    Done,
    /// It has looked at the tables: so many of the first migrations they had already.
    Looked(usize),
    /// The step failed.
    Failed(String),
}

/// Of a column.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Wanted {
    Drop { table: String, column: String },
    Rename { table: String, from: String, to: String },
    Alter { table: String, column: String, kind: ColumnType },
}

/// By its name.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Point {
    Set(String),
    Release(String),
    GoBack(String),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    /// Why not, and which kind of conflict it is, if it is one.
    Error { words: String, kind: Option<String> },
    #[serde(untagged)]
    Rows { columns: Vec<String>, rows: Vec<Vec<Json>>, changed: u64 },
}

impl Migrations {
    /// Asks the plugin of a venv. None where it has no history.
    ///
    /// # Errors
    /// A [`Failure`] when it does not say.
    pub(crate) async fn of(
        (spawner, sandbox): (&Spawner, &Arc<Sandbox>),
        launch: &PythonLaunch,
        activation: &Activation,
    ) -> Result<Option<Self>, Failure> {
        sandbox.permit(&Network::Nobody)?;
        let failed = |what: &str| {
            let reason = format!("The plugin does not tell the history of its tables: {what}.");
            let mut failure = Failure::new("migrate", reason, "Its last lines are in the log excerpt.");
            failure.log_excerpt = activation.log.recent();
            failure
        };
        let broken = |error: io::Error| failed(&error.to_string());
        let temporary = begin::temporary_directory(activation.data_directory.join("cache")).map_err(broken)?;
        let socket = || rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None);
        let (line, its_end) = socket().map_err(|error| broken(error.into()))?;
        let program = program(sandbox, launch, activation, &temporary, its_end);
        let mut child = spawner.start(program).await.map_err(broken)?;
        let (stdout, stderr) = child.output();
        let output = begin::into_log(&activation.log, stdout, stderr).map_err(broken)?;
        let line = std::os::unix::net::UnixStream::from(line);
        line.set_nonblocking(true).map_err(broken)?;
        let mut line = UnixStream::from_std(line).map_err(broken)?;
        let heard = tokio::time::timeout(LIST_TIMEOUT, hear(&mut line)).await;
        match heard.map_err(|_| failed("it took too long"))?.map_err(broken)? {
            Said::History(None) => Ok(None),
            Said::History(Some(history)) => {
                Ok(Some(Self { history, line: Mutex::new(line), _child: child, _output: output, _temporary: temporary }))
            }
            _ => Err(failed("it says something else")),
        }
    }

    /// Asks for something, and serves the process until it is done. Gives how many migrations it found done.
    async fn ask(&self, question: &Json, ops: &MigrationOps) -> io::Result<Result<usize, String>> {
        let mut line = self.line.lock().await;
        say(&mut line, question).await?;
        loop {
            let answer = match hear(&mut line).await? {
                Said::Done => return Ok(Ok(0)),
                Said::Looked(found) => return Ok(Ok(found)),
                Said::Failed(words) => return Ok(Err(words)),
                Said::Run { sql, parameters } => run(ops, sql, parameters).await,
                Said::Change(wanted) => ops.change(wanted.into()).await.map(|_| Answer::nothing()).map_err(Answer::no),
                Said::Savepoint(point) => ops.savepoint(point.into()).await.map(|()| Answer::nothing()).map_err(Answer::no),
                Said::History(_) => return Err(io::Error::other("the plugin's process tells its history twice")),
            };
            say(&mut line, &answer.unwrap_or_else(|no| no)).await?;
        }
    }
}

fn name_of(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "sqlite",
        Dialect::Postgresql => "postgresql",
    }
}

#[async_trait]
impl runtime::Migrations for Migrations {
    async fn list(&self) -> Result<Vec<Migration>, Failure> {
        Ok(self.history.clone())
    }

    async fn apply(&self, migration: &Migration, direction: Direction, ops: MigrationOps) -> Result<(), String> {
        let (version, name, dialect) = (migration.version, &migration.name, name_of(ops.dialect()));
        let step = json!({ "version": version, "name": name, "up": direction == Direction::Up, "dialect": dialect });
        self.ask(&step, &ops).await.unwrap_or_else(broke).map(|_| ())
    }

    async fn look(&self, applied: &[AppliedMigration], ops: MigrationOps) -> Result<usize, String> {
        if !self.history.iter().any(|one| one.named) {
            return Ok(0);
        }
        let in_force: Vec<_> = applied.iter().filter(|one| one.error.is_none()).collect();
        self.ask(&json!({ "look": in_force, "dialect": name_of(ops.dialect()) }), &ops).await.unwrap_or_else(broke)
    }
}

fn broke<T>(error: io::Error) -> Result<T, String> {
    Err(format!("the plugin's process broke: {error}"))
}

fn program(
    sandbox: &Arc<Sandbox>,
    launch: &PythonLaunch,
    activation: &Activation,
    temporary: &TempDir,
    line: OwnedFd,
) -> Program {
    let Activation { authority, data_directory, .. } = activation;
    let directory = temporary.path();
    let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
    let environment: BTreeMap<String, String> = [
        ("HOME", text(directory)),
        ("LANG", "C.UTF-8".to_owned()),
        ("MINT_PLUGIN_DISTRIBUTION", launch.distribution.clone()),
        ("MINT_PLUGIN_ENTRY_POINT", launch.entry_point.clone()),
        ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
        ("PYTHONNOUSERSITE", "1".to_owned()),
        ("PYTHONUNBUFFERED", "1".to_owned()),
        ("TMPDIR", text(directory)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let venv = launch.interpreter.ancestors().nth(2).unwrap_or(&launch.interpreter);
    let allowance = Allowance {
        programs: std::iter::once(venv.to_owned()).chain(of_interpreter(&launch.interpreter)).collect(),
        readable: Vec::new(),
        writable: vec![directory.to_owned()],
        removable: Vec::new(),
        socket_directory: None,
        network: Network::Nobody,
        name: format!("migrate-{:016x}", rand::random::<u64>()),
        memory_bytes_max: authority.limits().process_memory_bytes_max,
        processes_max: authority.limits().processes_max,
        home: Some(data_directory.clone()),
    };
    Program {
        file: launch.interpreter.clone(),
        args: ["-c", shim::TEXT, "migrate"].map(Into::into).into(),
        environment,
        directory: directory.to_owned(),
        input: Some(line),
        bounds: Bounds::of(&authority.limits(), false),
        confinement: Some(Confinement { sandbox: Arc::clone(sandbox), allowance }),
    }
}

async fn run(ops: &MigrationOps, sql: String, parameters: Vec<Json>) -> Result<Answer, Answer> {
    let foreign = |words| Answer::Error { words, kind: None };
    let parameters = parameters.into_iter().map(value).collect::<Result<_, _>>().map_err(foreign)?;
    let (found, changed) = ops.run(sql, parameters).await.map_err(Answer::no)?;
    let rows = found.rows.into_iter().map(|row| row.into_iter().map(json_of).collect()).collect();
    Ok(Answer::Rows { columns: found.columns, rows, changed })
}

fn value(json: Json) -> Result<Value, String> {
    let foreign = || "a value of a statement is none that the platform knows".to_owned();
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Boolean(flag),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Value::Integer(number),
            (None, Some(number)) => Value::Real(number),
            (None, None) => return Err(foreign()),
        },
        Json::String(text) => Value::Text(text),
        Json::Object(object) => {
            let bytes = object.get("bytes").and_then(Json::as_str).and_then(|text| hex::decode(text).ok());
            Value::Blob(bytes.ok_or_else(foreign)?)
        }
        Json::Array(_) => return Err(foreign()),
    })
}

fn json_of(value: Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(flag) => flag.into(),
        Value::Integer(number) => number.into(),
        Value::Real(number) => number.into(),
        Value::Text(text) => text.into(),
        Value::Blob(bytes) => json!({ "bytes": hex::encode(bytes) }),
    }
}

impl Answer {
    fn nothing() -> Self {
        Self::Rows { columns: Vec::new(), rows: Vec::new(), changed: 0 }
    }

    fn no(error: mint_context::Error) -> Self {
        let Refusal { message: words, details, .. } = error.public();
        let kind = details.get("conflict_field").and_then(Json::as_str).map(str::to_owned);
        Self::Error { words, kind }
    }
}

impl From<Wanted> for Change {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Drop { table, column } => Self::DropColumn { table, column },
            Wanted::Rename { table, from, to } => Self::RenameColumn { table, from, to },
            Wanted::Alter { table, column, kind } => Self::AlterColumn { table, column, kind: Some(kind), nullable: None },
        }
    }
}

impl From<Point> for Savepoint {
    fn from(point: Point) -> Self {
        match point {
            Point::Set(name) => Self::Set(name),
            Point::Release(name) => Self::Release(name),
            Point::GoBack(name) => Self::GoBack(name),
        }
    }
}

async fn say(line: &mut UnixStream, said: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_vec(said)?;
    line.write_u32(u32::try_from(text.len()).map_err(io::Error::other)?).await?;
    line.write_all(&text).await
}

async fn hear(line: &mut UnixStream) -> io::Result<Said> {
    let length = line.read_u32().await?;
    if length > MESSAGE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a statement with its values takes too many bytes"));
    }
    let mut text = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    line.read_exact(&mut text).await?;
    Ok(serde_json::from_slice(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_pass_both_ways() {
        let values = json!([null, true, -7, 0.5, "text", { "bytes": "00ff" }]);
        for one in values.as_array().unwrap() {
            assert_eq!(json_of(value(one.clone()).unwrap()), *one);
        }
        for foreign in [json!([1]), json!({ "bytes": "x" }), json!({})] {
            assert!(value(foreign).is_err());
        }
    }

    #[test]
    fn answers_are_told_apart() {
        assert_eq!(serde_json::to_value(Answer::nothing()).unwrap(), json!({ "columns": [], "rows": [], "changed": 0 }));
        let error = Answer::Error { words: "no".to_owned(), kind: Some("constraint".to_owned()) };
        let told = json!({ "error": { "words": "no", "kind": "constraint" } });
        assert_eq!(serde_json::to_value(error).unwrap(), told);
    }
}
