-- A tenant is a laboratory. Whatever belongs to one carries its id, and every query asks for it.
create table tenants (
    id bigint generated always as identity primary key,
    slug text not null unique,
    name text not null,
    created_at timestamptz not null
);

-- People belong to one tenant. The password hash is argon2id in PHC form; without one nobody can sign in with a password.
create table users (
    id bigint generated always as identity primary key,
    tenant_id bigint not null references tenants (id) on delete cascade,
    username text not null,
    password_hash text,
    role text not null,
    is_active boolean not null default true,
    email text,
    shortname text,
    first_name text,
    last_name text,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    unique (tenant_id, username)
);

-- What a signed-in browser or program holds. Only the SHA-256 of the token is kept.
create table sessions (
    token_sha256 text primary key,
    tenant_id bigint not null references tenants (id) on delete cascade,
    user_id bigint not null references users (id) on delete cascade,
    created_at timestamptz not null,
    expires_at timestamptz not null
);

create index sessions_by_user on sessions (tenant_id, user_id);

-- Roles inside one plugin. Free text that the plugin understands; no rights on the platform.
create table plugin_roles (
    tenant_id bigint not null references tenants (id) on delete cascade,
    plugin text not null,
    user_id bigint not null references users (id) on delete cascade,
    role text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant_id, plugin, user_id)
);
