-- Where and when a session was last used.
alter table sessions add column last_seen_at timestamptz;
alter table sessions add column user_agent text;
alter table sessions add column address text;

-- What people give to programs in the place of their password. Only the SHA-256 of a token is kept, and its beginning, by which
-- people know it again. `permissions` bounds what it allows; null: all that its owner may.
create table access_tokens (
    id bigint generated always as identity primary key,
    tenant_id bigint not null references tenants (id) on delete cascade,
    user_id bigint not null references users (id) on delete cascade,
    name text not null,
    beginning text not null,
    token_sha256 text not null unique,
    is_read_only boolean not null,
    permissions jsonb,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    last_used_at timestamptz
);

create index access_tokens_by_user on access_tokens (tenant_id, user_id);
