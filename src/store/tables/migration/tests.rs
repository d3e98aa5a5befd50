//! The same changes on both databases.

use std::time::Duration;

use mint_domain::migration::{AppliedMigration, Migration};
use time::macros::datetime;
use tokio::time::Instant;

use super::{Change, Column, ColumnType, DefaultValue, MigrationTransaction, OnDelete, Record, Reference};
use crate::{
    tables::{Bounds, Error, Owner, PluginTables, Result, Value},
    testing::databases,
};

fn bounds() -> Bounds {
    Bounds {
        bytes_max: 64 << 20,
        statement: Duration::from_secs(30),
        rows_max: 1_000,
        memory_bytes_max: 1 << 20,
        deadline: Instant::now() + Duration::from_secs(60),
    }
}

fn tried(version: u32, error: Option<&str>) -> AppliedMigration {
    let migration =
        Migration { version, name: format!("m{version}"), destructive: false, checksum: "sum".to_owned(), named: false };
    AppliedMigration { migration, applied_at: datetime!(2026-01-02 03:04:05 UTC), error: error.map(str::to_owned) }
}

fn column(name: &str, kind: ColumnType) -> Column {
    Column {
        name: name.to_owned(),
        kind,
        nullable: true,
        default: None,
        unique: false,
        primary_key: false,
        counted: false,
        references: None,
    }
}

fn table(name: &str, columns: Vec<Column>) -> Change {
    Change::CreateTable { table: name.to_owned(), columns }
}

fn key() -> Column {
    Column { primary_key: true, counted: true, ..column("id", ColumnType::Bigint) }
}

struct Lab {
    tables: PluginTables,
    owner: Owner,
    _directory: tempfile::TempDir,
}

impl Lab {
    async fn begin(&self) -> MigrationTransaction {
        self.tables.migrate(&self.owner, bounds()).await.unwrap()
    }

    /// Makes changes in one migration; gives what each of them said.
    async fn change(&self, version: u32, changes: &[Change]) -> Result<Vec<bool>> {
        let mut migration = self.begin().await;
        let mut done = Vec::new();
        for change in changes {
            done.push(migration.change(change, bounds()).await?);
        }
        migration.finish(Record::Tried(tried(version, None)), bounds()).await.map(|()| done)
    }

    async fn run(&self, sql: &str) -> Result<Vec<Vec<Value>>> {
        self.tables.run(&self.owner, sql.to_owned(), Vec::new(), bounds()).await.map(|(found, _)| found.rows)
    }

    async fn versions(&self) -> Vec<(u32, Option<String>)> {
        let applied = self.tables.applied(&self.owner, bounds()).await.unwrap();
        applied.into_iter().map(|one| (one.migration.version, one.error)).collect()
    }
}

async fn labs() -> Vec<Lab> {
    let mut labs = Vec::new();
    for database in databases().await {
        let directory = tempfile::tempdir().unwrap();
        let tables = PluginTables::beside(&database.db, directory.path());
        let owner = Owner { tenant: "lab".parse().unwrap(), plugin: "peaks".parse().unwrap() };
        assert_eq!(tables.applied(&owner, bounds()).await.unwrap(), []);
        tables.prepare(&owner, bounds()).await.unwrap();
        labs.push(Lab { tables, owner, _directory: directory });
    }
    labs
}

#[tokio::test]
async fn a_history_of_changes() {
    for lab in labs().await {
        let parent = table("parent", vec![key(), Column { unique: true, ..column("name", ColumnType::Text) }]);
        let reference = Reference { table: "parent".to_owned(), column: "id".to_owned(), on_delete: OnDelete::Cascade };
        let child = table(
            "child",
            vec![
                Column { primary_key: true, ..column("a", ColumnType::Text) },
                Column { primary_key: true, ..column("b", ColumnType::Integer) },
                Column { references: Some(reference), ..column("parent", ColumnType::Bigint) },
                column("data", ColumnType::Json),
            ],
        );
        assert_eq!(lab.change(1, &[parent.clone(), child.clone()]).await.unwrap(), [true, true]);
        assert_eq!(lab.change(2, &[parent, child]).await.unwrap(), [false, false], "what is there is left alone");
        lab.run("insert into parent (name) values ('x'), ('y')").await.unwrap();
        lab.run("insert into child values ('k', 1, 1, '5'), ('k', 2, 2, null)").await.unwrap();

        let text = |text: &str| Value::Text(text.to_owned());
        let default = |value| Some(DefaultValue::Value(value));
        let added = [
            Column { default: default(text("it's")), nullable: false, ..column("note", ColumnType::Text) },
            Column { default: Some(DefaultValue::Now), ..column("made", ColumnType::Timestamp) },
            Column { unique: true, ..column("code", ColumnType::Uuid) },
            Column { default: default(Value::Boolean(true)), ..column("good", ColumnType::Boolean) },
            Column { default: default(Value::Blob(vec![1, 255])), ..column("raw", ColumnType::Blob) },
        ];
        let added: Vec<Change> =
            added.into_iter().map(|column| Change::AddColumn { table: "parent".to_owned(), column }).collect();
        let index = Change::CreateIndex {
            index: "parent_by_note".to_owned(),
            table: "parent".to_owned(),
            columns: vec!["note".to_owned(), "id".to_owned()],
            unique: false,
        };
        let changes: Vec<Change> = added.into_iter().chain([index]).collect();
        assert_eq!(lab.change(3, &changes).await.unwrap(), [true; 6]);
        assert_eq!(lab.change(4, &changes).await.unwrap(), [false; 6]);
        let found = lab.run("select id, name, note, good, raw, made is not null from parent order by id").await.unwrap();
        assert_eq!(found[0][..5], [Value::Integer(1), text("x"), text("it's"), Value::Boolean(true), Value::Blob(vec![1, 255])]);
        assert!(matches!(found[0][5], Value::Integer(1) | Value::Boolean(true)));
        assert_eq!(lab.run("select data from child order by b").await.unwrap(), [[text("5")], [Value::Null]]);

        let of_parent = |column: &str| (String::from("parent"), column.to_owned());
        let (table, column) = of_parent("good");
        let widened = Change::AlterColumn { table, column, kind: Some(ColumnType::Text), nullable: Some(false) };
        let (table, from) = of_parent("name");
        let renamed = Change::RenameColumn { table, from, to: "title".to_owned() };
        let (table, column) = of_parent("note");
        let dropped = Change::DropColumn { table, column };
        // PostgreSQL makes no text of a boolean default.
        let undefault = "update parent set good = false where id = 2";
        lab.run(undefault).await.unwrap();
        let done = lab.change(5, &[renamed.clone(), dropped.clone()]).await.unwrap();
        assert_eq!(done, [true, true]);
        assert_eq!(
            lab.change(6, &[renamed, dropped, Change::DropIndex { index: "parent_by_note".to_owned() }]).await.unwrap(),
            [false, false, false]
        );
        drop(widened);
        assert_eq!(
            lab.run("select title, parent.id, child.a from child join parent on parent = parent.id order by 2").await.unwrap(),
            [[text("x"), Value::Integer(1), text("k")], [text("y"), Value::Integer(2), text("k")]]
        );
        assert!(matches!(lab.run("insert into parent (title) values ('x')").await, Err(Error::Constraint(_))), "still unique");
        lab.run("delete from parent where id = 2").await.unwrap();
        assert_eq!(lab.run("select count(*) from child").await.unwrap(), [[Value::Integer(1)]], "it still cascades");
        lab.run("insert into parent (title) values ('z')").await.unwrap();
        let last = lab.run("select max(id) from parent").await.unwrap();
        assert_ne!(last, [[Value::Integer(2)]], "numbers are not given twice");
        assert_eq!(lab.change(7, &[Change::DropTable { table: "child".to_owned() }]).await.unwrap(), [true]);
        assert_eq!(lab.versions().await, [1, 2, 3, 4, 5, 6, 7].map(|version| (version, None)));
    }
}

#[tokio::test]
async fn what_a_column_holds_changes() {
    for lab in labs().await {
        lab.change(1, &[table("t", vec![key(), column("n", ColumnType::Integer)])]).await.unwrap();
        lab.run("insert into t (n) values (7), (null)").await.unwrap();
        let to = |kind, nullable| [Change::AlterColumn { table: "t".to_owned(), column: "n".to_owned(), kind, nullable }];
        let refused = lab.change(2, &to(None, Some(false))).await;
        assert!(matches!(refused, Err(Error::Constraint(_))), "{refused:?}");
        let fill = Change::Backfill { table: "t".to_owned(), column: "n".to_owned(), value: Value::Integer(0) };
        assert_eq!(lab.change(2, std::slice::from_ref(&fill)).await.unwrap(), [true]);
        assert_eq!(lab.change(3, &[fill]).await.unwrap(), [false]);
        lab.change(4, &to(Some(ColumnType::Text), Some(false))).await.unwrap();
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(lab.run("select n from t order by id").await.unwrap(), [[text("7")], [text("0")]]);
        assert!(matches!(lab.run("insert into t (n) values (null)").await, Err(Error::Constraint(_))));
        lab.change(5, &to(Some(ColumnType::Bigint), Some(true))).await.unwrap();
        lab.run("insert into t (n) values (null)").await.unwrap();
        assert_eq!(lab.run("select n from t where id = 1").await.unwrap(), [[Value::Integer(7)]]);
        let key = lab.change(6, &[Change::DropColumn { table: "t".to_owned(), column: "id".to_owned() }]).await;
        assert!(matches!(key, Err(Error::Statement(_))), "{key:?}");
    }
}

#[tokio::test]
async fn a_migration_is_done_and_noted_or_neither() {
    for lab in labs().await {
        let mut migration = lab.begin().await;
        migration.change(&table("t", vec![key()]), bounds()).await.unwrap();
        let wrong = migration.run("insert into nowhere values (1)".to_owned(), Vec::new(), bounds()).await;
        assert!(matches!(wrong, Err(Error::Statement(_))), "{wrong:?}");
        let over = migration.finish(Record::Tried(tried(1, None)), bounds()).await;
        assert!(matches!(over, Err(Error::Statement(_))), "{over:?}");
        assert_eq!(lab.versions().await, []);
        assert!(lab.run("select * from t").await.is_err(), "nothing is left");

        let record = |error| lab.tables.record(&lab.owner, Record::Tried(tried(1, error)), bounds());
        record(Some("it broke")).await.unwrap();
        assert_eq!(lab.versions().await, [(1, Some("it broke".to_owned()))]);
        lab.change(1, &[table("t", vec![key()])]).await.unwrap();
        assert_eq!(lab.versions().await, [(1, None)], "what succeeded takes the place of what failed");
        record(Some("late")).await.unwrap();
        assert_eq!(lab.versions().await, [(1, None)], "and not the other way round");

        for forged in [
            "update plugin_schema_migrations set checksum = 'x'",
            "insert into plugin_schema_migrations select 9, name, applied_at, checksum, destructive, success, '' from plugin_schema_migrations",
            "delete from plugin_schema_migrations",
            "drop table plugin_schema_migrations",
            "alter table plugin_schema_migrations add column x int",
            "create index x on Plugin_Schema_Migrations (name)",
        ] {
            let refused = lab.run(forged).await;
            assert!(matches!(refused, Err(Error::Denied(_) | Error::Statement(_))), "{forged}: {refused:?}");
        }
        let guessed = "select plugin_schema_migrations_note('x', 9, '', '', '', false, true)";
        assert!(lab.run(guessed).await.is_err());
        assert_eq!(lab.run("select version from plugin_schema_migrations").await.unwrap(), [[Value::Integer(1)]]);

        let mut migration = lab.begin().await;
        assert_eq!(migration.applied().len(), 1);
        migration.change(&Change::DropTable { table: "t".to_owned() }, bounds()).await.unwrap();
        migration.finish(Record::Reverted(1), bounds()).await.unwrap();
        assert_eq!(lab.versions().await, []);
    }
}

#[tokio::test]
async fn one_at_a_time() {
    for lab in labs().await {
        let first = lab.begin().await;
        let waiting = lab.tables.migrate(&lab.owner, Bounds { statement: Duration::from_millis(300), ..bounds() }).await;
        assert!(matches!(waiting, Err(Error::Busy(_) | Error::Limit { .. })), "{waiting:?}");
        first.finish(Record::Tried(tried(1, None)), bounds()).await.unwrap();
        assert_eq!(lab.begin().await.applied().len(), 1, "the next one sees it");
    }
}

#[tokio::test]
async fn what_would_get_lost_is_refused() {
    for lab in labs().await {
        lab.run("create table t (id integer primary key, n integer check (n > 0))").await.unwrap();
        let changed = lab.change(1, &[Change::DropColumn { table: "t".to_owned(), column: "n".to_owned() }]).await;
        match changed {
            Ok(done) => assert_eq!(done, [true], "PostgreSQL can"),
            Err(Error::Statement(message)) => assert!(message.contains("`check` would get lost"), "{message}"),
            Err(other) => panic!("{other}"),
        }
        for name in ["T", "1t", "a b", "", "pg_x", "sqlite_x", "plugin_schema_migrations", &"x".repeat(64)] {
            let refused = lab.change(2, &[table(name, vec![key()])]).await;
            assert!(matches!(refused, Err(Error::Statement(_) | Error::Denied(_))), "{name}: {refused:?}");
        }
    }
}
