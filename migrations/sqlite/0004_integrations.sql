-- Roles inside a plugin get an id of their own, which plugins see.
create table plugin_roles_with_id (
    id integer primary key autoincrement,
    tenant_id bigint not null references tenants (id) on delete cascade,
    plugin text not null,
    user_id bigint not null references users (id) on delete cascade,
    role text not null,
    created_at text not null,
    updated_at text not null,
    unique (tenant_id, plugin, user_id)
);

insert into plugin_roles_with_id (tenant_id, plugin, user_id, role, created_at, updated_at)
select tenant_id, plugin, user_id, role, created_at, updated_at from plugin_roles order by created_at, user_id;

drop table plugin_roles;

alter table plugin_roles_with_id rename to plugin_roles;

-- What plugins want people to know. The same event told twice is one row; a recipient makes it that person's only.
create table notifications (
    id integer primary key autoincrement,
    tenant_id bigint not null references tenants (id) on delete cascade,
    plugin text not null,
    kind text not null,
    function_id text not null,
    event_key text not null,
    severity text not null,
    title text not null,
    message text not null,
    source text,
    channels text not null,
    recipient_id bigint references users (id) on delete cascade,
    occurred_at text not null,
    created_at text not null,
    unique (tenant_id, plugin, kind, function_id, event_key)
);

create index notifications_by_tenant on notifications (tenant_id, id);

-- What plugins put into people's calendars. 'starts' and 'ends' are dates or instants in ISO 8601, both of one sort.
create table calendar_events (
    id integer primary key autoincrement,
    tenant_id bigint not null references tenants (id) on delete cascade,
    plugin text not null,
    event_key text not null,
    status text not null,
    title text not null,
    starts text not null,
    ends text not null,
    participants text not null,
    description text,
    location text,
    mint_path text,
    created_at text not null,
    updated_at text not null,
    unique (tenant_id, plugin, event_key)
);

-- The laboratory's instruments. 'status' is the last report of one, by the plugin 'reported_by'.
create table instruments (
    id text not null,
    tenant_id bigint not null references tenants (id) on delete cascade,
    name text not null,
    details text not null,
    is_active boolean not null,
    status text,
    status_since text,
    last_seen text,
    reported_by text,
    created_at text not null,
    updated_at text not null,
    primary key (tenant_id, id)
);
