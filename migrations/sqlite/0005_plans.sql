-- What the mode of an installation was decided on: what the plugin wants of Python packages, and every clash.
alter table installations add column findings text not null default '{}';
