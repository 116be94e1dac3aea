-- Profiles that are being made or changed in the console, and how many devices are how far with each
-- item of the library, so that a list need not count the fleet.

CREATE TABLE profile_draft (
  id BIGINT NOT NULL COMMENT 'internal name, made by the program (store/id.h)',
  item_id BIGINT NULL COMMENT 'library_item.id that gets a version of it; NULL: it becomes a new item',
  base INT NOT NULL DEFAULT 0 COMMENT 'library_version.number it was begun from; 0: none',
  revision INT NOT NULL DEFAULT 1 COMMENT 'counts what is stored of it: a form that was made of an older one is told so',
  name VARCHAR(255) NOT NULL COMMENT 'what people call it',
  identifier VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'PayloadIdentifier, as far as it is known',
  content MEDIUMBLOB NOT NULL COMMENT 'the file, sealed as LibraryDraft:id',
  size BIGINT NOT NULL COMMENT 'its octets',
  created_at BIGINT NOT NULL COMMENT 'when it was begun',
  created_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  changed_at BIGINT NOT NULL COMMENT 'when it was stored last; it is deleted a month later',
  changed_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  PRIMARY KEY (id),
  KEY item (item_id),
  KEY changed (changed_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='profiles that are not in the library yet';

CREATE TABLE item_count (
  item_id BIGINT NOT NULL COMMENT 'library_item.id',
  counted_at BIGINT NOT NULL COMMENT 'when its devices were counted',
  pending INT NOT NULL DEFAULT 0 COMMENT 'devices in state 1 of device_item.state',
  queued INT NOT NULL DEFAULT 0 COMMENT 'in state 2',
  installed INT NOT NULL DEFAULT 0 COMMENT 'in state 3',
  failed INT NOT NULL DEFAULT 0 COMMENT 'in state 4',
  refused INT NOT NULL DEFAULT 0 COMMENT 'in state 5',
  removed INT NOT NULL DEFAULT 0 COMMENT 'in state 6',
  installing INT NOT NULL DEFAULT 0 COMMENT 'in state 7',
  PRIMARY KEY (item_id),
  KEY counted (counted_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='how many devices are how far with an item, kept by the agent';
