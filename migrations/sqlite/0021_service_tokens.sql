-- What programs beside instruments sign in with: one plugin, named instruments. Only the SHA-256 of a token is kept, and its
-- beginning, by which people know it again. Without an end it lasts until it is revoked.
create table service_tokens (
    id integer primary key autoincrement,
    tenant_id bigint not null references tenants (id) on delete cascade,
    name text not null,
    plugin text not null,
    instruments text not null,
    beginning text not null,
    token_sha256 text not null unique,
    created_at text not null,
    expires_at text,
    last_used_at text
);

create index service_tokens_by_tenant on service_tokens (tenant_id, id);
