/* libhardware.c: see libhardware.h. */
#include "libhardware.h"

#include "wire/encode.h"
#include <stdio.h>
#include <string.h>

struct make {
    enum hw_kind kind;
    const char *product, *model_name, *model, *os, *build;
    int udid_form; /* 0: 40 digits, 1: 8-16 digits, 2: UUID */
    const char *chip;
    int capacity_gb;
    bool cellular;
};

static const struct make makes[] = {
    {HW_IPHONE, "iPhone9,1", "iPhone", "MN8X2", "15.8.3", "19H386", 0, "", 128, true},
    {HW_IPHONE, "iPhone14,5", "iPhone", "MLPF3", "17.6.1", "21G93", 1, "00008110", 128, true},
    {HW_IPHONE, "iPhone15,4", "iPhone", "MTLC3", "18.1", "22B83", 1, "00008120", 256, true},
    {HW_IPHONE, "iPhone17,3", "iPhone", "MYEV3", "18.3.1", "22D72", 1, "00008140", 128, true},
    {HW_IPAD, "iPad7,11", "iPad", "MW742", "17.7.2", "21H221", 0, "", 32, false},
    {HW_IPAD, "iPad12,1", "iPad", "MK2K3", "18.1.1", "22B91", 1, "00008030", 64, false},
    {HW_IPAD, "iPad13,17", "iPad Air", "MM6R3", "18.3", "22D63", 1, "00008103", 64, true},
    {HW_MAC, "iMac14,2", "iMac", "iMac14,2", "10.15.7", "19H2026", 2, "", 500, false},
    {HW_MAC, "MacBookPro18,3", "MacBook Pro", "MacBookPro18,3", "14.7.1", "23H222", 2, "", 512,
     false},
    {HW_MAC, "Mac14,2", "MacBook Air", "Mac14,2", "15.3.1", "24D70", 2, "", 256, false},
    {HW_MAC, "Mac16,10", "Mac mini", "Mac16,10", "15.2", "24C101", 2, "", 256, false},
    {HW_APPLETV, "AppleTV6,2", "Apple TV", "MQD22", "18.1", "22J580", 0, "", 32, false},
    {HW_APPLETV, "AppleTV14,1", "Apple TV", "MN893", "18.3", "22K557", 1, "00008110", 128, false},
};

static const char *const kind_names[] = {"iphone", "ipad", "mac", "appletv", "mix"};

bool hw_kind_parse(const char *s, enum hw_kind *kind)
{
    for (size_t i = 0; i <= HW_MIX; i++)
        if (strcmp(s, kind_names[i]) == 0) {
            *kind = (enum hw_kind)i;
            return true;
        }
    return false;
}

const char *hw_kind_name(enum hw_kind kind)
{
    return kind_names[kind];
}

void hw_octets(uint64_t seed, unsigned index, const char *purpose, unsigned count, void *out,
               size_t n)
{
    uint8_t *to = out, digest[SHA256_LEN];
    for (unsigned block = 0; n > 0; block++) {
        char text[160];
        int len = snprintf(text, sizeof text, "%llu/%u/%s/%u/%u", (unsigned long long)seed, index,
                           purpose, count, block);
        sha256(bytes_of(text, (size_t)len), digest);
        size_t take = n < sizeof digest ? n : sizeof digest;
        memcpy(to, digest, take);
        to += take;
        n -= take;
    }
}

void hw_uuid(uint64_t seed, unsigned index, const char *purpose, unsigned count, char out[37])
{
    uint8_t b[16];
    hw_octets(seed, index, purpose, count, b, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(out, 37, "%02X%02X%02X%02X-%02X%02X-%02X%02X-%02X%02X-%02X%02X%02X%02X%02X%02X", b[0],
             b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
             b[14], b[15]);
}

static void make_udid(uint64_t seed, unsigned index, const struct make *m, struct hardware *hw)
{
    uint8_t b[20];
    hw_octets(seed, index, "udid", 0, b, sizeof b);
    if (m->udid_form == 2) {
        hw_uuid(seed, index, "udid", 0, hw->udid);
    } else if (m->udid_form == 1) {
        char hex[17];
        hex_encode(bytes_of(b, 8), hex);
        for (char *p = hex; *p; p++)
            *p = *p >= 'a' ? (char)(*p - 32) : *p;
        snprintf(hw->udid, sizeof hw->udid, "%s-%s", m->chip, hex);
    } else {
        hex_encode(bytes_of(b, 20), hw->udid);
    }
}

/* New serial numbers are ten random letters and digits, without O and I; older ones begin with the
 * factory and have twelve. */
static void make_serial(uint64_t seed, unsigned index, const struct make *m, struct hardware *hw)
{
    static const char letters[] = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    static const char *const factory[] = {"F5J", "DNP", "C02", "DMP"};
    uint8_t b[12];
    hw_octets(seed, index, "serial", 0, b, sizeof b);
    size_t n = m->udid_form == 1 ? 10 : 12;
    for (size_t i = 0; i < n; i++)
        hw->serial[i] = letters[b[i] % (sizeof letters - 1)];
    hw->serial[n] = '\0';
    if (n == 12)
        memcpy(hw->serial, m->kind == HW_MAC ? factory[2] : factory[b[0] % 2], 3);
}

static void make_radio(uint64_t seed, unsigned index, struct hardware *hw)
{
    uint8_t b[16];
    hw_octets(seed, index, "radio", 0, b, sizeof b);
    snprintf(hw->wifi_mac, 18, "f0:18:98:%02x:%02x:%02x", b[0], b[1], b[2]);
    snprintf(hw->bluetooth_mac, 18, "f0:18:98:%02x:%02x:%02x", b[0], b[1], (b[2] + 1) & 0xff);
    snprintf(hw->ethernet_mac, 18, "3c:07:54:%02x:%02x:%02x", b[3], b[4], b[5]);
    if (!hw->cellular)
        return;
    char d[15];
    int sum = 0;
    memcpy(d, "35", 2);
    for (int i = 2; i < 14; i++)
        d[i] = (char)('0' + b[i] % 10);
    for (int i = 0; i < 14; i++) { /* the fifteenth digit is Luhn's */
        int v = d[i] - '0';
        if (i % 2)
            v = v * 2 > 9 ? v * 2 - 9 : v * 2;
        sum += v;
    }
    snprintf(hw->imei, sizeof hw->imei, "%.14s%d", d, (10 - sum % 10) % 10);
    snprintf(hw->meid, sizeof hw->meid, "%.14s", d);
}

void hw_make(uint64_t seed, unsigned index, enum hw_kind kind, struct hardware *hw)
{
    static const enum hw_kind mix[] = {HW_IPHONE, HW_MAC,    HW_IPAD, HW_IPHONE, HW_MAC,
                                       HW_IPAD,   HW_IPHONE, HW_MAC,  HW_IPAD,   HW_APPLETV};
    memset(hw, 0, sizeof *hw);
    hw->kind = kind == HW_MIX ? mix[index % 10] : kind;
    uint8_t pick;
    hw_octets(seed, index, "make", 0, &pick, 1);
    const struct make *of_kind[8];
    size_t n = 0;
    for (size_t i = 0; i < sizeof makes / sizeof makes[0]; i++)
        if (makes[i].kind == hw->kind)
            of_kind[n++] = &makes[i];
    const struct make *m = of_kind[pick % n];
    hw->product = m->product;
    hw->model_name = m->model_name;
    hw->model = m->model;
    hw->os = m->os;
    hw->build = m->build;
    hw->capacity_gb = m->capacity_gb;
    hw->cellular = m->cellular;
    hw->supervised = true;
    make_udid(seed, index, m, hw);
    make_serial(seed, index, m, hw);
    make_radio(seed, index, hw);
    hw_uuid(seed, index, "enrollment", 0, hw->enrollment_id);
    snprintf(hw->name, sizeof hw->name, "%s %u", m->model_name, index + 1);
    snprintf(hw->host_name, sizeof hw->host_name, "%s-%u", kind_names[hw->kind], index + 1);
}
