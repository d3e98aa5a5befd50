-- Who has which part in a project: viewer, editor or owner. Who made a project owns it.
create table project_members (
    tenant_id bigint not null references tenants (id) on delete cascade,
    project_id bigint not null references projects (id) on delete cascade,
    user_id bigint not null references users (id) on delete cascade,
    role text not null,
    created_at text not null,
    updated_at text not null,
    primary key (project_id, user_id)
);

create index project_members_by_user on project_members (user_id);

insert into project_members (tenant_id, project_id, user_id, role, created_at, updated_at)
select tenant_id, id, created_by, 'owner', created_at, created_at from projects where created_by is not null;

-- Who has which part in one experiment, whatever becomes of their part in its project.
create table experiment_collaborators (
    tenant_id bigint not null references tenants (id) on delete cascade,
    experiment_id bigint not null references experiments (id) on delete cascade,
    user_id bigint not null references users (id) on delete cascade,
    role text not null,
    created_at text not null,
    updated_at text not null,
    primary key (experiment_id, user_id)
);

create index experiment_collaborators_by_user on experiment_collaborators (user_id);

-- Whether a role counts in every project, or only in those where one has a part.
alter table custom_roles add column is_assigned boolean not null default false;
