-- What a laboratory's plugins may use up where nothing is said of one of them.
alter table tenants add column limits text not null default '{}';
