//! Statements of strangers on tables of their own: whatever they say, nothing beside their one file is opened or made.

use std::{fs, path::Path, time::Duration};

use mint_store::tables::{Bounds, Value, destroys};
use tokio::time::Instant;

use super::{house::House, pieces::Pieces};

/// Parameters, then statements one after another, in a transaction that is given up.
pub fn run(data: &[u8]) {
    let house = House::get();
    let mut pieces = Pieces(data);
    let parameters = [Value::Integer(pieces.number()), Value::Text(pieces.text()), Value::Null];
    let count = usize::from(pieces.byte() % 3);
    house.block_on(async {
        let bounds = || Bounds {
            bytes_max: 1 << 20,
            statement: Duration::from_millis(100),
            rows_max: 100,
            memory_bytes_max: 1 << 16,
            deadline: Instant::now() + Duration::from_secs(1),
        };
        let Ok(mut transaction) = house.services().tables.begin(house.owner(), bounds()).await else { return };
        while !pieces.0.is_empty() {
            let sql = pieces.text();
            let _what = destroys(&sql);
            let given = parameters.iter().take(count).cloned().collect();
            if let Ok((rows, _)) = transaction.run(sql, given, bounds()).await {
                assert!(rows.rows.len() <= 100, "more rows than may be");
            }
        }
    });
    let tables = house.directory().join("plugin-tables");
    let known = |name: &str| name.starts_with("tables.sqlite");
    for file in files_below(&tables) {
        assert!(known(&file), "a file {file:?} beside the tables");
    }
}

fn files_below(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| {
            let path = entry.path();
            if path.is_dir() { files_below(&path) } else { vec![entry.file_name().to_string_lossy().into_owned()] }
        })
        .collect()
}
