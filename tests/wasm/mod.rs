//! Components: what they are told, what they may do, what they keep.

mod database;
mod everything;
mod grants;
mod greeting;
mod instances;
mod lcms;
mod lcms_bad_files;
mod leak;
mod outbound;
mod requests;
mod standard;
