-- What was begun with a browser and is to be ended by it: a passkey that is added or shown, and a sign-in at another server. Of the
-- word that names it only the SHA-256 is kept.
create table ceremonies (
    token_sha256 text primary key,
    kind text not null,
    tenant_id bigint references tenants (id) on delete cascade,
    user_id bigint references users (id) on delete cascade,
    state text not null,
    expires_at timestamptz not null
);
create index ceremonies_by_end on ceremonies (expires_at);

-- `credential` is the public key with its counter, as JSON; `user_handle` is what authenticators know the person by.
create table passkeys (
    id bigint generated always as identity primary key,
    tenant_id bigint not null references tenants (id) on delete cascade,
    user_id bigint not null references users (id) on delete cascade,
    credential_id text not null unique,
    user_handle text not null,
    name text not null,
    credential text not null,
    created_at timestamptz not null,
    last_used_at timestamptz
);
create index passkeys_of_user on passkeys (tenant_id, user_id);

-- Whom another server (OpenID Connect) knows, and who that is here.
create table external_identities (
    id bigint generated always as identity primary key,
    tenant_id bigint not null references tenants (id) on delete cascade,
    user_id bigint not null references users (id) on delete cascade,
    issuer text not null,
    subject text not null,
    provider text not null,
    created_at timestamptz not null,
    last_used_at timestamptz,
    unique (tenant_id, issuer, subject)
);
create index external_identities_of_user on external_identities (tenant_id, user_id);
