-- What devices report, as data. A report is stored raw in `result` by the message that brings it;
-- the agent reads it from there (result.digest says what waits) and fills these tables. A list is
-- replaced whole in one transaction, of which only what differs is written.
-- Columns are named after Apple's keys; what has no column is kept in `extra`, as JSON.

ALTER TABLE result
  ADD COLUMN digest TINYINT NOT NULL DEFAULT 1 COMMENT '1 its report waits to become inventory, 0 it has, 2 set aside: see digest_failure',
  DROP KEY closed,
  ADD KEY digest (digest, closed_at);
-- Rows that were there before wait; a command that is closed without a report has nothing to read.
ALTER TABLE result ALTER COLUMN digest SET DEFAULT 0;

CREATE TABLE digest_failure (
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id',
  command_id BIGINT NOT NULL COMMENT 'command.id',
  at BIGINT NOT NULL COMMENT 'when it was set aside',
  why VARCHAR(400) NOT NULL COMMENT 'the reason',
  PRIMARY KEY (enrollment_id, command_id),
  KEY at (at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='reports that could not become inventory';

CREATE TABLE result_error (
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id',
  command_id BIGINT NOT NULL COMMENT 'command.id',
  item SMALLINT NOT NULL COMMENT '0: of the command; n: of its nth setting',
  position TINYINT NOT NULL COMMENT 'place in the ErrorChain, from 0',
  domain VARCHAR(128) NOT NULL COMMENT 'ErrorDomain',
  code BIGINT NOT NULL COMMENT 'ErrorCode',
  localized VARCHAR(1000) NOT NULL DEFAULT '' COMMENT 'LocalizedDescription',
  english VARCHAR(1000) NOT NULL DEFAULT '' COMMENT 'USEnglishDescription',
  PRIMARY KEY (enrollment_id, command_id, item, position),
  KEY code (domain, code)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='ErrorChains, entry by entry';

CREATE TABLE inv_area (
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id',
  area TINYINT NOT NULL COMMENT 'which table: 1 device, 2 network, 3 security, 4 profile, 5 provisioning, 6 certificate, 7 app, 8 managed app, 9 restriction, 10 user, 11 update, 12 update status, 13 setting',
  reported_at BIGINT NOT NULL COMMENT 'when the device told it last; an older report changes nothing',
  changed_at BIGINT NOT NULL COMMENT 'when that last made a difference',
  command_id BIGINT NOT NULL COMMENT 'command.id of the last report',
  items INT NOT NULL DEFAULT 0 COMMENT 'rows there are',
  PRIMARY KEY (enrollment_id, area)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='how old each part of the inventory is';

CREATE TABLE inv_event (
  id BIGINT NOT NULL COMMENT 'internal name, in the order of time (store/id.h)',
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id',
  at BIGINT NOT NULL COMMENT 'when the device reported it',
  area TINYINT NOT NULL COMMENT 'as inv_area.area',
  happened TINYINT NOT NULL COMMENT '1 added, 2 changed, 3 removed, 4 told once: a state that does not last',
  subject VARCHAR(255) NOT NULL COMMENT 'which fact, app, profile',
  was VARCHAR(255) NULL COMMENT 'before',
  became VARCHAR(255) NULL COMMENT 'after',
  PRIMARY KEY (id),
  KEY enrollment (enrollment_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='what changed on devices; deleted when it is old';

CREATE TABLE inv_device (
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id',
  platform TINYINT NOT NULL DEFAULT 0 COMMENT '0 unknown, 1 iOS and iPadOS, 2 macOS, 3 tvOS, 4 visionOS, 5 watchOS; by ProductName',
  os_number INT NOT NULL DEFAULT 0 COMMENT 'OSVersion to compare: major * 1000000 + minor * 1000 + third',
  device_name VARCHAR(255) NULL COMMENT 'DeviceName',
  os_version VARCHAR(64) NULL COMMENT 'OSVersion',
  supplemental_os_version_extra VARCHAR(64) NULL COMMENT 'SupplementalOSVersionExtra',
  build_version VARCHAR(64) NULL COMMENT 'BuildVersion',
  supplemental_build_version VARCHAR(64) NULL COMMENT 'SupplementalBuildVersion',
  model_name VARCHAR(128) NULL COMMENT 'ModelName',
  model VARCHAR(128) NULL COMMENT 'Model',
  model_number VARCHAR(64) NULL COMMENT 'ModelNumber',
  product_name VARCHAR(64) NULL COMMENT 'ProductName',
  serial_number VARCHAR(64) NULL COMMENT 'SerialNumber',
  is_apple_silicon TINYINT NULL COMMENT 'IsAppleSilicon',
  device_capacity DOUBLE NULL COMMENT 'DeviceCapacity, GB of 1024 cubed octets',
  available_device_capacity DOUBLE NULL COMMENT 'AvailableDeviceCapacity',
  imei VARCHAR(64) NULL COMMENT 'IMEI',
  meid VARCHAR(64) NULL COMMENT 'MEID',
  modem_firmware_version VARCHAR(64) NULL COMMENT 'ModemFirmwareVersion',
  cellular_technology BIGINT NULL COMMENT 'CellularTechnology: 0 none, 1 GSM, 2 CDMA, 3 both',
  battery_level DOUBLE NULL COMMENT 'BatteryLevel, 0 to 1; -1: cannot be told',
  has_battery TINYINT NULL COMMENT 'HasBattery',
  is_supervised TINYINT NULL COMMENT 'IsSupervised',
  is_multi_user TINYINT NULL COMMENT 'IsMultiUser: a Shared iPad',
  is_device_locator_service_enabled TINYINT NULL COMMENT 'IsDeviceLocatorServiceEnabled',
  is_activation_lock_enabled TINYINT NULL COMMENT 'IsActivationLockEnabled',
  is_activation_lock_supported TINYINT NULL COMMENT 'IsActivationLockSupported',
  is_do_not_disturb_in_effect TINYINT NULL COMMENT 'IsDoNotDisturbInEffect',
  is_mdm_lost_mode_enabled TINYINT NULL COMMENT 'IsMDMLostModeEnabled',
  device_id VARCHAR(64) NULL COMMENT 'DeviceID',
  eas_device_identifier VARCHAR(128) NULL COMMENT 'EASDeviceIdentifier',
  provisioning_udid VARCHAR(128) NULL COMMENT 'ProvisioningUDID',
  is_cloud_backup_enabled TINYINT NULL COMMENT 'IsCloudBackupEnabled',
  last_cloud_backup_date BIGINT NULL COMMENT 'LastCloudBackupDate',
  awaiting_configuration TINYINT NULL COMMENT 'AwaitingConfiguration',
  itunes_store_account_is_active TINYINT NULL COMMENT 'iTunesStoreAccountIsActive',
  itunes_store_account_hash VARCHAR(128) NULL COMMENT 'iTunesStoreAccountHash',
  local_host_name VARCHAR(255) NULL COMMENT 'LocalHostName',
  host_name VARCHAR(255) NULL COMMENT 'HostName',
  system_integrity_protection_enabled TINYINT NULL COMMENT 'SystemIntegrityProtectionEnabled',
  supports_lom_device TINYINT NULL COMMENT 'SupportsLOMDevice',
  supports_ios_app_installs TINYINT NULL COMMENT 'SupportsiOSAppInstalls',
  maximum_resident_users BIGINT NULL COMMENT 'MaximumResidentUsers',
  estimated_resident_users BIGINT NULL COMMENT 'EstimatedResidentUsers',
  resident_users BIGINT NULL COMMENT 'ResidentUsers',
  quota_size BIGINT NULL COMMENT 'QuotaSize, MB',
  user_session_timeout BIGINT NULL COMMENT 'UserSessionTimeout, seconds',
  temporary_session_timeout BIGINT NULL COMMENT 'TemporarySessionTimeout, seconds',
  temporary_session_only TINYINT NULL COMMENT 'TemporarySessionOnly',
  online_authentication_grace_period BIGINT NULL COMMENT 'OnlineAuthenticationGracePeriod, days',
  skip_language_and_locale_setup_for_new_users TINYINT NULL COMMENT 'SkipLanguageAndLocaleSetupForNewUsers',
  diagnostic_submission_enabled TINYINT NULL COMMENT 'DiagnosticSubmissionEnabled',
  app_analytics_enabled TINYINT NULL COMMENT 'AppAnalyticsEnabled',
  time_zone VARCHAR(64) NULL COMMENT 'TimeZone',
  pin_required_for_erase_device TINYINT NULL COMMENT 'PINRequiredForEraseDevice',
  pin_required_for_device_lock TINYINT NULL COMMENT 'PINRequiredForDeviceLock',
  software_update_device_id VARCHAR(128) NULL COMMENT 'SoftwareUpdateDeviceID',
  eacs_preflight VARCHAR(255) NULL COMMENT 'EACSPreflight: whether the user data can be erased',
  extra MEDIUMTEXT NULL COMMENT 'JSON object of every other fact, by Apple''s key',
  PRIMARY KEY (enrollment_id),
  KEY os (platform, os_number),
  KEY serial (serial_number)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='DeviceInformation: facts about the device';

CREATE TABLE inv_network (
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id',
  iccid VARCHAR(64) NULL COMMENT 'ICCID',
  bluetooth_mac VARCHAR(32) NULL COMMENT 'BluetoothMAC',
  wifi_mac VARCHAR(32) NULL COMMENT 'WiFiMAC',
  ethernet_mac VARCHAR(32) NULL COMMENT 'EthernetMAC, or the first of EthernetMACs',
  current_carrier_network VARCHAR(128) NULL COMMENT 'CurrentCarrierNetwork',
  sim_carrier_network VARCHAR(128) NULL COMMENT 'SIMCarrierNetwork',
  subscriber_carrier_network VARCHAR(128) NULL COMMENT 'SubscriberCarrierNetwork',
  carrier_settings_version VARCHAR(64) NULL COMMENT 'CarrierSettingsVersion',
  phone_number VARCHAR(64) NULL COMMENT 'PhoneNumber',
  data_roaming_enabled TINYINT NULL COMMENT 'DataRoamingEnabled',
  voice_roaming_enabled TINYINT NULL COMMENT 'VoiceRoamingEnabled',
  personal_hotspot_enabled TINYINT NULL COMMENT 'PersonalHotspotEnabled',
  is_network_tethered TINYINT NULL COMMENT 'IsNetworkTethered',
  is_roaming TINYINT NULL COMMENT 'IsRoaming',
  sim_mcc VARCHAR(16) NULL COMMENT 'SIMMCC',
  sim_mnc VARCHAR(16) NULL COMMENT 'SIMMNC',
  subscriber_mcc VARCHAR(16) NULL COMMENT 'SubscriberMCC',
  subscriber_mnc VARCHAR(16) NULL COMMENT 'SubscriberMNC',
  current_mcc VARCHAR(16) NULL COMMENT 'CurrentMCC',
  current_mnc VARCHAR(16) NULL COMMENT 'CurrentMNC',
  extra MEDIUMTEXT NULL COMMENT 'JSON object of the other network facts: EthernetMACs, ServiceSubscriptions',
  PRIMARY KEY (enrollment_id),
  KEY wifi_mac (wifi_mac),
  KEY phone_number (phone_number)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='DeviceInformation: facts about its networks';

CREATE TABLE inv_security (
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id',
  hardware_encryption_caps BIGINT NULL COMMENT 'HardwareEncryptionCaps: bits 1 block, 2 file level',
  passcode_present TINYINT NULL COMMENT 'PasscodePresent',
  passcode_compliant TINYINT NULL COMMENT 'PasscodeCompliant',
  passcode_compliant_with_profiles TINYINT NULL COMMENT 'PasscodeCompliantWithProfiles',
  passcode_lock_grace_period BIGINT NULL COMMENT 'PasscodeLockGracePeriod, seconds',
  passcode_lock_grace_period_enforced BIGINT NULL COMMENT 'PasscodeLockGracePeriodEnforced, seconds',
  auto_lock_time BIGINT NULL COMMENT 'AutoLockTime, seconds',
  fde_enabled TINYINT NULL COMMENT 'FDE_Enabled: FileVault',
  fde_has_personal_recovery_key TINYINT NULL COMMENT 'FDE_HasPersonalRecoveryKey',
  fde_has_institutional_recovery_key TINYINT NULL COMMENT 'FDE_HasInstitutionalRecoveryKey',
  fde_personal_recovery_key_device_key VARCHAR(128) NULL COMMENT 'FDE_PersonalRecoveryKeyDeviceKey: which device the escrowed key is of',
  system_integrity_protection_enabled TINYINT NULL COMMENT 'SystemIntegrityProtectionEnabled',
  firewall_enabled TINYINT NULL COMMENT 'FirewallSettings.FirewallEnabled',
  block_all_incoming TINYINT NULL COMMENT 'FirewallSettings.BlockAllIncoming',
  stealth_mode TINYINT NULL COMMENT 'FirewallSettings.StealthMode',
  password_exists TINYINT NULL COMMENT 'FirmwarePasswordStatus.PasswordExists',
  change_pending TINYINT NULL COMMENT 'FirmwarePasswordStatus.ChangePending',
  allow_oroms TINYINT NULL COMMENT 'FirmwarePasswordStatus.AllowOroms',
  enrolled_via_dep TINYINT NULL COMMENT 'ManagementStatus.EnrolledViaDEP',
  user_approved_enrollment TINYINT NULL COMMENT 'ManagementStatus.UserApprovedEnrollment',
  is_user_enrollment TINYINT NULL COMMENT 'ManagementStatus.IsUserEnrollment',
  is_activation_lock_manageable TINYINT NULL COMMENT 'ManagementStatus.IsActivationLockManageable',
  secure_boot_level VARCHAR(32) NULL COMMENT 'SecureBoot.SecureBootLevel',
  external_boot_level VARCHAR(32) NULL COMMENT 'SecureBoot.ExternalBootLevel',
  remote_desktop_enabled TINYINT NULL COMMENT 'RemoteDesktopEnabled',
  authenticated_root_volume_enabled TINYINT NULL COMMENT 'AuthenticatedRootVolumeEnabled',
  bootstrap_token_allowed_for_authentication VARCHAR(32) NULL COMMENT 'BootstrapTokenAllowedForAuthentication',
  bootstrap_token_required_for_software_update TINYINT NULL COMMENT 'BootstrapTokenRequiredForSoftwareUpdate',
  bootstrap_token_required_for_kernel_extension_approval TINYINT NULL COMMENT 'BootstrapTokenRequiredForKernelExtensionApproval',
  is_recovery_lock_enabled TINYINT NULL COMMENT 'IsRecoveryLockEnabled',
  extra MEDIUMTEXT NULL COMMENT 'JSON object of everything else',
  PRIMARY KEY (enrollment_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='SecurityInfo';

CREATE TABLE inv_profile (
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id',
  identifier VARCHAR(255) NOT NULL COMMENT 'PayloadIdentifier',
  uuid VARCHAR(64) NULL COMMENT 'PayloadUUID',
  version BIGINT NULL COMMENT 'PayloadVersion',
  display_name VARCHAR(255) NULL COMMENT 'PayloadDisplayName',
  organization VARCHAR(255) NULL COMMENT 'PayloadOrganization',
  removal_disallowed TINYINT NULL COMMENT 'PayloadRemovalDisallowed',
  has_removal_passcode TINYINT NULL COMMENT 'HasRemovalPasscode',
  is_encrypted TINYINT NULL COMMENT 'IsEncrypted',
  is_managed TINYINT NULL COMMENT 'IsManaged: it came over MDM',
  source VARCHAR(64) NULL COMMENT 'Source',
  extra MEDIUMTEXT NULL COMMENT 'JSON object of everything else: PayloadContent, PayloadDescription, SignerCertificates',
  PRIMARY KEY (enrollment_id, identifier),
  KEY identifier (identifier)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='ProfileList: configuration profiles that are installed';

CREATE TABLE inv_provisioning (
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id',
  uuid VARCHAR(128) NOT NULL COMMENT 'UUID',
  name VARCHAR(255) NULL COMMENT 'Name',
  expiry_date BIGINT NULL COMMENT 'ExpiryDate',
  extra MEDIUMTEXT NULL COMMENT 'JSON object of everything else',
  PRIMARY KEY (enrollment_id, uuid),
  KEY expiry (expiry_date)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='ProvisioningProfileList';

CREATE TABLE seen_certificate (
  sha256 BINARY(32) NOT NULL COMMENT 'digest of the certificate''s DER',
  der MEDIUMBLOB NOT NULL COMMENT 'the certificate',
  subject VARCHAR(512) NOT NULL DEFAULT '' COMMENT 'its subject (RFC 2253); empty: it cannot be parsed',
  issuer VARCHAR(512) NOT NULL DEFAULT '' COMMENT 'its issuer',
  serial VARCHAR(64) NOT NULL DEFAULT '' COMMENT 'its serial number, lower-case hexadecimal',
  not_before BIGINT NOT NULL DEFAULT 0 COMMENT 'first moment of its validity',
  not_after BIGINT NOT NULL DEFAULT 0 COMMENT 'last moment of its validity',
  is_ca TINYINT NOT NULL DEFAULT 0 COMMENT '1: a certification authority''s',
  key_type VARCHAR(16) NOT NULL DEFAULT '' COMMENT 'RSA, EC, Ed25519',
  key_bits INT NOT NULL DEFAULT 0 COMMENT 'length of its key',
  PRIMARY KEY (sha256),
  KEY not_after (not_after)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='certificates that devices have, each once';

CREATE TABLE inv_certificate (
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id',
  sha256 BINARY(32) NOT NULL COMMENT 'seen_certificate.sha256',
  common_name VARCHAR(255) NULL COMMENT 'CommonName',
  is_identity TINYINT NULL COMMENT 'IsIdentity: the device has its key',
  extra MEDIUMTEXT NULL COMMENT 'JSON object of everything else',
  PRIMARY KEY (enrollment_id, sha256),
  KEY sha256 (sha256)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='CertificateList: which certificates are on which device';

CREATE TABLE software (
  id BIGINT NOT NULL COMMENT 'first eight octets of the digest of the four texts below',
  identifier VARCHAR(255) NOT NULL COMMENT 'bundle identifier; empty where an app has none',
  version VARCHAR(64) NOT NULL COMMENT 'Version',
  short_version VARCHAR(64) NOT NULL COMMENT 'ShortVersion',
  name VARCHAR(255) NOT NULL COMMENT 'Name',
  seen_at BIGINT NOT NULL COMMENT 'when a device that had not had it reported it, true to a day',
  PRIMARY KEY (id),
  KEY identifier (identifier),
  KEY name (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='versions of apps, each once for all devices that have it';

CREATE TABLE inv_app (
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id',
  software_id BIGINT NOT NULL COMMENT 'software.id',
  bundle_size BIGINT NULL COMMENT 'BundleSize, octets',
  dynamic_size BIGINT NULL COMMENT 'DynamicSize, octets; not renewed for small differences',
  external_version BIGINT NULL COMMENT 'ExternalVersionIdentifier',
  known SMALLINT NOT NULL DEFAULT 0 COMMENT 'which bits of flags the device told',
  flags SMALLINT NOT NULL DEFAULT 0 COMMENT 'bits: 1 IsValidated, 2 Installing, 4 AppStoreVendable, 8 DeviceBasedVPP, 16 BetaApp, 32 AdHocCodeSigned, 64 HasUpdateAvailable, 128 DownloadFailed, 256 DownloadWaiting, 512 DownloadPaused, 1024 DownloadCancelled, 2048 IsAppClip',
  extra TEXT NULL COMMENT 'JSON object of everything else',
  PRIMARY KEY (enrollment_id, software_id),
  KEY software (software_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='InstalledApplicationList: which apps are on which device';

CREATE TABLE inv_managed_app (
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id',
  identifier VARCHAR(255) NOT NULL COMMENT 'bundle identifier',
  status VARCHAR(32) NULL COMMENT 'Status, as the device tells it; states that are told once are in inv_event too',
  status_at BIGINT NOT NULL DEFAULT 0 COMMENT 'when the device first told that status',
  management_flags BIGINT NULL COMMENT 'ManagementFlags: bits 1 removed with the MDM profile, 4 no backup of its data',
  has_configuration TINYINT NULL COMMENT 'HasConfiguration',
  has_feedback TINYINT NULL COMMENT 'HasFeedback',
  is_validated TINYINT NULL COMMENT 'IsValidated',
  external_version BIGINT NULL COMMENT 'ExternalVersionIdentifier',
  extra MEDIUMTEXT NULL COMMENT 'JSON object of everything else',
  PRIMARY KEY (enrollment_id, identifier),
  KEY identifier (identifier, status)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='ManagedApplicationList: the state of each managed app';

CREATE TABLE inv_app_data (
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id',
  identifier VARCHAR(255) NOT NULL COMMENT 'bundle identifier',
  kind TINYINT NOT NULL COMMENT '1 configuration, 2 attributes, 3 feedback',
  at BIGINT NOT NULL COMMENT 'when the device told it',
  content MEDIUMTEXT NOT NULL COMMENT 'JSON',
  PRIMARY KEY (enrollment_id, identifier, kind)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='ManagedApplicationConfiguration, -Attributes, -Feedback';

CREATE TABLE inv_restriction (
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id',
  profile VARCHAR(255) NOT NULL COMMENT 'PayloadIdentifier; empty: what holds in all',
  kind TINYINT NOT NULL COMMENT '1 restrictedBool, 2 restrictedValue, 3 intersection, 4 union',
  name VARCHAR(128) NOT NULL COMMENT 'the restriction',
  value BIGINT NULL COMMENT 'of kinds 1 and 2',
  list TEXT NULL COMMENT 'of kinds 3 and 4: JSON array',
  PRIMARY KEY (enrollment_id, profile, kind, name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='Restrictions that hold, all together and profile by profile';

CREATE TABLE inv_user (
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id of the device',
  user_name VARCHAR(255) NOT NULL COMMENT 'UserName',
  full_name VARCHAR(255) NULL COMMENT 'FullName',
  uid BIGINT NULL COMMENT 'UID',
  user_guid VARCHAR(128) NULL COMMENT 'UserGUID',
  is_logged_in TINYINT NULL COMMENT 'IsLoggedIn',
  has_data_to_sync TINYINT NULL COMMENT 'HasDataToSync',
  data_quota BIGINT NULL COMMENT 'DataQuota, octets',
  data_used BIGINT NULL COMMENT 'DataUsed, octets',
  mobile_account TINYINT NULL COMMENT 'MobileAccount',
  has_secure_token TINYINT NULL COMMENT 'HasSecureToken',
  extra MEDIUMTEXT NULL COMMENT 'JSON object of everything else',
  PRIMARY KEY (enrollment_id, user_name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='UserList: accounts on the device';

CREATE TABLE inv_update (
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id',
  product_key VARCHAR(255) NOT NULL COMMENT 'ProductKey',
  name VARCHAR(255) NULL COMMENT 'HumanReadableName',
  version VARCHAR(64) NULL COMMENT 'Version',
  build VARCHAR(64) NULL COMMENT 'Build',
  download_size BIGINT NULL COMMENT 'DownloadSize, octets',
  install_size BIGINT NULL COMMENT 'InstallSize, octets',
  is_critical TINYINT NULL COMMENT 'IsCritical',
  is_major_os_update TINYINT NULL COMMENT 'IsMajorOSUpdate',
  is_security_response TINYINT NULL COMMENT 'IsSecurityResponse',
  restart_required TINYINT NULL COMMENT 'RestartRequired',
  allows_install_later TINYINT NULL COMMENT 'AllowsInstallLater',
  deferred_until BIGINT NULL COMMENT 'DeferredUntil',
  extra MEDIUMTEXT NULL COMMENT 'JSON object of everything else',
  PRIMARY KEY (enrollment_id, product_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='AvailableOSUpdates';

CREATE TABLE inv_update_status (
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id',
  product_key VARCHAR(255) NOT NULL COMMENT 'ProductKey',
  status VARCHAR(64) NULL COMMENT 'Status',
  is_downloaded TINYINT NULL COMMENT 'IsDownloaded',
  download_percent_complete DOUBLE NULL COMMENT 'DownloadPercentComplete',
  next_scheduled_install BIGINT NULL COMMENT 'NextScheduledInstall',
  extra MEDIUMTEXT NULL COMMENT 'JSON object of everything else',
  PRIMARY KEY (enrollment_id, product_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='OSUpdateStatus: updates under way';

CREATE TABLE inv_setting (
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id',
  item VARCHAR(64) NOT NULL COMMENT 'Item',
  identifier VARCHAR(255) NOT NULL COMMENT 'the app it is about; empty for other settings',
  status VARCHAR(32) NULL COMMENT 'Status of the last attempt',
  at BIGINT NOT NULL COMMENT 'when',
  command_id BIGINT NOT NULL COMMENT 'command.id; result_error has the reasons',
  extra MEDIUMTEXT NULL COMMENT 'JSON object of what the device said besides',
  PRIMARY KEY (enrollment_id, item, identifier)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='Settings: what became of each item';

CREATE TABLE inv_answer (
  enrollment_id BIGINT NOT NULL COMMENT 'enrollment.id',
  request_type VARCHAR(64) NOT NULL COMMENT 'RequestType',
  reported_at BIGINT NOT NULL COMMENT 'when the device told it',
  command_id BIGINT NOT NULL COMMENT 'command.id',
  content MEDIUMTEXT NOT NULL COMMENT 'JSON object',
  PRIMARY KEY (enrollment_id, request_type)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='the last answer to each request that has no table of its own: DeviceLocation and the like';
