-- What an installation held at one instant: its archive stands among the snapshots under 'file', a name that nobody chose.
-- 'operation_id' is the change before which it was taken. The release stays as long as one of its snapshots does.
create table snapshots (
    id integer primary key autoincrement,
    tenant_id bigint not null references tenants (id) on delete cascade,
    installation_id bigint not null references installations (id) on delete cascade,
    release_id bigint not null references releases (id),
    operation_id bigint references operations (id) on delete set null,
    reason text not null,
    taken_by text not null,
    file text not null unique,
    sha256 text not null,
    size bigint not null,
    created_at text not null
);

create index snapshots_by_installation on snapshots (installation_id, id);
