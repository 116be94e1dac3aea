-- An UnlockToken is sealed anew each time it comes; one that came before is known by its digest and not written again.
ALTER TABLE life
  ADD COLUMN unlock_sha256 BINARY(32) NULL COMMENT 'HMAC-SHA-256 of the UnlockToken in unlock_token, keyed with what it is sealed to: the signer and the enrollment';
