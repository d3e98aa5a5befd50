//! What stands between a server and its PostgreSQL, and what becomes of both.

mod commands;
mod outage;
mod pooler;
mod proxy;
