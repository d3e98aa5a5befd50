-- Instruments and the whole calendar have permissions of their own: who saw or changed them by another one goes on doing so. The roles
-- of the system are not stored.
update custom_roles set permissions = json_insert(permissions, '$[#]', 'instruments.view')
where exists (select 1 from json_each(permissions) where value = 'experiments.view')
  and not exists (select 1 from json_each(permissions) where value = 'instruments.view');

update custom_roles set permissions = json_insert(permissions, '$[#]', 'instruments.edit')
where exists (select 1 from json_each(permissions) where value = 'experiments.edit')
  and not exists (select 1 from json_each(permissions) where value = 'instruments.edit');

update custom_roles set permissions = json_insert(permissions, '$[#]', 'calendar.read_all')
where exists (select 1 from json_each(permissions) where value = 'plugins.use')
  and not exists (select 1 from json_each(permissions) where value = 'calendar.read_all');

update access_tokens set permissions = json_insert(permissions, '$[#]', 'instruments.view')
where exists (select 1 from json_each(permissions) where value = 'experiments.view')
  and not exists (select 1 from json_each(permissions) where value = 'instruments.view');

update access_tokens set permissions = json_insert(permissions, '$[#]', 'instruments.edit')
where exists (select 1 from json_each(permissions) where value = 'experiments.edit')
  and not exists (select 1 from json_each(permissions) where value = 'instruments.edit');

update access_tokens set permissions = json_insert(permissions, '$[#]', 'calendar.read_all')
where exists (select 1 from json_each(permissions) where value = 'plugins.use')
  and not exists (select 1 from json_each(permissions) where value = 'calendar.read_all');
