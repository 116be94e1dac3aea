/*
 * machine_info.c: see machine_info.h. Keys: MachineInfo of Apple's device management schema
 * (other/machineinfo.yaml); "Request to a Configuration URL" of the MDM protocol reference; the
 * device attributes of Apple's "Over-the-Air Profile Delivery and Configuration".
 */
#include "enrollment/machine_info.h"

#include "base/limits.h"
#include "wire/plist.h"

#define TEXT_MAX 255u
#define TOKEN_MAX (16u * LIM_KB)

#define DEVICE (1u << MACHINE_INFO_DEVICE)
#define ACCOUNT (1u << MACHINE_INFO_ACCOUNT)
#define SERVICE (1u << MACHINE_INFO_SERVICE)

static const struct key {
    const char *name;
    size_t at;
    unsigned needed; /* by which uses */
} KEYS[] = {
    {"UDID", offsetof(struct machine_info, udid), DEVICE | SERVICE},
    {"SERIAL", offsetof(struct machine_info, serial), DEVICE},
    {"PRODUCT", offsetof(struct machine_info, product), DEVICE | ACCOUNT | SERVICE},
    {"VERSION", offsetof(struct machine_info, build), DEVICE | ACCOUNT | SERVICE},
    {"OS_VERSION", offsetof(struct machine_info, os_version), 0},
    {"SUPPLEMENTAL_BUILD_VERSION", offsetof(struct machine_info, supplemental_build), 0},
    {"SUPPLEMENTAL_OS_VERSION_EXTRA", offsetof(struct machine_info, supplemental_os_extra), 0},
    {"IMEI", offsetof(struct machine_info, imei), 0},
    {"MEID", offsetof(struct machine_info, meid), 0},
    {"LANGUAGE", offsetof(struct machine_info, language), 0},
    {"SOFTWARE_UPDATE_DEVICE_ID", offsetof(struct machine_info, software_update_device_id), 0},
    {"CHALLENGE", offsetof(struct machine_info, challenge), 0},
    {"DEVICE_NAME", offsetof(struct machine_info, device_name), 0},
    {"ICCID", offsetof(struct machine_info, iccid), 0},
    {"MAC_ADDRESS_EN0", offsetof(struct machine_info, mac_address), 0},
};

static bool printable(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            return false;
    return true;
}

/* The text of a key; the challenge is handed back as it was given, which may be as data. */
static enum outcome text_read(struct arena *a, pl node, const char *name, const char **out,
                              struct err *err)
{
    struct bytes data;
    const char *s = pl_str(node);
    *out = "";
    if (!node)
        return OK;
    if (s)
        data = bytes_str(s);
    else if (strcmp(name, "CHALLENGE") != 0 || !pl_data(node, &data))
        return err_set(err, INVALID, "%s is of type %s", name, pl_type_name(pl_type_of(node)));
    if (data.n > TEXT_MAX || (data.n && memchr(data.p, 0, data.n)))
        return err_set(err, INVALID, "%s is longer than %u octets or holds a NUL", name, TEXT_MAX);
    *out = arena_strndup(a, (const char *)data.p, data.n);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    return printable(*out) ? OK : err_set(err, INVALID, "%s holds control characters", name);
}

static enum outcome rest_read(struct arena *a, pl root, struct machine_info *out, struct err *err)
{
    pl can = pl_get(root, "MDM_CAN_REQUEST_SOFTWARE_UPDATE"), token = pl_get(root, "PAIRING_TOKEN");
    if (can && !pl_bool(can, &out->can_request_software_update))
        return err_set(err, INVALID, "MDM_CAN_REQUEST_SOFTWARE_UPDATE is no boolean");
    if (!token)
        return OK;
    if (!pl_data(token, &out->pairing_token) || out->pairing_token.n > TOKEN_MAX)
        return err_set(err, INVALID, "PAIRING_TOKEN is no data of at most %u octets", TOKEN_MAX);
    out->pairing_token = arena_bytes(a, out->pairing_token);
    return out->pairing_token.p ? OK : err_set(err, ERROR, "out of memory");
}

enum outcome machine_info_read(struct arena *a, struct bytes content, enum machine_info_use use,
                               struct machine_info *out, struct err *err)
{
    pl root = NULL;
    *out = (struct machine_info){0};
    enum outcome o = pl_parse(content, &root, err);
    if (o == OK && pl_type_of(root) != PL_DICT)
        o = err_set(err, INVALID, "what the device signed is no dictionary");
    for (size_t i = 0; o == OK && i < sizeof KEYS / sizeof *KEYS; i++) {
        const char **to = (const char **)((char *)out + KEYS[i].at);
        o = text_read(a, pl_get(root, KEYS[i].name), KEYS[i].name, to, err);
        if (o == OK && (KEYS[i].needed & 1u << use) && !**to)
            o = err_set(err, INVALID, "%s is missing", KEYS[i].name);
    }
    if (o == OK)
        o = rest_read(a, root, out, err);
    pl_free(&root);
    return o;
}
