-- The entries of a tenant are a chain: each has a position, and a hash over itself and the hash before it. Entries from before
-- this migration have neither until the tenant's next entry is written, which takes them into the chain in their order.
alter table audit add column position bigint;
alter table audit add column hash text;

create unique index audit_positions on audit (tenant_id, position);

-- The end of each chain, so that an entry that is cut off there is missed.
create table audit_chains (
    tenant_id bigint primary key references tenants (id) on delete cascade,
    position bigint not null,
    hash text not null
);

create trigger audit_is_not_changed before update on audit when old.hash is not null
begin
    select raise(abort, 'the audit is append-only');
end;

-- It goes with its tenant, and not otherwise.
create trigger audit_is_not_deleted before delete on audit when exists (select 1 from tenants where id = old.tenant_id)
begin
    select raise(abort, 'the audit is append-only');
end;
