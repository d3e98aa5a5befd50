-- Which releases answered for an installation, and when: the last one is the active one, and those before it are kept so
-- that it is possible to go back.
create table installation_releases (
    id bigint generated always as identity primary key,
    installation_id bigint not null references installations (id) on delete cascade,
    release_id bigint not null references releases (id),
    began_at timestamptz not null,
    ended_at timestamptz
);

create index installation_releases_by_installation on installation_releases (installation_id, id);

insert into installation_releases (installation_id, release_id, began_at) select id, release_id, created_at from installations;
