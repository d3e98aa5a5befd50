create table projects (
    id bigint generated always as identity primary key,
    tenant_id bigint not null references tenants (id) on delete cascade,
    name text not null,
    description text,
    status text not null,
    created_by bigint references users (id) on delete set null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    unique (tenant_id, name)
);

create table experiments (
    id bigint generated always as identity primary key,
    tenant_id bigint not null references tenants (id) on delete cascade,
    project_id bigint references projects (id) on delete set null,
    parent_experiment_id bigint references experiments (id) on delete set null,
    name text not null,
    experiment_type text not null,
    status text not null,
    notes text,
    tags jsonb not null,
    custom_metadata jsonb not null,
    start_date text,
    end_date text,
    created_by bigint references users (id) on delete set null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);

create index experiments_by_tenant on experiments (tenant_id, id);

-- One design for each experiment, owned by the plugin that saved it first.
create table designs (
    id bigint generated always as identity primary key,
    tenant_id bigint not null references tenants (id) on delete cascade,
    experiment_id bigint not null unique references experiments (id) on delete cascade,
    plugin text not null,
    data jsonb not null,
    schema_version text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);

-- Analysis results. The key 'default' is what MINT calls the analysis result of a plugin.
create table artifacts (
    id bigint generated always as identity primary key,
    tenant_id bigint not null references tenants (id) on delete cascade,
    experiment_id bigint not null references experiments (id) on delete cascade,
    plugin text not null,
    key text not null,
    display_name text not null,
    status text not null,
    result jsonb not null,
    result_keys jsonb not null,
    note text,
    archived_at timestamptz,
    archived_by bigint references users (id) on delete set null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    unique (experiment_id, plugin, key)
);

-- Files of an experiment. The bytes stand in the object storage under 'blob', a name that nobody chose.
-- The owner 'platform' is a person's upload.
create table objects (
    id bigint generated always as identity primary key,
    tenant_id bigint not null references tenants (id) on delete cascade,
    experiment_id bigint not null references experiments (id) on delete cascade,
    plugin text not null,
    key text not null,
    content_type text,
    metadata jsonb not null,
    size bigint not null,
    sha256 text not null,
    blob text not null,
    created_by bigint references users (id) on delete set null,
    created_at timestamptz not null,
    unique (experiment_id, plugin, key)
);

-- Blobs that no row names any more. A row's deletion and this record commit together; the sweep may come later.
create table blobs_to_delete (
    blob text primary key,
    since timestamptz not null
);
