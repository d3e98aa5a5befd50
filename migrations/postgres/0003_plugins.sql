-- A release is the same for every tenant: its bundle's digest says what it is.
create table releases (
    id bigint generated always as identity primary key,
    slug text not null,
    version text not null,
    digest text not null unique,
    manifest jsonb not null,
    created_at timestamptz not null,
    unique (slug, version)
);

create table installations (
    id bigint generated always as identity primary key,
    tenant_id bigint not null references tenants (id) on delete cascade,
    slug text not null,
    release_id bigint not null references releases (id),
    prefix text not null,
    mode text not null,
    mode_reason text not null,
    state jsonb not null,
    state_since timestamptz not null,
    grants jsonb not null,
    limits jsonb not null,
    settings jsonb not null,
    generation bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    unique (tenant_id, slug),
    unique (tenant_id, prefix)
);

-- A long change that a person can watch. Its owner holds a lease; whoever finds it expired may undo or resume.
create table operations (
    id bigint generated always as identity primary key,
    tenant_id bigint not null references tenants (id) on delete cascade,
    plugin text not null,
    kind text not null,
    status text not null,
    actor text not null,
    request_id text not null,
    input jsonb not null,
    outcome jsonb,
    lease_owner text,
    lease_until timestamptz,
    started_at timestamptz not null,
    ended_at timestamptz
);

create index operations_by_plugin on operations (tenant_id, plugin, id);

-- The journal: what a step was about to do, and that it did or undid it.
create table operation_steps (
    operation_id bigint not null references operations (id) on delete cascade,
    position bigint not null,
    name text not null,
    status text not null,
    note text not null,
    began_at timestamptz not null,
    ended_at timestamptz,
    primary key (operation_id, position)
);

-- Who changed what.
create table audit (
    id bigint generated always as identity primary key,
    tenant_id bigint not null references tenants (id) on delete cascade,
    at timestamptz not null,
    actor text not null,
    action text not null,
    entity text not null,
    request_id text not null,
    details jsonb not null
);

create index audit_by_tenant on audit (tenant_id, id);
