-- The list of devices: sorted by what people sort by, and searched without reading every device.
-- What a list shows is kept up to date by the agent (store/search.h), never by a device's message:
-- that leaves a mark in search_due, in the statement that it makes anyway.

ALTER TABLE enrollment
  ADD COLUMN search_due TINYINT NOT NULL DEFAULT 1 COMMENT '1: list_* and device_word lag behind what is told of it',
  ADD COLUMN list_name VARCHAR(64) COLLATE utf8mb4_general_ci NOT NULL DEFAULT '' COMMENT 'of a device: its name, else its serial number or id, as lists sort it',
  ADD COLUMN list_serial VARCHAR(64) NOT NULL DEFAULT '' COMMENT 'of a device: its serial number, as lists sort it',
  ADD COLUMN list_os INT NOT NULL DEFAULT 0 COMMENT 'of a device: its system''s version as inv_device.os_number has it',
  ADD COLUMN list_platform TINYINT NOT NULL DEFAULT 0 COMMENT 'of a device: 1 iPhone, 2 iPad, 3 iPod, 4 Mac, 5 Apple TV, 6 Vision, 7 Watch, 0 not known',
  DROP KEY last_seen,
  ADD KEY last_seen (last_seen_at, id, kind, state, list_platform, list_os),
  ADD KEY list_name (list_name, id, kind, state, list_platform, list_os),
  ADD KEY list_serial (list_serial, id, kind, state, list_platform, list_os),
  ADD KEY list_os (list_os, id, kind, state, list_platform),
  ADD KEY enrolled (enrolled_at, id, kind, state, list_platform, list_os),
  ADD KEY search_due (search_due);

CREATE TABLE device_word (
  device_id BIGINT NOT NULL COMMENT 'enrollment.id of a device',
  backward TINYINT NOT NULL COMMENT '1: the word is written backward, so that its end is found',
  word VARCHAR(48) COLLATE utf8mb4_general_ci NOT NULL COMMENT 'a word of a name, number or fact, letters and digits only',
  PRIMARY KEY (device_id, backward, word),
  KEY word (backward, word, device_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='what devices are found by';

CREATE TABLE saved_filter (
  id BIGINT NOT NULL COMMENT 'internal name, made by the program (store/id.h)',
  owner VARCHAR(128) NOT NULL COMMENT 'admin.name of who saved it',
  name VARCHAR(64) NOT NULL COMMENT 'how it is called',
  query VARCHAR(2000) NOT NULL COMMENT 'the query of the page of devices that it stands for',
  shared TINYINT NOT NULL DEFAULT 0 COMMENT '1: everybody who sees the list sees it',
  saved_at BIGINT NOT NULL COMMENT 'when it was saved',
  PRIMARY KEY (id),
  UNIQUE KEY owner (owner, name),
  KEY shared (shared, name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='filters of the list of devices, by name';

CREATE TABLE admin_choice (
  admin VARCHAR(128) NOT NULL COMMENT 'admin.name',
  what VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'what is chosen: columns',
  value VARCHAR(4000) NOT NULL COMMENT 'the choice',
  PRIMARY KEY (admin, what)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='how an account wants its pages';
