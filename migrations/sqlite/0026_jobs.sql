-- Work of plugins that goes on when the request has ended. Whoever does it holds a lease; `attempt` counts up with every claim, and
-- what is written under an earlier one changes nothing. What goes in and what comes out is JSON, kept as it was said.
create table jobs (
    id integer primary key autoincrement,
    tenant_id bigint not null references tenants (id) on delete cascade,
    installation_id bigint not null references installations (id) on delete cascade,
    kind text not null,
    payload text not null,
    key text,
    user_id bigint references users (id) on delete cascade,
    permissions text,
    request_id text not null,
    status text not null,
    attempt bigint not null default 0,
    failures bigint not null default 0,
    losses bigint not null default 0,
    retries bigint not null,
    heartbeat_seconds bigint,
    is_cancelled boolean not null default false,
    percent bigint,
    message text,
    outcome text,
    error text,
    lease_owner text,
    lease_until text,
    created_at text not null,
    run_at text not null,
    started_at text,
    ended_at text,
    unique (installation_id, key)
);

create index jobs_by_tenant on jobs (tenant_id, id);
create index jobs_by_user on jobs (user_id);
create index jobs_waiting on jobs (tenant_id, installation_id, run_at, id) where status = 'queued';
create index jobs_running on jobs (lease_until) where status = 'running';
create index jobs_ended on jobs (installation_id, id) where ended_at is not null;
