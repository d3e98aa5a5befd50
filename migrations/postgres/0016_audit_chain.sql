-- The entries of a tenant are a chain: each has a position, and a hash over itself and the hash before it. Entries from before
-- this migration have neither until the tenant's next entry is written, which takes them into the chain in their order.
alter table audit add column position bigint;
alter table audit add column hash text;
-- The hash is over this very text.
alter table audit alter column details type text using details::text;

create unique index audit_positions on audit (tenant_id, position);

-- The end of each chain, so that an entry that is cut off there is missed.
create table audit_chains (
    tenant_id bigint primary key references tenants (id) on delete cascade,
    position bigint not null,
    hash text not null
);

create function audit_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'the audit is append-only';
end
$$;

create trigger audit_is_not_changed before update on audit for each row when (old.hash is not null)
    execute function audit_is_append_only();

create trigger audit_is_not_truncated before truncate on audit execute function audit_is_append_only();

-- It goes with its tenant, and not otherwise.
create function audit_goes_with_its_tenant() returns trigger language plpgsql as $$
begin
    if exists (select 1 from tenants where id = old.tenant_id) then
        raise exception 'the audit is append-only';
    end if;
    return old;
end
$$;

create trigger audit_is_not_deleted before delete on audit for each row execute function audit_goes_with_its_tenant();
