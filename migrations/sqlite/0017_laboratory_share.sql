-- What all plugins of a laboratory together may take of a server, where the operator says another share than everybody's.
alter table tenants add column share text not null default '{}';
