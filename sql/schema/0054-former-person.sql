-- A person who was taken out leaves no devices to whoever gets the same name later.
ALTER TABLE handout
  ADD COLUMN account_ended_at BIGINT NULL COMMENT 'when the account was taken out: what was given to it is nobody''s since' AFTER account;
