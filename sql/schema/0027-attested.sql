-- What a device proved of itself on its way in is compared again when it enrols.

ALTER TABLE handout
  ADD COLUMN udid VARCHAR(128) NULL COMMENT 'UDID that the device signed for; NULL: it told none',
  ADD COLUMN serial VARCHAR(64) NULL COMMENT 'serial number that it signed for; NULL: it told none';
