-- Front-ends of plugins, each on an origin of its own. A code takes a person's session there once; what the browser then
-- shows with every request ends with the session, or with the installation.
create table frontend_codes (
    code_sha256 text primary key,
    session_sha256 text not null references sessions (token_sha256) on delete cascade,
    installation_id bigint not null references installations (id) on delete cascade,
    platform_origin text not null,
    expires_at text not null
);

create table frontend_sessions (
    token_sha256 text primary key,
    session_sha256 text not null references sessions (token_sha256) on delete cascade,
    installation_id bigint not null references installations (id) on delete cascade,
    platform_origin text not null,
    created_at text not null
);

create index frontend_codes_by_session on frontend_codes (session_sha256);
create index frontend_codes_by_installation on frontend_codes (installation_id);
create index frontend_sessions_by_session on frontend_sessions (session_sha256, installation_id);
create index frontend_sessions_by_installation on frontend_sessions (installation_id);
