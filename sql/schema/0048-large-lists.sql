-- The list of roll-outs reads what the agent has counted of an item's present version.
ALTER TABLE item_count
  ADD COLUMN version INT NOT NULL DEFAULT 0 COMMENT 'library_item.version then; the columns below count the devices that are to have it',
  ADD COLUMN v_pending INT NOT NULL DEFAULT 0 COMMENT 'of these, in state 1',
  ADD COLUMN v_queued INT NOT NULL DEFAULT 0 COMMENT 'in state 2',
  ADD COLUMN v_installed INT NOT NULL DEFAULT 0 COMMENT 'in state 3',
  ADD COLUMN v_failed INT NOT NULL DEFAULT 0 COMMENT 'in state 4',
  ADD COLUMN v_refused INT NOT NULL DEFAULT 0 COMMENT 'in state 5',
  ADD COLUMN v_removed INT NOT NULL DEFAULT 0 COMMENT 'in state 6',
  ADD COLUMN v_installing INT NOT NULL DEFAULT 0 COMMENT 'in state 7';

-- A user by name, and a rare action, are found without reading everything.
ALTER TABLE enrollment ADD KEY user_short_name (user_short_name);
ALTER TABLE audit ADD KEY action (action);
