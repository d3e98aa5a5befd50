-- Programs without a browser of their own that wait for somebody to let them in elsewhere. Of both codes only the SHA-256 is kept.
-- Without a tenant it named one that there is not: it waits like all others, and nobody finds it.
create table device_codes (
    device_sha256 text primary key,
    user_sha256 text not null unique,
    tenant_id bigint references tenants (id) on delete cascade,
    is_read_only boolean not null,
    user_agent text,
    address text,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    interval_seconds bigint not null,
    polled_at timestamptz,
    is_denied boolean not null default false,
    user_id bigint references users (id) on delete cascade
);

-- A session that changes nothing.
alter table sessions add column is_read_only boolean not null default false;
