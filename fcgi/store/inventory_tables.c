/* inventory_tables.c: the tables of the inventory: their columns, and the keys of Apple's answers
 * that fill them. Their statements are made of that. */
#include "store/inventory_tables.h"

#include <string.h>

/* K: a column of the key, V: any other. T(column, Apple's key, type, max, quiet) */
#define DEVICE(K, V)                                                                               \
    V(platform, "", INV_INT, 0, true)                                                              \
    V(os_number, "", INV_INT, 0, true)                                                             \
    V(device_name, "DeviceName", INV_TEXT, 255, false)                                             \
    V(os_version, "OSVersion", INV_TEXT, 64, false)                                                \
    V(supplemental_os_version_extra, "SupplementalOSVersionExtra", INV_TEXT, 64, false)            \
    V(build_version, "BuildVersion", INV_TEXT, 64, false)                                          \
    V(supplemental_build_version, "SupplementalBuildVersion", INV_TEXT, 64, false)                 \
    V(model_name, "ModelName", INV_TEXT, 128, false)                                               \
    V(model, "Model", INV_TEXT, 128, false)                                                        \
    V(model_number, "ModelNumber", INV_TEXT, 64, false)                                            \
    V(product_name, "ProductName", INV_TEXT, 64, false)                                            \
    V(serial_number, "SerialNumber", INV_TEXT, 64, false)                                          \
    V(is_apple_silicon, "IsAppleSilicon", INV_BOOL, 0, false)                                      \
    V(device_capacity, "DeviceCapacity", INV_REAL, 0, false)                                       \
    V(available_device_capacity, "AvailableDeviceCapacity", INV_REAL, 0, true)                     \
    V(imei, "IMEI", INV_TEXT, 64, false)                                                           \
    V(meid, "MEID", INV_TEXT, 64, false)                                                           \
    V(modem_firmware_version, "ModemFirmwareVersion", INV_TEXT, 64, false)                         \
    V(cellular_technology, "CellularTechnology", INV_INT, 0, false)                                \
    V(battery_level, "BatteryLevel", INV_REAL, 0, true)                                            \
    V(has_battery, "HasBattery", INV_BOOL, 0, false)                                               \
    V(is_supervised, "IsSupervised", INV_BOOL, 0, false)                                           \
    V(is_multi_user, "IsMultiUser", INV_BOOL, 0, false)                                            \
    V(is_device_locator_service_enabled, "IsDeviceLocatorServiceEnabled", INV_BOOL, 0, false)      \
    V(is_activation_lock_enabled, "IsActivationLockEnabled", INV_BOOL, 0, false)                   \
    V(is_activation_lock_supported, "IsActivationLockSupported", INV_BOOL, 0, false)               \
    V(is_do_not_disturb_in_effect, "IsDoNotDisturbInEffect", INV_BOOL, 0, true)                    \
    V(is_mdm_lost_mode_enabled, "IsMDMLostModeEnabled", INV_BOOL, 0, false)                        \
    V(device_id, "DeviceID", INV_TEXT, 64, false)                                                  \
    V(eas_device_identifier, "EASDeviceIdentifier", INV_TEXT, 128, false)                          \
    V(provisioning_udid, "ProvisioningUDID", INV_TEXT, 128, false)                                 \
    V(is_cloud_backup_enabled, "IsCloudBackupEnabled", INV_BOOL, 0, false)                         \
    V(last_cloud_backup_date, "LastCloudBackupDate", INV_DATE, 0, true)                            \
    V(awaiting_configuration, "AwaitingConfiguration", INV_BOOL, 0, false)                         \
    V(itunes_store_account_is_active, "iTunesStoreAccountIsActive", INV_BOOL, 0, false)            \
    V(itunes_store_account_hash, "iTunesStoreAccountHash", INV_TEXT, 128, false)                   \
    V(local_host_name, "LocalHostName", INV_TEXT, 255, false)                                      \
    V(host_name, "HostName", INV_TEXT, 255, false)                                                 \
    V(system_integrity_protection_enabled, "SystemIntegrityProtectionEnabled", INV_BOOL, 0, false) \
    V(supports_lom_device, "SupportsLOMDevice", INV_BOOL, 0, false)                                \
    V(supports_ios_app_installs, "SupportsiOSAppInstalls", INV_BOOL, 0, false)                     \
    V(maximum_resident_users, "MaximumResidentUsers", INV_INT, 0, false)                           \
    V(estimated_resident_users, "EstimatedResidentUsers", INV_INT, 0, false)                       \
    V(resident_users, "ResidentUsers", INV_INT, 0, false)                                          \
    V(quota_size, "QuotaSize", INV_INT, 0, false)                                                  \
    V(user_session_timeout, "UserSessionTimeout", INV_INT, 0, false)                               \
    V(temporary_session_timeout, "TemporarySessionTimeout", INV_INT, 0, false)                     \
    V(temporary_session_only, "TemporarySessionOnly", INV_BOOL, 0, false)                          \
    V(online_authentication_grace_period, "OnlineAuthenticationGracePeriod", INV_INT, 0, false)    \
    V(skip_language_and_locale_setup_for_new_users, "SkipLanguageAndLocaleSetupForNewUsers",       \
      INV_BOOL, 0, false)                                                                          \
    V(diagnostic_submission_enabled, "DiagnosticSubmissionEnabled", INV_BOOL, 0, false)            \
    V(app_analytics_enabled, "AppAnalyticsEnabled", INV_BOOL, 0, false)                            \
    V(time_zone, "TimeZone", INV_TEXT, 64, false)                                                  \
    V(pin_required_for_erase_device, "PINRequiredForEraseDevice", INV_BOOL, 0, false)              \
    V(pin_required_for_device_lock, "PINRequiredForDeviceLock", INV_BOOL, 0, false)                \
    V(software_update_device_id, "SoftwareUpdateDeviceID", INV_TEXT, 128, false)                   \
    V(eacs_preflight, "EACSPreflight", INV_TEXT, 255, false)                                       \
    V(extra, "", INV_EXTRA, 0, true)

#define NETWORK(K, V)                                                                              \
    V(iccid, "ICCID", INV_TEXT, 64, false)                                                         \
    V(bluetooth_mac, "BluetoothMAC", INV_TEXT, 32, false)                                          \
    V(wifi_mac, "WiFiMAC", INV_TEXT, 32, false)                                                    \
    V(ethernet_mac, "EthernetMAC", INV_TEXT, 32, false)                                            \
    V(current_carrier_network, "CurrentCarrierNetwork", INV_TEXT, 128, true)                       \
    V(sim_carrier_network, "SIMCarrierNetwork", INV_TEXT, 128, false)                              \
    V(subscriber_carrier_network, "SubscriberCarrierNetwork", INV_TEXT, 128, false)                \
    V(carrier_settings_version, "CarrierSettingsVersion", INV_TEXT, 64, false)                     \
    V(phone_number, "PhoneNumber", INV_TEXT, 64, false)                                            \
    V(data_roaming_enabled, "DataRoamingEnabled", INV_BOOL, 0, false)                              \
    V(voice_roaming_enabled, "VoiceRoamingEnabled", INV_BOOL, 0, false)                            \
    V(personal_hotspot_enabled, "PersonalHotspotEnabled", INV_BOOL, 0, false)                      \
    V(is_network_tethered, "IsNetworkTethered", INV_BOOL, 0, true)                                 \
    V(is_roaming, "IsRoaming", INV_BOOL, 0, true)                                                  \
    V(sim_mcc, "SIMMCC", INV_TEXT, 16, false)                                                      \
    V(sim_mnc, "SIMMNC", INV_TEXT, 16, false)                                                      \
    V(subscriber_mcc, "SubscriberMCC", INV_TEXT, 16, false)                                        \
    V(subscriber_mnc, "SubscriberMNC", INV_TEXT, 16, false)                                        \
    V(current_mcc, "CurrentMCC", INV_TEXT, 16, true)                                               \
    V(current_mnc, "CurrentMNC", INV_TEXT, 16, true)                                               \
    V(extra, "", INV_EXTRA, 0, true)

#define SECURITY(K, V)                                                                             \
    V(hardware_encryption_caps, "HardwareEncryptionCaps", INV_INT, 0, false)                       \
    V(passcode_present, "PasscodePresent", INV_BOOL, 0, false)                                     \
    V(passcode_compliant, "PasscodeCompliant", INV_BOOL, 0, false)                                 \
    V(passcode_compliant_with_profiles, "PasscodeCompliantWithProfiles", INV_BOOL, 0, false)       \
    V(passcode_lock_grace_period, "PasscodeLockGracePeriod", INV_INT, 0, false)                    \
    V(passcode_lock_grace_period_enforced, "PasscodeLockGracePeriodEnforced", INV_INT, 0, false)   \
    V(auto_lock_time, "AutoLockTime", INV_INT, 0, false)                                           \
    V(fde_enabled, "FDE_Enabled", INV_BOOL, 0, false)                                              \
    V(fde_has_personal_recovery_key, "FDE_HasPersonalRecoveryKey", INV_BOOL, 0, false)             \
    V(fde_has_institutional_recovery_key, "FDE_HasInstitutionalRecoveryKey", INV_BOOL, 0, false)   \
    V(fde_personal_recovery_key_device_key, "FDE_PersonalRecoveryKeyDeviceKey", INV_TEXT, 128,     \
      false)                                                                                       \
    V(system_integrity_protection_enabled, "SystemIntegrityProtectionEnabled", INV_BOOL, 0, false) \
    V(firewall_enabled, "FirewallSettings.FirewallEnabled", INV_BOOL, 0, false)                    \
    V(block_all_incoming, "FirewallSettings.BlockAllIncoming", INV_BOOL, 0, false)                 \
    V(stealth_mode, "FirewallSettings.StealthMode", INV_BOOL, 0, false)                            \
    V(password_exists, "FirmwarePasswordStatus.PasswordExists", INV_BOOL, 0, false)                \
    V(change_pending, "FirmwarePasswordStatus.ChangePending", INV_BOOL, 0, false)                  \
    V(allow_oroms, "FirmwarePasswordStatus.AllowOroms", INV_BOOL, 0, false)                        \
    V(enrolled_via_dep, "ManagementStatus.EnrolledViaDEP", INV_BOOL, 0, false)                     \
    V(user_approved_enrollment, "ManagementStatus.UserApprovedEnrollment", INV_BOOL, 0, false)     \
    V(is_user_enrollment, "ManagementStatus.IsUserEnrollment", INV_BOOL, 0, false)                 \
    V(is_activation_lock_manageable, "ManagementStatus.IsActivationLockManageable", INV_BOOL, 0,   \
      false)                                                                                       \
    V(secure_boot_level, "SecureBoot.SecureBootLevel", INV_TEXT, 32, false)                        \
    V(external_boot_level, "SecureBoot.ExternalBootLevel", INV_TEXT, 32, false)                    \
    V(remote_desktop_enabled, "RemoteDesktopEnabled", INV_BOOL, 0, false)                          \
    V(authenticated_root_volume_enabled, "AuthenticatedRootVolumeEnabled", INV_BOOL, 0, false)     \
    V(bootstrap_token_allowed_for_authentication, "BootstrapTokenAllowedForAuthentication",        \
      INV_TEXT, 32, false)                                                                         \
    V(bootstrap_token_required_for_software_update, "BootstrapTokenRequiredForSoftwareUpdate",     \
      INV_BOOL, 0, false)                                                                          \
    V(bootstrap_token_required_for_kernel_extension_approval,                                      \
      "BootstrapTokenRequiredForKernelExtensionApproval", INV_BOOL, 0, false)                      \
    V(is_recovery_lock_enabled, "IsRecoveryLockEnabled", INV_BOOL, 0, false)                       \
    V(extra, "", INV_EXTRA, 0, true)

#define PROFILE(K, V)                                                                              \
    K(identifier, "PayloadIdentifier", INV_TEXT, 255, false)                                       \
    V(uuid, "PayloadUUID", INV_TEXT, 64, false)                                                    \
    V(version, "PayloadVersion", INV_INT, 0, false)                                                \
    V(display_name, "PayloadDisplayName", INV_TEXT, 255, false)                                    \
    V(organization, "PayloadOrganization", INV_TEXT, 255, false)                                   \
    V(removal_disallowed, "PayloadRemovalDisallowed", INV_BOOL, 0, false)                          \
    V(has_removal_passcode, "HasRemovalPasscode", INV_BOOL, 0, false)                              \
    V(is_encrypted, "IsEncrypted", INV_BOOL, 0, false)                                             \
    V(is_managed, "IsManaged", INV_BOOL, 0, false)                                                 \
    V(source, "Source", INV_TEXT, 64, false)                                                       \
    V(extra, "", INV_EXTRA, 0, true)

#define PROVISIONING(K, V)                                                                         \
    K(uuid, "UUID", INV_TEXT, 128, false)                                                          \
    V(name, "Name", INV_TEXT, 255, false)                                                          \
    V(expiry_date, "ExpiryDate", INV_DATE, 0, false)                                               \
    V(extra, "", INV_EXTRA, 0, true)

#define CERTIFICATE(K, V)                                                                          \
    K(sha256, "", INV_BIN, 32, false)                                                              \
    V(common_name, "CommonName", INV_TEXT, 255, false)                                             \
    V(is_identity, "IsIdentity", INV_BOOL, 0, false)                                               \
    V(extra, "", INV_EXTRA, 0, true)

#define APP(K, V)                                                                                  \
    K(software_id, "", INV_INT, 0, false)                                                          \
    V(bundle_size, "BundleSize", INV_INT, 0, true)                                                 \
    V(dynamic_size, "DynamicSize", INV_INT, 0, true)                                               \
    V(external_version, "ExternalVersionIdentifier", INV_INT, 0, true)                             \
    V(known, "", INV_INT, 0, true)                                                                 \
    V(flags, "", INV_INT, 0, true)                                                                 \
    V(extra, "", INV_EXTRA, 60000, true)

#define MANAGED_APP(K, V)                                                                          \
    K(identifier, "", INV_TEXT, 255, false)                                                        \
    V(status, "Status", INV_TEXT, 32, false)                                                       \
    V(status_at, "", INV_DATE, 0, true)                                                            \
    V(management_flags, "ManagementFlags", INV_INT, 0, true)                                       \
    V(has_configuration, "HasConfiguration", INV_BOOL, 0, true)                                    \
    V(has_feedback, "HasFeedback", INV_BOOL, 0, true)                                              \
    V(is_validated, "IsValidated", INV_BOOL, 0, true)                                              \
    V(external_version, "ExternalVersionIdentifier", INV_INT, 0, true)                             \
    V(extra, "", INV_EXTRA, 0, true)

#define RESTRICTION(K, V)                                                                          \
    K(profile, "", INV_TEXT, 255, false)                                                           \
    K(kind, "", INV_INT, 0, false)                                                                 \
    K(name, "", INV_TEXT, 128, false)                                                              \
    V(value, "", INV_INT, 0, false)                                                                \
    V(list, "", INV_JSON, 0, false)

#define USER(K, V)                                                                                 \
    K(user_name, "UserName", INV_TEXT, 255, false)                                                 \
    V(full_name, "FullName", INV_TEXT, 255, false)                                                 \
    V(uid, "UID", INV_INT, 0, false)                                                               \
    V(user_guid, "UserGUID", INV_TEXT, 128, false)                                                 \
    V(is_logged_in, "IsLoggedIn", INV_BOOL, 0, true)                                               \
    V(has_data_to_sync, "HasDataToSync", INV_BOOL, 0, true)                                        \
    V(data_quota, "DataQuota", INV_INT, 0, true)                                                   \
    V(data_used, "DataUsed", INV_INT, 0, true)                                                     \
    V(mobile_account, "MobileAccount", INV_BOOL, 0, false)                                         \
    V(has_secure_token, "HasSecureToken", INV_BOOL, 0, false)                                      \
    V(extra, "", INV_EXTRA, 0, true)

#define UPDATE(K, V)                                                                               \
    K(product_key, "ProductKey", INV_TEXT, 255, false)                                             \
    V(name, "HumanReadableName", INV_TEXT, 255, false)                                             \
    V(version, "Version", INV_TEXT, 64, false)                                                     \
    V(build, "Build", INV_TEXT, 64, false)                                                         \
    V(download_size, "DownloadSize", INV_INT, 0, true)                                             \
    V(install_size, "InstallSize", INV_INT, 0, true)                                               \
    V(is_critical, "IsCritical", INV_BOOL, 0, true)                                                \
    V(is_major_os_update, "IsMajorOSUpdate", INV_BOOL, 0, true)                                    \
    V(is_security_response, "IsSecurityResponse", INV_BOOL, 0, true)                               \
    V(restart_required, "RestartRequired", INV_BOOL, 0, true)                                      \
    V(allows_install_later, "AllowsInstallLater", INV_BOOL, 0, true)                               \
    V(deferred_until, "DeferredUntil", INV_DATE, 0, true)                                          \
    V(extra, "", INV_EXTRA, 0, true)

#define UPDATE_STATUS(K, V)                                                                        \
    K(product_key, "ProductKey", INV_TEXT, 255, false)                                             \
    V(status, "Status", INV_TEXT, 64, false)                                                       \
    V(is_downloaded, "IsDownloaded", INV_BOOL, 0, false)                                           \
    V(download_percent_complete, "DownloadPercentComplete", INV_REAL, 0, true)                     \
    V(next_scheduled_install, "NextScheduledInstall", INV_DATE, 0, true)                           \
    V(extra, "", INV_EXTRA, 0, true)

#define SETTING(K, V)                                                                              \
    K(item, "Item", INV_TEXT, 64, false)                                                           \
    K(identifier, "Identifier", INV_TEXT, 255, false)                                              \
    V(status, "Status", INV_TEXT, 32, false)                                                       \
    V(at, "", INV_DATE, 0, true)                                                                   \
    V(command_id, "", INV_INT, 0, true)                                                            \
    V(extra, "", INV_EXTRA, 0, true)

#define COLUMN(name, key, type, max, quiet) {#name, key, type, max, quiet},
#define ONE(...) +1
#define NONE(...)
#define NAME(name, ...) ", " #name
#define HOLE(...) ", ?"
#define TAKE(name, ...) ", " #name " = VALUES(" #name ")"
/* key_list: the columns of the key once more: the preprocessor cannot leave a comma out. */
#define TABLE(area, word, table, columns, key_list)                                                \
    [area] = {                                                                                     \
        area,                                                                                      \
        word,                                                                                      \
        #table,                                                                                    \
        table##_columns,                                                                           \
        0 columns(ONE, ONE),                                                                       \
        0 columns(ONE, NONE),                                                                      \
        {.name = #table "_read",                                                                   \
         .text = "SELECT enrollment_id" columns(                                                   \
             NAME, NAME) " FROM " #table                                                           \
                         " WHERE enrollment_id IN (%IN%) ORDER BY enrollment_id, " key_list,       \
         .tuple = 1},                                                                              \
        {.name = #table "_write",                                                                  \
         .text =                                                                                   \
             "INSERT INTO " #table " (enrollment_id" columns(NAME, NAME) ") VALUES (?" columns(    \
                 HOLE, HOLE) ") ON DUPLICATE KEY UPDATE enrollment_id = "                          \
                             "VALUES(enrollment_id)" columns(NONE, TAKE)},                         \
        {.name = #table "_drop",                                                                   \
         .text = "DELETE FROM " #table " WHERE enrollment_id = ? AND (" key_list ") IN (%IN%)",    \
         .tuple = 0 columns(ONE, NONE)},                                                           \
        {.name = #table "_page",                                                                   \
         .text = "SELECT enrollment_id" columns(                                                   \
             NAME, NAME) " FROM " #table                                                           \
                         " WHERE enrollment_id = ? ORDER BY enrollment_id, " key_list              \
                         " LIMIT ? OFFSET ?"}}
#define COLUMNS(table, columns)                                                                    \
    static const struct inv_column table##_columns[] = {columns(COLUMN, COLUMN)}

COLUMNS(inv_device, DEVICE);
COLUMNS(inv_network, NETWORK);
COLUMNS(inv_security, SECURITY);
COLUMNS(inv_profile, PROFILE);
COLUMNS(inv_provisioning, PROVISIONING);
COLUMNS(inv_certificate, CERTIFICATE);
COLUMNS(inv_app, APP);
COLUMNS(inv_managed_app, MANAGED_APP);
COLUMNS(inv_restriction, RESTRICTION);
COLUMNS(inv_user, USER);
COLUMNS(inv_update, UPDATE);
COLUMNS(inv_update_status, UPDATE_STATUS);
COLUMNS(inv_setting, SETTING);

static const struct inv_table tables[] = {
    TABLE(INV_DEVICE, "device", inv_device, DEVICE, "enrollment_id"),
    TABLE(INV_NETWORK, "network", inv_network, NETWORK, "enrollment_id"),
    TABLE(INV_SECURITY, "security", inv_security, SECURITY, "enrollment_id"),
    TABLE(INV_PROFILE, "profiles", inv_profile, PROFILE, "identifier"),
    TABLE(INV_PROVISIONING, "provisioning-profiles", inv_provisioning, PROVISIONING, "uuid"),
    TABLE(INV_CERTIFICATE, "certificates", inv_certificate, CERTIFICATE, "sha256"),
    TABLE(INV_APP, "apps", inv_app, APP, "software_id"),
    TABLE(INV_MANAGED_APP, "managed-apps", inv_managed_app, MANAGED_APP, "identifier"),
    TABLE(INV_RESTRICTION, "restrictions", inv_restriction, RESTRICTION, "profile, kind, name"),
    TABLE(INV_USER, "users", inv_user, USER, "user_name"),
    TABLE(INV_UPDATE, "os-updates", inv_update, UPDATE, "product_key"),
    TABLE(INV_UPDATE_STATUS, "os-update-status", inv_update_status, UPDATE_STATUS, "product_key"),
    TABLE(INV_SETTING, "settings", inv_setting, SETTING, "item, identifier"),
};

const struct inv_table *inv_table(enum inv_area area)
{
    return area > INV_NONE && area < INV__MAX ? &tables[area] : NULL;
}

const char *inv_area_word(int area)
{
    return area > INV_NONE && area < INV__MAX ? tables[area].word : "?";
}

static const struct {
    enum inv_area area;
    const char *alias;
} fact_tables[] = {{INV_DEVICE, "d"}, {INV_NETWORK, "n"}, {INV_SECURITY, "s"}};
#define FACT_TABLES (sizeof fact_tables / sizeof *fact_tables)

static bool is_fact(const struct inv_column *c)
{
    return c->key[0] != '\0' && c->type != INV_EXTRA && c->type != INV_JSON && c->type != INV_BIN;
}

const struct inv_column *inv_fact(const char *key, const char **alias)
{
    for (size_t t = 0; t < FACT_TABLES; t++) {
        const struct inv_table *table = &tables[fact_tables[t].area];

        for (unsigned i = 0; i < table->n; i++)
            if (is_fact(&table->cols[i]) && strcmp(table->cols[i].key, key) == 0) {
                *alias = fact_tables[t].alias;
                return &table->cols[i];
            }
    }
    return NULL;
}

const struct inv_column *inv_fact_at(size_t at)
{
    for (size_t t = 0; t < FACT_TABLES; t++) {
        const struct inv_table *table = &tables[fact_tables[t].area];

        for (unsigned i = 0; i < table->n; i++)
            if (is_fact(&table->cols[i]) && at-- == 0)
                return &table->cols[i];
    }
    return NULL;
}

int64_t inv_os_number(const char *version)
{
    int64_t part[3] = {0};

    for (size_t i = 0; version != NULL && i < 3; i++) {
        while (*version >= '0' && *version <= '9' && part[i] < 1000)
            part[i] = part[i] * 10 + (*version++ - '0');
        if (*version != '.')
            break;
        version++;
    }
    for (size_t i = 0; i < 3; i++)
        if (part[i] > 999)
            part[i] = 999;
    return part[0] * 1000000 + part[1] * 1000 + part[2];
}
