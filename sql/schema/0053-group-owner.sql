-- Who is limited to groups may make groups of the devices that are reached.
ALTER TABLE device_group
  ADD COLUMN owner BIGINT NOT NULL DEFAULT 0 COMMENT 'scope_group.owner of the limited account or key that made it, whose devices alone it may hold; 0: who made it is not limited',
  ADD KEY owner (owner);
