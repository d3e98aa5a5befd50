//! Tables from one kind of database to the other. What has no counterpart there is refused by name, never left out.

mod definition;
mod from_sqlite;
mod kinds;
mod to_sqlite;

pub(super) use from_sqlite::{check_file, read_file};
pub(super) use to_sqlite::make_file;
