-- Roles that a tenant has made of permissions, beside the three of the system. `plugins` lists what they are for; null: all.
create table custom_roles (
    id bigint generated always as identity primary key,
    tenant_id bigint not null references tenants (id) on delete cascade,
    slug text not null,
    name text not null,
    description text not null,
    permissions jsonb not null,
    plugins jsonb,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    unique (tenant_id, slug)
);
