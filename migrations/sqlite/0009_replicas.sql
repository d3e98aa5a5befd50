-- Several servers on one database. Whoever takes an operation over raises the epoch of its lease, and what is written under
-- an earlier one is refused.
alter table operations add column lease_epoch bigint not null default 1;

-- One change of a plugin at a time, whoever asks. An earlier version could leave two behind.
update operations set status = 'undone', lease_owner = null, lease_until = null
    where status = 'running' and exists (select 1 from operations o where o.tenant_id = operations.tenant_id
        and o.plugin = operations.plugin and o.status = 'running' and o.id > operations.id);
create unique index operations_running on operations (tenant_id, plugin) where status = 'running';

-- Raised by every change: the sum of all tells a server at a glance whether there is anything to look at.
alter table installations add column revision bigint not null default 1;

-- The servers, and what each of them answers with.
create table replicas (
    id text primary key,
    version text not null,
    address text not null,
    started_at text not null,
    seen_at text not null,
    serves text not null
);
