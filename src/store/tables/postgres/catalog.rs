//! What stands in a schema, read from the catalog as the role that owns it.

use tokio_postgres::Client;

use super::connection::explain;
use crate::tables::{
    Error, Result,
    saved::{Column, Constraint, ConstraintKind, Index, SavedSchema, Sequence, Table, View},
};

/// Names of everything of the role's own that is no index, with its kind.
const RELATIONS: &str = "select c.oid, c.relname::text, c.relkind::text, \
    c.relispartition or exists (select from pg_inherits i where i.inhrelid = c.oid or i.inhparent = c.oid) \
    from pg_class c where c.relnamespace = (select oid from pg_namespace where nspname = $1) \
    and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') \
    and c.relowner = (select oid from pg_roles where rolname = current_user) order by c.oid";

const COLUMNS: &str = "select a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull, \
    pg_get_expr(d.adbin, d.adrelid, true), a.attgenerated = 's', a.attidentity::text, \
    case when a.attcollation <> t.typcollation then quote_ident(n.nspname) || '.' || quote_ident(l.collname) end \
    from pg_attribute a join pg_type t on t.oid = a.atttypid \
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum \
    left join pg_collation l on l.oid = a.attcollation left join pg_namespace n on n.oid = l.collnamespace \
    where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped order by a.attnum";

const CONSTRAINTS: &str = "select conname::text, contype::text, pg_get_constraintdef(oid, true), \
    array(select a.attname::text from unnest(conkey) with ordinality k(n, place) \
          join pg_attribute a on a.attrelid = conrelid and a.attnum = k.n order by k.place) \
    from pg_constraint where conrelid = $1 and contype in ('p', 'u', 'f', 'c', 'x') order by oid";

const INDEXES: &str = "select c.relname::text, i.indisunique, pg_get_indexdef(c.oid, 0, true), \
    case when i.indexprs is null and i.indpred is null and i.indnatts = i.indnkeyatts then \
        array(select a.attname::text from unnest(i.indkey::int2[]) with ordinality k(n, place) \
              join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.n order by k.place) end \
    from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = $1 and i.indisvalid \
    and not exists (select from pg_constraint k where k.conindid = c.oid and k.contype in ('p', 'u', 'x')) order by c.oid";

const SEQUENCES: &str = "select c.relname::text, format_type(s.seqtypid, null), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, \
    s.seqcycle, t.relname::text, a.attname::text, d.deptype::text \
    from pg_class c join pg_sequence s on s.seqrelid = c.oid \
    left join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = c.oid and d.refclassid = 'pg_class'::regclass \
        and d.deptype in ('a', 'i') and d.refobjsubid > 0 \
    left join pg_class t on t.oid = d.refobjid left join pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid \
    where c.oid = $1";

/// Something in a schema.
#[derive(Debug)]
pub(super) struct Relation {
    pub(super) oid: u32,
    pub(super) name: String,
    pub(super) kind: String,
    inherits: bool,
}

/// A name as a statement has it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Everything that the role owns in its schema.
pub(super) async fn relations(client: &Client, schema: &str) -> Result<Vec<Relation>> {
    let rows = client.query(RELATIONS, &[&schema]).await.map_err(|error| explain(&error))?;
    let read = |row: &tokio_postgres::Row| {
        Ok(Relation { oid: row.try_get(0)?, name: row.try_get(1)?, kind: row.try_get(2)?, inherits: row.try_get(3)? })
    };
    rows.iter().map(read).collect::<Result<_, tokio_postgres::Error>>().map_err(|error| explain(&error))
}

/// All of it, as it can be made again. `tables` are locked against changes of their form by the caller's transaction.
pub(super) async fn describe(client: &Client, relations: &[Relation]) -> Result<SavedSchema> {
    let mut schema = SavedSchema::default();
    let mut identities = Vec::new();
    for relation in relations.iter().filter(|relation| relation.kind == "S") {
        let (sequence, of_identity) = sequence(client, relation).await.map_err(|error| explain(&error))?;
        if of_identity { identities.push(sequence) } else { schema.sequences.push(sequence) }
    }
    for relation in relations {
        match relation.kind.as_str() {
            "r" if !relation.inherits => {
                let entry = format!("tables/{}.jsonl", schema.tables.len());
                let table = table(client, relation, entry, &identities).await.map_err(|error| explain(&error))?;
                schema.tables.push(table);
            }
            "v" | "m" => schema.views.push(view(client, relation).await.map_err(|error| explain(&error))?),
            "S" => {}
            _ => {
                let message = format!("The table `{}` is partitioned or inherits, which snapshots cannot hold.", relation.name);
                return Err(Error::Unsaveable(message));
            }
        }
    }
    Ok(schema)
}

async fn table(
    client: &Client,
    relation: &Relation,
    entry: String,
    identities: &[Sequence],
) -> Result<Table, tokio_postgres::Error> {
    let mut table = Table { name: relation.name.clone(), entry, rows: 0, columns: vec![], constraints: vec![], indexes: vec![] };
    for row in client.query(COLUMNS, &[&relation.oid]).await? {
        let (name, identity): (String, String) = (row.try_get(0)?, row.try_get(5)?);
        let counts = |sequence: &&Sequence| sequence.owned_by.as_ref() == Some(&(relation.name.clone(), name.clone()));
        let verb = if identity == "a" { "always" } else { "by default" };
        let identity = identities.iter().find(counts).filter(|_| !identity.is_empty());
        let identity = identity.map(|sequence| (verb.to_owned(), Sequence { name: String::new(), ..sequence.clone() }));
        table.columns.push(Column {
            kind: row.try_get(1)?,
            not_null: row.try_get(2)?,
            default: row.try_get(3)?,
            computed: row.try_get(4)?,
            collation: row.try_get(6)?,
            identity,
            name,
        });
    }
    for row in client.query(CONSTRAINTS, &[&relation.oid]).await? {
        let kind = match row.try_get::<_, String>(1)?.as_str() {
            "p" => ConstraintKind::PrimaryKey,
            "u" => ConstraintKind::Unique,
            "f" => ConstraintKind::ForeignKey,
            "c" => ConstraintKind::Check,
            _ => ConstraintKind::Exclusion,
        };
        let (name, definition, columns) = (row.try_get(0)?, row.try_get(2)?, row.try_get(3)?);
        table.constraints.push(Constraint { name, kind, columns, definition });
    }
    for row in client.query(INDEXES, &[&relation.oid]).await? {
        let (name, unique, statement, columns) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        table.indexes.push(Index { name, columns, unique, statement });
    }
    Ok(table)
}

async fn sequence(client: &Client, relation: &Relation) -> Result<(Sequence, bool), tokio_postgres::Error> {
    let row = client.query_one(SEQUENCES, &[&relation.oid]).await?;
    let state = client.query_one(&format!("select last_value, is_called from {}", quoted(&relation.name)), &[]).await?;
    let owner: Option<(String, String)> = Option::zip(row.try_get::<_, Option<String>>(7)?, row.try_get::<_, Option<String>>(8)?);
    let of_identity = row.try_get::<_, Option<String>>(9)?.as_deref() == Some("i");
    let sequence = Sequence {
        name: row.try_get(0)?,
        kind: row.try_get(1)?,
        start: row.try_get(2)?,
        increment: row.try_get(3)?,
        min: row.try_get(4)?,
        max: row.try_get(5)?,
        cycles: row.try_get(6)?,
        last: state.try_get(0)?,
        called: state.try_get(1)?,
        owned_by: owner,
    };
    Ok((sequence, of_identity))
}

async fn view(client: &Client, relation: &Relation) -> Result<View, tokio_postgres::Error> {
    let row = client.query_one("select pg_get_viewdef($1::oid, true)", &[&relation.oid]).await?;
    let indexes = client.query(INDEXES, &[&relation.oid]).await?;
    let indexes = indexes.iter().map(|row| row.try_get(2)).collect::<Result<_, _>>()?;
    Ok(View { name: relation.name.clone(), materialized: relation.kind == "m", query: row.try_get(0)?, indexes })
}
