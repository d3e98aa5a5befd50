-- What a plugin that was removed left behind. Its tables and files stand under 'name' too.
create table archives (
    tenant_id bigint not null references tenants (id) on delete cascade,
    name text not null,
    plugin text not null,
    version text not null,
    settings text not null,
    has_tables boolean not null,
    has_files boolean not null,
    archived_by text not null,
    archived_at text not null,
    primary key (tenant_id, name)
);

-- Somebody asked another server than the one that runs it to stop an operation.
alter table operations add column cancel_asked boolean not null default false;
