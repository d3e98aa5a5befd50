-- Where the files of plugins stand, once one of them has any: the mark of the one data directory that has them, and the server that
-- was last seen to have it.
create table files_home (
    place integer primary key check (place = 1),
    directory text not null,
    address text not null,
    since timestamptz not null
);
