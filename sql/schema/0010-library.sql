-- The library: configuration profiles, provisioning profiles and apps that devices are to have, each
-- stored once per version.

CREATE TABLE library_item (
  id BIGINT NOT NULL COMMENT 'internal name, made by the program (store/id.h)',
  kind TINYINT NOT NULL COMMENT '1 configuration profile, 2 provisioning profile, 3 app',
  identifier VARCHAR(255) NOT NULL COMMENT 'PayloadIdentifier; Name of a provisioning profile; bundle identifier of an app, or its iTunesStoreID',
  name VARCHAR(255) NOT NULL COMMENT 'what people call it',
  version INT NOT NULL COMMENT 'library_version.number that devices are to have',
  signing TINYINT NOT NULL DEFAULT 1 COMMENT '0 delivered as it was uploaded, 1 signed with the profile key on delivery, 2 without a signature',
  encrypt TINYINT NOT NULL DEFAULT 0 COMMENT '1: the payloads are encrypted to the device''s identity on delivery',
  after_id BIGINT NULL COMMENT 'library_item.id that must be installed on the device first',
  after_passcode TINYINT NOT NULL DEFAULT 0 COMMENT '1: waits until the device tells that its passcode is compliant',
  settings MEDIUMTEXT NULL COMMENT 'of an app, a JSON object: how it is installed',
  wave_first INT NOT NULL DEFAULT 0 COMMENT 'so many devices get a new version first, then ten times as many, and so on; 0: all at once',
  halt_percent TINYINT NOT NULL DEFAULT 25 COMMENT 'a new version that fails on so many of a hundred devices is halted; 0: never',
  created_at BIGINT NOT NULL COMMENT 'when it was made',
  created_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  changed_at BIGINT NOT NULL COMMENT 'last change, of a version too',
  changed_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  deleted_at BIGINT NOT NULL DEFAULT 0 COMMENT 'when it was deleted; 0: it was not. Devices that have it are rid of it first',
  PRIMARY KEY (id),
  UNIQUE KEY identifier (kind, identifier, deleted_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='profiles and apps';

CREATE TABLE library_version (
  id BIGINT NOT NULL COMMENT 'internal name, made by the program (store/id.h)',
  item_id BIGINT NOT NULL COMMENT 'library_item.id',
  number INT NOT NULL COMMENT '1, 2, 3',
  uuid VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'PayloadUUID; UUID of a provisioning profile; version of an app',
  sha256 BINARY(32) NOT NULL COMMENT 'digest of the file as it was uploaded',
  size BIGINT NOT NULL COMMENT 'its octets',
  content MEDIUMBLOB NULL COMMENT 'the file, sealed as LibraryFile:id; NULL: an app',
  signed_by VARCHAR(512) NOT NULL DEFAULT '' COMMENT 'subject of the certificate it was signed with',
  types TEXT NOT NULL COMMENT 'payload types, space-separated',
  variables INT NOT NULL DEFAULT 0 COMMENT 'bits of the variables that are filled in (library/variables.c)',
  platforms INT NOT NULL DEFAULT 0 COMMENT 'bits 1 << platform (command/platform.h) that can have it',
  expires_at BIGINT NULL COMMENT 'when it expires or is removed by itself',
  details MEDIUMTEXT NOT NULL COMMENT 'JSON object: what else was read of it, and warnings',
  created_at BIGINT NOT NULL COMMENT 'when it was uploaded',
  created_by VARCHAR(128) NOT NULL COMMENT 'by whom',
  PRIMARY KEY (id),
  UNIQUE KEY number (item_id, number)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='versions of what is in the library';
