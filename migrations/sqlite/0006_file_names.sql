-- The name that a file had where it came from. Null where that is the last part of its key.
alter table objects add column filename text;
