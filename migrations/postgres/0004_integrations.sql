-- Roles inside a plugin get an id of their own, which plugins see.
alter table plugin_roles drop constraint plugin_roles_pkey;
alter table plugin_roles add column id bigint generated always as identity primary key;
alter table plugin_roles add unique (tenant_id, plugin, user_id);

-- What plugins want people to know. The same event told twice is one row; a recipient makes it that person's only.
create table notifications (
    id bigint generated always as identity primary key,
    tenant_id bigint not null references tenants (id) on delete cascade,
    plugin text not null,
    kind text not null,
    function_id text not null,
    event_key text not null,
    severity text not null,
    title text not null,
    message text not null,
    source text,
    channels jsonb not null,
    recipient_id bigint references users (id) on delete cascade,
    occurred_at timestamptz not null,
    created_at timestamptz not null,
    unique (tenant_id, plugin, kind, function_id, event_key)
);

create index notifications_by_tenant on notifications (tenant_id, id);

-- What plugins put into people's calendars. 'starts' and 'ends' are dates or instants in ISO 8601, both of one sort.
create table calendar_events (
    id bigint generated always as identity primary key,
    tenant_id bigint not null references tenants (id) on delete cascade,
    plugin text not null,
    event_key text not null,
    status text not null,
    title text not null,
    starts text not null,
    ends text not null,
    participants jsonb not null,
    description text,
    location text,
    mint_path text,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    unique (tenant_id, plugin, event_key)
);

-- The laboratory's instruments. 'status' is the last report of one, by the plugin 'reported_by'.
create table instruments (
    id text not null,
    tenant_id bigint not null references tenants (id) on delete cascade,
    name text not null,
    details jsonb not null,
    is_active boolean not null,
    status jsonb,
    status_since timestamptz,
    last_seen timestamptz,
    reported_by text,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant_id, id)
);
