-- What webhooks were told of the calendar of ends: once for each end and each time before it, and not
-- again because the agent starts anew.

CREATE TABLE expiry_told (
  about_sha256 BINARY(32) NOT NULL COMMENT 'digest of what ends and when, as store/expiry.c makes it',
  within_days INT NOT NULL COMMENT 'how near the end was: 30, 7 or 0, over',
  told_at BIGINT NOT NULL COMMENT 'when the event was written',
  PRIMARY KEY (about_sha256, within_days),
  KEY told (told_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='events drover.CertificateExpiring that were written';
