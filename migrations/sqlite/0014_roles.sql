-- Roles that a tenant has made of permissions, beside the three of the system. `plugins` lists what they are for; null: all.
create table custom_roles (
    id integer primary key autoincrement,
    tenant_id bigint not null references tenants (id) on delete cascade,
    slug text not null,
    name text not null,
    description text not null,
    permissions text not null,
    plugins text,
    created_at text not null,
    updated_at text not null,
    unique (tenant_id, slug)
);
