-- By what whoever runs a new server makes its first administrator: each server that starts where there is nobody has one.
create table setup_tokens (
    token_sha256 text primary key,
    expires_at text not null
);
