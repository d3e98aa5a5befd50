//! Where blobs stand.

mod bucket;
mod s3_server;
