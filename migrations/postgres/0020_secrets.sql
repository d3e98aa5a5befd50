-- What a plugin keeps of a person beside the role: an object of sealed values.
alter table plugin_roles add column fields jsonb not null default '{}';

-- Names of the keys that a snapshot's sealed settings need.
alter table snapshots add column secret_keys jsonb not null default '[]';
