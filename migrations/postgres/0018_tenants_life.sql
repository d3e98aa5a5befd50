-- Why nobody may use a laboratory, and whether it is being deleted. Who may make, suspend and delete laboratories is said at the
-- machine of the server, of a person of any of them.
alter table tenants add column suspended text;
alter table tenants add column is_leaving boolean not null default false;
alter table users add column is_platform_admin boolean not null default false;
