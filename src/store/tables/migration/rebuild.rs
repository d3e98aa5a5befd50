//! A table of SQLite made anew, for what SQLite cannot change in place: read, changed, made beside the old one, filled, and put in
//! its place. What its pragmas do not tell of a table is refused, so that nothing gets lost.

use super::{MigrationTransaction, ddl::quoted};
use crate::tables::{Bounds, Error, Result, Row, Value};

/// Of the table that is being made.
const NEW: &str = "plugin_schema_migrations_new";

/// Words in a definition that stand for what could not be carried over.
const LOST: &[&str] =
    &["check", "collate", "generated", "as", "strict", "without", "deferrable", "initially", "conflict", "desc"];

#[derive(Clone, Debug)]
struct ShapeColumn {
    name: String,
    kind: String,
    not_null: bool,
    default: Option<String>,
    /// Its place in the primary key, from 1; zero for none.
    key: i64,
}

#[derive(Clone, Debug)]
struct ForeignKey {
    from: Vec<String>,
    table: String,
    to: Vec<Option<String>>,
    on_update: String,
    on_delete: String,
}

/// A table as it is, or is to be.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    columns: Vec<ShapeColumn>,
    counted: bool,
    uniques: Vec<Vec<String>>,
    references: Vec<ForeignKey>,
    /// Indexes of their own: columns (none for an expression), and how they were made.
    indexes: Vec<(Vec<Option<String>>, String)>,
    /// Whole definitions of columns that are to come in.
    added: Vec<String>,
}

impl Shape {
    /// With one more column.
    pub(super) fn add(&mut self, definition: String) {
        self.added.push(definition);
    }

    /// With another type, or another word about nothing, for a column.
    pub(super) fn alter(&mut self, column: &str, kind: Option<&str>, nullable: Option<bool>) {
        for one in self.columns.iter_mut().filter(|one| one.name == column) {
            if let Some(kind) = kind {
                kind.clone_into(&mut one.kind);
            }
            if let Some(nullable) = nullable {
                one.not_null = !nullable;
            }
        }
    }

    /// Without a column, and without what is about it.
    pub(super) fn remove(&mut self, column: &str) {
        let about = |name: &String| name == column;
        self.columns.retain(|one| one.name != column);
        self.uniques.retain(|columns| !columns.iter().any(about));
        self.references.retain(|key| !key.from.iter().any(about));
        self.indexes.retain(|(columns, _)| !columns.iter().flatten().any(about));
    }

    /// The statement that makes it, under another name.
    fn create(&self) -> String {
        let list = |names: &[String]| names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
        let mut lines: Vec<String> = self.columns.iter().map(|column| self.column(column)).collect();
        lines.extend(self.added.iter().cloned());
        let mut key: Vec<&ShapeColumn> = self.columns.iter().filter(|column| column.key > 0).collect();
        key.sort_by_key(|column| column.key);
        if !key.is_empty() && !self.counted {
            lines.push(format!("primary key ({})", list(&key.iter().map(|column| column.name.clone()).collect::<Vec<_>>())));
        }
        lines.extend(self.uniques.iter().map(|columns| format!("unique ({})", list(columns))));
        for key in &self.references {
            let to: Vec<String> = key.to.iter().flatten().cloned().collect();
            let to = if to.is_empty() { String::new() } else { format!(" ({})", list(&to)) };
            lines.push(format!(
                "foreign key ({}) references {}{to} on update {} on delete {}",
                list(&key.from),
                quoted(&key.table),
                key.on_update,
                key.on_delete
            ));
        }
        format!("create table {NEW} ({})", lines.join(", "))
    }

    fn column(&self, column: &ShapeColumn) -> String {
        let name = quoted(&column.name);
        if self.counted && column.key > 0 {
            return format!("{name} integer primary key autoincrement");
        }
        let not_null = if column.not_null { " not null" } else { "" };
        let default = column.default.as_ref().map(|default| format!(" default ({default})")).unwrap_or_default();
        format!("{name} {}{not_null}{default}", column.kind)
    }
}

/// Makes `table` anew as `change` makes it of what it is.
///
/// # Errors
/// It has what could not be carried over; the rows do not fit.
pub(super) async fn with(
    tx: &mut MigrationTransaction,
    table: &str,
    bounds: Bounds,
    change: impl FnOnce(&mut Shape) + Send,
) -> Result<()> {
    let mut shape = read(tx, table, bounds).await?;
    change(&mut shape);
    let kept: Vec<String> = shape.columns.iter().map(|column| quoted(&column.name)).collect();
    let (kept, old) = (kept.join(", "), quoted(table));
    let mut statements = vec![shape.create(), format!("insert into {NEW} ({kept}) select {kept} from {old}")];
    if shape.counted {
        // Numbers that were given once are not given again.
        let counter =
            format!("insert into sqlite_sequence (name, seq) select '{NEW}', seq from sqlite_sequence where name = '{table}'");
        statements.extend([format!("delete from sqlite_sequence where name = '{NEW}'"), counter]);
    }
    statements.extend([format!("drop table {old}"), format!("alter table {NEW} rename to {old}")]);
    statements.extend(shape.indexes.into_iter().map(|(_, sql)| sql));
    for sql in statements {
        tx.rebuild(sql, bounds).await?;
    }
    Ok(())
}

async fn read(tx: &mut MigrationTransaction, table: &str, bounds: Bounds) -> Result<Shape> {
    let ask = async |tx: &mut MigrationTransaction, sql: &str, name: &str| {
        tx.run(sql.to_owned(), vec![Value::Text(name.to_owned())], bounds).await.map(|(found, _)| found.rows)
    };
    let definition = ask(tx, "select sql from sqlite_master where type = 'table' and name = $1", table).await?;
    let definition = definition.first().and_then(|row| text(row, 0)).unwrap_or_default();
    let words = words(&definition);
    if let Some(lost) = words.iter().find(|word| LOST.contains(&word.as_str())) {
        return Err(Error::Statement(format!(
            "SQLite has to make `{table}` anew for this, and its `{lost}` would get lost. Make a new table, copy the rows, and drop \
             the old one."
        )));
    }
    let columns = ask(tx, "select name, type, \"notnull\", dflt_value, pk from pragma_table_xinfo($1)", table).await?;
    let columns = columns.iter().filter_map(|row| {
        let not_null = number(row, 2) != 0;
        Some(ShapeColumn { name: text(row, 0)?, kind: text(row, 1)?, not_null, default: text(row, 3), key: number(row, 4) })
    });
    let mut shape = Shape {
        columns: columns.collect(),
        counted: words.iter().any(|word| word == "autoincrement"),
        uniques: Vec::new(),
        references: Vec::new(),
        indexes: Vec::new(),
        added: Vec::new(),
    };
    let indexes = ask(
        tx,
        "select l.name, l.origin, m.sql from pragma_index_list($1) l left join sqlite_master m on m.type = 'index' and m.name = l.name",
        table,
    );
    for row in indexes.await? {
        let (Some(index), Some(origin)) = (text(&row, 0), text(&row, 1)) else { continue };
        let columns = ask(tx, "select name from pragma_index_info($1) order by seqno", &index).await?;
        let columns: Vec<Option<String>> = columns.iter().map(|row| text(row, 0)).collect();
        match (origin.as_str(), text(&row, 2)) {
            ("u", _) => shape.uniques.push(columns.into_iter().flatten().collect()),
            ("c", Some(sql)) => shape.indexes.push((columns, sql)),
            _ => {}
        }
    }
    let keys = "select id, \"table\", \"from\", \"to\", on_update, on_delete from pragma_foreign_key_list($1) order by id, seq";
    let mut last = None;
    for row in ask(tx, keys, table).await? {
        let (Some(from), Some(to_table)) = (text(&row, 2), text(&row, 1)) else { continue };
        if last != Some(number(&row, 0)) {
            last = Some(number(&row, 0));
            let action = |at| text(&row, at).unwrap_or_else(|| "NO ACTION".to_owned());
            let (on_update, on_delete) = (action(4), action(5));
            shape.references.push(ForeignKey { from: Vec::new(), table: to_table, to: Vec::new(), on_update, on_delete });
        }
        if let Some(key) = shape.references.last_mut() {
            key.from.push(from);
            key.to.push(text(&row, 3));
        }
    }
    Ok(shape)
}

fn text(row: &Row, at: usize) -> Option<String> {
    match row.get(at) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

fn number(row: &Row, at: usize) -> i64 {
    match row.get(at) {
        Some(Value::Integer(number)) => *number,
        Some(Value::Boolean(flag)) => i64::from(*flag),
        _ => 0,
    }
}

/// The words of a definition in lower case, without names in quotes, texts and comments.
fn words(definition: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = definition;
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '\'' | '"' | '`' => rest.get(1..).and_then(|inner| inner.find(first)).map_or(rest.len(), |end| end + 2),
            '[' => rest.find(']').map_or(rest.len(), |end| end + 1),
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            c if c.is_alphanumeric() || c == '_' => {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                words.push(rest.get(..end).unwrap_or_default().to_lowercase());
                end
            }
            other => other.len_utf8(),
        };
        rest = rest.get(end..).unwrap_or_default();
    }
    words
}
