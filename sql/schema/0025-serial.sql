-- GetCert of SCEP asks for an identity by its serial number.

ALTER TABLE identity_cert ADD KEY serial (serial);
