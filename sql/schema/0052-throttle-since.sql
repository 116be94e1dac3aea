-- Since when somebody's sign-in is slowed is told to administrators; so is everything that is now.
ALTER TABLE login_throttle
  ADD COLUMN first_at BIGINT NOT NULL DEFAULT 0 COMMENT 'the first of the failures that are counted; 0: before it was kept' AFTER failures,
  ADD KEY free (free_at);
