-- Revoked identities, of which there may be many, are found in the order that lists have.
ALTER TABLE identity_cert
  DROP KEY not_after,
  ADD KEY not_after (not_after, sha256, revoked_at);
