//! Components that take more than their share: each request's error, and nobody else's.

mod bodies;
mod canonical;
mod cases;
mod compile;
mod crowds;
mod exhaust;
mod faults;
mod floods;
mod fuzzed;
mod jobs;
mod laboratories;
mod limits;
pub(crate) mod neighbour;
mod prisoners;
mod processes;
mod quarantine;
mod quotas;
mod recount;
mod siege;
mod slow_clients;
pub(crate) mod tables;
