-- A command that failed is sent again as another command, which says in whose place it stands.
ALTER TABLE command
  ADD COLUMN retry_of BIGINT NULL COMMENT 'command.id of the one that failed, in whose place this was sent; NULL: none',
  ADD KEY retry_of (retry_of);
ALTER TABLE approval
  ADD COLUMN retry_of BIGINT NULL COMMENT 'command.id of the one that failed, where it is about sending that again',
  ADD KEY retry_of (retry_of);
