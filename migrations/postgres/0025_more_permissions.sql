-- Instruments and the whole calendar have permissions of their own: who saw or changed them by another one goes on doing so. The roles
-- of the system are not stored.
update custom_roles set permissions = permissions || '["instruments.view"]'
where permissions @> '["experiments.view"]' and not permissions @> '["instruments.view"]';

update custom_roles set permissions = permissions || '["instruments.edit"]'
where permissions @> '["experiments.edit"]' and not permissions @> '["instruments.edit"]';

update custom_roles set permissions = permissions || '["calendar.read_all"]'
where permissions @> '["plugins.use"]' and not permissions @> '["calendar.read_all"]';

update access_tokens set permissions = permissions || '["instruments.view"]'
where permissions @> '["experiments.view"]' and not permissions @> '["instruments.view"]';

update access_tokens set permissions = permissions || '["instruments.edit"]'
where permissions @> '["experiments.edit"]' and not permissions @> '["instruments.edit"]';

update access_tokens set permissions = permissions || '["calendar.read_all"]'
where permissions @> '["plugins.use"]' and not permissions @> '["calendar.read_all"]';
