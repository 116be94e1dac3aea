/* error_codes.c: see error_codes.h. One row for each meaning, in the order of the codes. */
#include "command/error_codes.h"

#include <string.h>

#define PROFILE "MCProfileErrorDomain"
#define PAYLOAD "MCPayloadErrorDomain"
#define RESTRICTIONS "MCRestrictionsErrorDomain"
#define INSTALL "MCInstallationErrorDomain"
#define PASSCODE "MCPasscodeErrorDomain"
#define KEYCHAIN "MCKeychainErrorDomain"
#define EMAIL "MCEmailErrorDomain"
#define WEBCLIP "MCWebClipErrorDomain"
#define CERTIFICATE "MCCertificateErrorDomain"
#define DEFAULTS "MCDefaultsErrorDomain"
#define APN "MCAPNErrorDomain"
#define MDM "MCMDMErrorDomain"
#define WIFI "MCWiFiErrorDomain"
#define TUNNEL "MCTunnelErrorDomain"
#define VPN "MCVPNErrorDomain"
#define SUBCAL "MCSubCalErrorDomain"
#define CALDAV "MCCalDAVErrorDomain"
#define DA "MCDAErrorDomain"
#define LDAP "MCLDAPErrorDomain"
#define CARDDAV "MCCardDAVErrorDomain"
#define EAS "MCEASErrorDomain"
#define SCEP "MCSCEPErrorDomain"
#define HTTP "MCHTTPTransactionErrorDomain"
#define OTA "MCOTAProfilesErrorDomain"
#define PROVISIONING "MCProvisioningProfileErrorDomain"
#define CAPABILITIES "MCDeviceCapabilitiesErrorDomain"
#define SETTINGS "MCSettingsErrorDomain"
#define CHAPERONE "MCChaperoneErrorDomain"
#define STORE "MCStoreErrorDomain"
#define PROXY "MCGlobalHTTPProxyErrorDomain"
#define SINGLE_APP "MCSingleAppErrorDomain"
#define SSO "MCSSOErrorDomain"
#define FONT "MCFontErrorDomain"
#define CELLULAR "MCCellularErrorDomain"

static const struct {
    const char *domain;
    int code;
    const char *meaning;
} codes[] = {
    {PROFILE, 1000, "the device cannot make sense of the profile's form"},
    {PROFILE, 1001, "the profile is of a version that the device does not take"},
    {PROFILE, 1002, "the profile lacks a key that it must have"},
    {PROFILE, 1003, "a key of the profile has a value of the wrong type"},
    {PROFILE, 1004, "the profile's signature does not hold"},
    {PROFILE, 1005, "there is nothing in the profile"},
    {PROFILE, 1006, "the device has no key that opens the encrypted profile"},
    {PROFILE, 1007, "two payloads of the profile share a UUID"},
    {PROFILE, 1008, "two payloads of the profile share an identifier"},
    {PROFILE, 1009, "the profile did not go in; the entries after this one say why"},
    {PROFILE, 1010, "a key of the profile has a value that the device does not take"},
    {PAYLOAD, 2000, "the device cannot make sense of a payload's form"},
    {PAYLOAD, 2001, "a payload is of a version that the device does not take"},
    {PAYLOAD, 2002, "a payload lacks a key that it must have"},
    {PAYLOAD, 2003, "a key of a payload has a value of the wrong type"},
    {PAYLOAD, 2004, "a key of a payload has a value that the device does not take"},
    {RESTRICTIONS, 3000, "two restrictions pull in different directions (a fault of the device)"},
    {RESTRICTIONS, 3001, "two values of a restriction cannot be compared (a fault of the device)"},
    {INSTALL, 4000, "the profile cannot be read"},
    {INSTALL, 4000, "a person may not install profiles on this device by hand"},
    {INSTALL, 4001, "the profile did not go in; the entries after this one say why"},
    {INSTALL, 4001, "the profile wants somebody to answer questions, and must go in without"},
    {INSTALL, 4002, "a profile or payload with this UUID is installed already"},
    {INSTALL, 4002, "such a profile goes in over MDM only"},
    {INSTALL, 4003, "the profile was not waiting to be installed"},
    {INSTALL, 4003, "the device does not take a payload of this kind"},
    {INSTALL, 4004, "the user declined"},
    {INSTALL, 4004, "there is no such profile"},
    {INSTALL, 4005, "the passcode does not fulfil what the profile asks for"},
    {INSTALL, 4005, "the supervision of the device is not as it should be"},
    {INSTALL, 4006, "what the user typed is not usable"},
    {INSTALL, 4007, "the file is of no form that the device knows"},
    {INSTALL, 4008, "the update is signed with another certificate than the profile it replaces"},
    {INSTALL, 4009, "the device is locked"},
    {INSTALL, 4010, "the update has another identifier than the profile it replaces"},
    {INSTALL, 4011, "what the server sent last is no configuration profile"},
    {INSTALL, 4012, "the profile cannot be updated"},
    {INSTALL, 4013, "the update did not succeed"},
    {INSTALL, 4014, "the device has no identity to use"},
    {INSTALL, 4015, "the profile that is to replace the enrolment has no MDM payload"},
    {INSTALL, 4016, "a fault inside the device"},
    {INSTALL, 4017, "there can be one payload with a global HTTP proxy"},
    {INSTALL, 4018, "there can be one APN or cellular payload"},
    {INSTALL, 4019, "there can be one App Lock payload"},
    {PASSCODE, 5000, "the passcode is too short"},
    {PASSCODE, 5001, "the passcode has too few different characters"},
    {PASSCODE, 5002, "the passcode has too few characters that are neither letter nor digit"},
    {PASSCODE, 5003, "the passcode repeats characters"},
    {PASSCODE, 5004, "the passcode has characters in a rising or falling row"},
    {PASSCODE, 5005, "the passcode needs a digit"},
    {PASSCODE, 5006, "the passcode needs letters"},
    {PASSCODE, 5007, "the passcode has expired"},
    {PASSCODE, 5008, "the passcode was used not long ago"},
    {PASSCODE, 5009, "not in use"},
    {PASSCODE, 5010, "the device is locked"},
    {PASSCODE, 5011, "the passcode is wrong"},
    {PASSCODE, 5012, "not in use"},
    {PASSCODE, 5013, "the passcode cannot be cleared"},
    {PASSCODE, 5014, "the passcode cannot be set"},
    {PASSCODE, 5015, "the grace period before locking cannot be set"},
    {KEYCHAIN, 6000, "the keychain failed"},
    {KEYCHAIN, 6001, "a text for the keychain is empty"},
    {KEYCHAIN, 6002, "the keychain cannot be asked"},
    {EMAIL, 7000, "the mail server cannot be reached"},
    {EMAIL, 7001, "the mail server refuses user name or password"},
    {EMAIL, 7002, "the mail account could not be tried out, for a reason that is not known"},
    {EMAIL, 7003, "the certificate for S/MIME is not there"},
    {EMAIL, 7004, "the certificate for S/MIME is no good"},
    {EMAIL, 7005, "the settings of the IMAP account are wrong"},
    {EMAIL, 7006, "the settings of the POP account are wrong"},
    {EMAIL, 7007, "the settings of the SMTP account are wrong"},
    {WEBCLIP, 8000, "the web clip cannot be made"},
    {CERTIFICATE, 9000, "the certificate's password is wrong"},
    {CERTIFICATE, 9001, "a payload holds more certificates than it may"},
    {CERTIFICATE, 9002, "the certificate cannot be stored"},
    {CERTIFICATE, 9003, "the data for WAPI cannot be stored"},
    {CERTIFICATE, 9004, "the root certificate cannot be stored"},
    {CERTIFICATE, 9005, "the device cannot make sense of the certificate"},
    {CERTIFICATE, 9006, "the certificate comes without its private key"},
    {DEFAULTS, 10000, "the preferences cannot be stored"},
    {DEFAULTS, 10001, "whoever signed the preferences may not set them"},
    {APN, 11000, "the APN cannot be installed"},
    {APN, 11000, "an APN of its own is installed already"},
    {MDM, 12000, "the access rights of the MDM payload are not possible"},
    {MDM, 12001, "the device is managed already; one MDM payload is all it takes"},
    {MDM, 12002, "the check-in with the server did not succeed"},
    {MDM, 12003, "the answer to the challenge is wrong"},
    {MDM, 12004, "the push certificate is no good"},
    {MDM, 12005, "a certificate that is needed is not there"},
    {MDM, 12006, "the server sent the device to another address, and it does not go there"},
    {MDM, 12007, "the access rights that the device enrolled with do not allow this command"},
    {MDM, 12008, "the command is not made as it must be"},
    {MDM, 12009, "the new enrolment profile changes what must stay: server, topic or more rights"},
    {MDM, 12010, "a fault inside the device"},
    {MDM, 12011, "the settings of the MDM payload are wrong"},
    {MDM, 12012, "the new MDM payload does not fit the one it replaces"},
    {MDM, 12013, "the profile did not come over MDM, so it cannot be touched"},
    {MDM, 12014, "the provisioning profile did not come over MDM, so it cannot be touched"},
    {MDM, 12015, "the device gets no push token: does it reach Apple's push service?"},
    {MDM, 12016, "the identity that the MDM payload names is not in the profile"},
    {MDM, 12017, "the keybag for clearing the passcode cannot be made"},
    {MDM, 12018, "the keybag for clearing the passcode cannot be copied"},
    {MDM, 12019, "the secret of the keybag cannot be copied"},
    {MDM, 12020, "the server refused the device (401)"},
    {MDM, 12021, "the device does not know this request type"},
    {MDM, 12022, "the topic of the MDM payload is wrong"},
    {MDM, 12023, "the App Store does not know this app id"},
    {MDM, 12024, "the app's manifest could not be checked"},
    {MDM, 12025, "the app is installed already"},
    {MDM, 12026, "the app is waiting to be installed already"},
    {MDM, 12027, "that is no app"},
    {MDM, 12028, "the app does not wait for a redemption code"},
    {MDM, 12029, "the app is not managed"},
    {MDM, 12030, "the address is no good"},
    {MDM, 12031, "apps must not be installed on this device"},
    {MDM, 12032, "the manifest names more than one app"},
    {MDM, 12033, "the device cannot make sense of the manifest"},
    {MDM, 12034, "the address must begin with https"},
    {MDM, 12035, "the app cannot be bought"},
    {MDM, 12036, "the app cannot be removed while it is in this state"},
    {MDM, 12037, "the redemption code is no good"},
    {MDM, 12038, "the app is not managed"},
    {MDM, 12039, "not in use"},
    {MDM, 12040, "somebody must sign in to the App Store first"},
    {MDM, 12041, "the device does not know this language"},
    {MDM, 12042, "the device does not know this region"},
    {WIFI, 13000, "the Wi-Fi payload cannot be installed"},
    {WIFI, 13001, "the Wi-Fi network wants a user name"},
    {WIFI, 13002, "the Wi-Fi network wants a password"},
    {WIFI, 13003, "the Wi-Fi settings cannot be made"},
    {WIFI, 13004, "the Wi-Fi login by EAP cannot be set up"},
    {WIFI, 13005, "the Wi-Fi network's proxy cannot be set up"},
    {TUNNEL, 14000, "a field is not as it must be"},
    {TUNNEL, 14001, "the device is locked"},
    {TUNNEL, 14002, "the device has its configuration from automated enrolment already"},
    {VPN, 15000, "the VPN cannot be installed"},
    {VPN, 15001, "the VPN cannot be removed"},
    {VPN, 15002, "the network settings are being changed by something else"},
    {VPN, 15003, "the certificate for the VPN is no good"},
    {SUBCAL, 16000, "the subscription to the calendar cannot be made"},
    {SUBCAL, 16001, "the calendar's host is not named"},
    {SUBCAL, 16002, "there is such a subscription already"},
    {CALDAV, 17000, "the calendar account cannot be made"},
    {CALDAV, 17001, "the calendar account's host is not named"},
    {CALDAV, 17002, "there is such a calendar account already"},
    {DA, 18000, "the account failed for a reason that is not known"},
    {DA, 18001, "the account's host cannot be reached"},
    {DA, 18002, "the host refuses user name or password"},
    {LDAP, 19000, "the directory account cannot be made"},
    {LDAP, 19001, "the directory's host is not named"},
    {LDAP, 19002, "there is such a directory account already"},
    {CARDDAV, 20000, "the address book account cannot be made"},
    {CARDDAV, 20001, "the address book's host is not named"},
    {CARDDAV, 20002, "there is such an address book account already"},
    {EAS, 21000, "the Exchange server does not give its policy"},
    {EAS, 21001, "the device cannot do what the Exchange server's policy asks for"},
    {EAS, 21002, "the device cannot encrypt as the Exchange server's policy asks for"},
    {EAS, 21003, "the Exchange server is not named"},
    {EAS, 21004, "the Exchange account cannot be made"},
    {EAS, 21005, "there is such an Exchange account already"},
    {EAS, 21006, "the certificate for Exchange cannot be opened"},
    {EAS, 21007, "the Exchange account could not be tried out"},
    {SCEP, 22000, "the key usage that the SCEP payload asks for is not possible"},
    {SCEP, 22001, "the device cannot make a key pair"},
    {SCEP, 22002, "the SCEP server's CA certificate makes no sense"},
    {SCEP, 22003, "the SCEP server's RA certificates make no sense"},
    {SCEP, 22004, "the certificates of the SCEP server are not made as the device needs them"},
    {SCEP, 22005, "the SCEP server cannot be reached"},
    {SCEP, 22006, "the SCEP server lacks a capability that the device needs"},
    {SCEP, 22007, "the certificate that the SCEP server issued is no good"},
    {SCEP, 22008, "the identity cannot be made of key and certificate"},
    {SCEP, 22009, "the identity for the time of the request cannot be made"},
    {SCEP, 22010, "the identity for the time of the request cannot be stored"},
    {SCEP, 22011, "the certificate request cannot be made"},
    {SCEP, 22012, "the CA certificate cannot be stored"},
    {SCEP, 22013, "the SCEP server's answer to the request makes no sense"},
    {HTTP, 23000, "the identity for the connection is no good"},
    {HTTP, 23001, "the server's answer makes no sense, or says no"},
    {HTTP, 23002, "the server's certificate is not trusted"},
    {OTA, 24000, "the facts for the profile service cannot be gathered"},
    {OTA, 24001, "the facts for the profile service cannot be signed"},
    {OTA, 24002, "the profile with the identity is no good"},
    {OTA, 24003, "the last profile of the profile service is no good"},
    {PROVISIONING, 25000, "the provisioning profile is no good"},
    {PROVISIONING, 25001, "the provisioning profile cannot be installed"},
    {PROVISIONING, 25002, "the provisioning profile cannot be removed"},
    {CAPABILITIES, 26000, "the device cannot encrypt block by block"},
    {CAPABILITIES, 26001, "the device cannot encrypt file by file"},
    {SETTINGS, 28000, "the device does not know this setting"},
    {SETTINGS, 28001, "the picture for the wallpaper is no good"},
    {SETTINGS, 28002, "the wallpaper cannot be set"},
    {CHAPERONE, 29000, "the device is not supervised"},
    {CHAPERONE, 29003, "the certificate of whoever supervises the device is no good"},
    {STORE, 30000, "the store refuses user name or password"},
    {STORE, 30001, "the store did not answer in time"},
    {PROXY, 31000, "user name and password of the global proxy cannot be set"},
    {PROXY, 31001, "the global proxy cannot be set"},
    {SINGLE_APP, 32000, "the device can be held to one app only"},
    {SSO, 34000, "the pattern of app identifiers for single sign-on is no good"},
    {SSO, 34001, "the pattern of addresses for single sign-on is no good"},
    {SSO, 34002, "the Kerberos name for single sign-on is not there"},
    {SSO, 34003, "the Kerberos name for single sign-on is no good"},
    {FONT, 35000, "the device cannot make sense of the font"},
    {FONT, 35001, "the font cannot be installed"},
    {FONT, 35002, "a payload holds more than one font"},
    {CELLULAR, 36000, "the cellular settings are installed already"},
    {CELLULAR, 36000, "a fault inside the device"},
};
#define CODES (sizeof codes / sizeof *codes)

size_t error_meanings(const char *domain, int64_t code, const char *out[], size_t max)
{
    size_t n = 0;

    for (size_t i = 0; domain != NULL && i < CODES && n < max; i++)
        if (codes[i].code == code && strcmp(codes[i].domain, domain) == 0)
            out[n++] = codes[i].meaning;
    return n;
}

js error_codes_json(void)
{
    js list = js_array();

    for (size_t i = 0; i < CODES; i++) {
        js o = js_object(), meanings = js_array();
        size_t first = i;

        js_set_str(o, "domain", codes[i].domain);
        js_set_int(o, "code", codes[i].code);
        js_append(meanings, js_new_str(codes[i].meaning));
        while (i + 1 < CODES && codes[i + 1].code == codes[first].code)
            js_append(meanings, js_new_str(codes[++i].meaning));
        js_set(o, "meanings", meanings);
        js_append(list, o);
    }
    return list;
}
